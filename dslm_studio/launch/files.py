"""Small files that several processes read and write. Standard library only."""

import json
import os
from pathlib import Path
from typing import Any


def write_private(file: Path, text: str) -> None:
    """Write through a temporary name, mode 600, so that nobody reads half a file."""
    temporary = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:
        handle.write(text)
    os.replace(temporary, file)


def read_json(file: Path) -> dict[str, Any]:
    """What the file holds; empty when it is missing, broken or no object."""
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
