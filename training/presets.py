"""Presets of "Start training", read from presets.toml."""

import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from engine import registry

DATA = Path(__file__).with_name("presets.toml")
DEFAULT = "balanced"


class PresetError(Exception):
    """The data file names a stage or parameter that does not exist, or a value that is not allowed."""


@dataclass(frozen=True)
class Preset:
    key: str
    title: str
    description: str
    params: dict[str, dict[str, Any]] = field(default_factory=dict)  # stage → parameters


@cache
def presets() -> dict[str, Preset]:
    with open(DATA, "rb") as file:
        data = tomllib.load(file)
    return {key: Preset(key, entry.pop("title"), entry.pop("description"), entry) for key, entry in data.items()}


def check() -> None:
    """Raises ``PresetError`` for the first preset that its stages would refuse."""
    for preset in presets().values():
        for stage, params in preset.params.items():
            try:
                registry.get(stage).params.model_validate(params)
            except (registry.RegistryError, ValidationError) as error:
                raise PresetError(f"Preset {preset.key}, stage {stage}: {error}") from error
