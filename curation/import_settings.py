"""How an uploaded file is to be read: the parameters of `import_pairs` that a person chooses."""

from dataclasses import asdict, dataclass, field
from typing import Any, Self

from engine.lib.pair_formats import FORMATS, columns
from engine.lib.pair_formats.file_types import DELIMITERS, ENCODINGS

AUTO = "auto"


@dataclass(frozen=True)
class ImportSettings:
    """What is empty is found out from the file. ``mapping`` (column → field) counts for the format ``columns`` alone."""

    format: str = AUTO
    mapping: dict[str, str] = field(default_factory=dict)
    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""
    header: bool = True

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """From what was stored or sent; what is not among the choices counts as not chosen."""
        mapping = data.get("mapping")
        mapping = mapping if isinstance(mapping, dict) else {}
        return cls(
            format=_one_of(data.get("format"), FORMATS, AUTO),
            mapping={str(column): value for column, value in mapping.items() if value in columns.FIELDS},
            encoding=_one_of(data.get("encoding"), ENCODINGS, ""),
            delimiter=_one_of(data.get("delimiter"), DELIMITERS, ""),
            sheet=str(data.get("sheet") or "")[:100],
            header=data.get("header", True) is True,
        )

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def reading(self) -> dict[str, Any]:
        """Those that say how the file is opened."""
        return {"encoding": self.encoding, "delimiter": self.delimiter, "sheet": self.sheet, "header": self.header}


def _one_of(value: Any, choices: Any, default: str) -> str:
    return value if isinstance(value, str) and value in choices else default
