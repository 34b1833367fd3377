"""One table and one JSON form for every benchmark: what was measured, ours beside a rival's."""

import json
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from engine import probes


@dataclass(frozen=True)
class Row:
    """``ratio`` is ours by the rival's; ``limit`` what was aimed at, in words ("at least 2")."""

    metric: str
    unit: str
    ours: float | None
    rival: float | None
    rival_name: str
    limit: str = ""

    @property
    def ratio(self) -> float | None:
        return self.ours / self.rival if self.ours is not None and self.rival else None


def machine() -> dict[str, Any]:
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return {
        "processor": name, "cores": probes.cores(), "memory_bytes": probes.memory()["total"], "gpus": probes.gpus(),
        "system": platform.platform(),
    }  # fmt: skip


def versions(*packages: str) -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def report(name: str, rows: list[Row], packages: tuple[str, ...], extra: dict[str, Any] | None = None) -> dict[str, Any]:
    """The JSON form. ``extra`` holds the settings and whatever helps to repeat the measurement."""
    table = [asdict(row) | {"ratio": row.ratio} for row in rows]
    return {"name": name, "machine": machine(), "versions": versions(*packages), "rows": table} | (extra or {})


def table(rows: list[Row]) -> str:
    """The rows as Markdown, for the terminal and the README alike."""
    lines = ["| metric | unit | ours | rival | rival's name | ratio | aim |", "|---|---|---:|---:|---|---:|---|"]
    for row in rows:
        cells = [row.metric, row.unit, _number(row.ours), _number(row.rival), row.rival_name, _number(row.ratio), row.limit]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}" if abs(value) < 1 else f"{value:.2f}"
