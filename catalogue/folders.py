"""Looking into a model folder without loading it: is it safe, complete, and how large."""

import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LARGEST_HEADER = 100 * 2**20  # of a safetensors file; real ones are a few hundred kilobytes
WEIGHTS_WITH_CODE = {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"}
ADDED_CODE = {".py"}


class FolderError(Exception):
    """The place cannot be used, and why."""


@dataclass(frozen=True)
class Inspected:
    parameters: int
    context: int
    ignored: tuple[str, ...] = ()  # files that the import will not read


def inside(root: Path, path: str) -> Path:
    """``path`` under ``root``, links followed. Raises ``FolderError`` when it leads elsewhere or nowhere."""
    place = (root / path.strip()).resolve()
    if not place.is_relative_to(root.resolve()) or place == root.resolve():
        raise FolderError(f"The place must lie inside {root}.")
    if not place.exists():
        raise FolderError(f"There is nothing at {path.strip()} inside {root}.")
    return place


def inspect(place: Path) -> Inspected:
    """What a GGUF file or a Hugging Face folder holds. Raises ``FolderError`` when it is neither."""
    if place.is_file():
        with open(place, "rb") as file:
            if place.suffix.lower() != ".gguf" or file.read(4) != b"GGUF":
                raise FolderError("A single file must be a GGUF file.")
        return Inspected(parameters=0, context=0)
    try:
        config = json.loads((place / "config.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise FolderError("The folder has no config.json that can be read: it is no Hugging Face model.") from error
    weights = sorted(place.glob("*.safetensors"))
    if not weights:
        raise FolderError("The folder has no weights as safetensors. Pickled weights are not read, for they can carry code.")
    if not any((place / name).is_file() for name in ("tokenizer.json", "tokenizer.model", "vocab.json")):
        raise FolderError("The folder has no tokenizer (tokenizer.json or tokenizer.model).")
    if config.get("auto_map"):
        raise FolderError("This model needs its own Python code to run, which the studio does not run.")
    text = config.get("text_config") or config
    ignored = tuple(sorted(file.name for file in place.iterdir() if file.suffix in WEIGHTS_WITH_CODE | ADDED_CODE))
    return Inspected(sum(map(_parameters, weights)), int(text.get("max_position_embeddings") or 2048), ignored)


def _parameters(file: Path) -> int:
    """From the header alone: the sum of the shapes' products. Raises ``FolderError``."""
    try:
        with open(file, "rb") as handle:
            (length,) = struct.unpack("<Q", handle.read(8))
            if length > LARGEST_HEADER:
                raise ValueError("header too long")
            header: dict[str, Any] = json.loads(handle.read(length))
        return sum(math.prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__")
    except (OSError, ValueError, struct.error, KeyError, TypeError) as error:
        raise FolderError(f"{file.name} is no safetensors file, or is damaged.") from error
