"""spec.json: everything a rerun needs, and nothing secret."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

SPEC_FILE = "spec.json"
CHECKPOINTS = "checkpoints"  # folders of an attempt
OUTPUTS = "outputs"
WORK = "work"


class Spec(BaseModel):
    """What one attempt of a run is asked to do. ``inputs`` maps a role to the folder of an artifact."""

    model_config = ConfigDict(extra="forbid")

    stage: str
    params: dict[str, Any] = Field(default_factory=dict)
    inputs: dict[str, str] = Field(default_factory=dict)
    seed: int = 0
    resume_from: str | None = None

    @classmethod
    def read(cls, run_dir: Path) -> "Spec":
        return cls.model_validate_json((run_dir / SPEC_FILE).read_text("utf-8"))

    def write(self, run_dir: Path) -> None:
        run_dir.mkdir(parents=True, exist_ok=True)
        (run_dir / SPEC_FILE).write_text(self.model_dump_json(indent=1), "utf-8")
