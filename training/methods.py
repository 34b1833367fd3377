"""The methods of "Start training" and their presets, read from methods.toml."""

import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from engine import registry

DATA = Path(__file__).with_name("methods.toml")
DEFAULT, DEFAULT_PRESET = "sft", "balanced"
NEEDS = ("pairs", "preferences", "documents", "teacher", "reward")


class MethodError(Exception):
    """The data file names something that does not exist, or a value that a stage would refuse."""


@dataclass(frozen=True)
class Preset:
    key: str
    title: str
    description: str


@dataclass(frozen=True)
class Group:
    key: str
    title: str
    description: str


@dataclass(frozen=True)
class Method:
    """A way to train; ``key`` is its stage's. ``presets``: preset → the stage's parameters.

    ``needs`` is what it learns from. ``follows``: it works on what a method before it made and cannot be the first. ``answers``: how many
    it reads to a question; ``reference``: whether it reads each a second time as the model began; ``bits``: of a weight held, 0 for 16.
    """

    key: str
    group: str
    title: str
    description: str
    when: str
    needs: tuple[str, ...]
    presets: dict[str, dict[str, Any]] = field(default_factory=dict)
    follows: bool = False
    answers: int = 1
    reference: bool = False
    bits: int = 0

    @property
    def info(self) -> registry.StageInfo:
        return registry.get(self.key)

    @property
    def makes(self) -> str:
        """The kind of what it makes."""
        return next(iter(self.info.produces.values())).rstrip("?")

    def takes(self, role: str) -> bool:
        """Whether its stage has an input of that role."""
        return role in self.info.roles

    @property
    def asks(self) -> bool:
        """Whether it asks a model to write, here or at an endpoint."""
        return "chat" in self.info.endpoints

    @property
    def loops(self) -> bool:
        """Whether it goes over data in steps, so that steps and time can be told beforehand."""
        return "epochs" in self.info.params.model_fields


@cache
def _data() -> dict[str, Any]:
    with open(DATA, "rb") as file:
        return tomllib.load(file)


@cache
def presets() -> dict[str, Preset]:
    return {key: Preset(key, **entry) for key, entry in _data()["preset"].items()}


@cache
def groups() -> dict[str, Group]:
    return {key: Group(key, **entry) for key, entry in _data()["group"].items()}


@cache
def entries() -> dict[str, Method]:
    """Every method of the file, also those whose stage is not there."""
    return {key: Method(key, **{**entry, "needs": tuple(entry["needs"])}) for key, entry in _data()["method"].items()}


def methods() -> dict[str, Method]:
    """Those this studio can run, in the order of the file."""
    there = {info.key for info in registry.all_stages()}
    return {key: method for key, method in entries().items() if key in there}


def afterwards(kind: str) -> tuple[str, ...]:
    """Stages that may come after a method that makes a ``kind``."""
    return tuple(_data()["afterwards"].get(kind, ()))


def not_offered() -> list[str]:
    """Training stages that no entry of the file names: their entry is missing or its key is mistyped."""
    return [info.key for info in registry.all_stages() if info.group == "train" and info.key not in entries()]


def check() -> None:
    """Raises ``MethodError`` for the first entry that is wrong, of those whose stage is there."""
    for method in methods().values():
        if method.group not in groups():
            raise MethodError(f"Method {method.key}: there is no group {method.group!r}.")
        if wrong := set(method.needs) - set(NEEDS):
            raise MethodError(f"Method {method.key} needs {', '.join(sorted(wrong))}; known are {', '.join(NEEDS)}.")
        for need, role in (("documents", "chunks"), ("teacher", "teacher"), ("reward", "reward")):
            if (need in method.needs) != method.info.roles.get(role, ("", False))[1]:
                raise MethodError(f"Method {method.key}: its needs and the inputs of its stage differ in {need}.")
        if method.makes not in _data()["afterwards"]:
            raise MethodError(f"Method {method.key} makes a {method.makes}, and nothing says what may come afterwards.")
        for preset, params in method.presets.items():
            if preset not in presets():
                raise MethodError(f"Method {method.key}: there is no preset {preset!r}.")
            try:
                method.info.params.model_validate(params)
            except ValidationError as error:
                raise MethodError(f"Method {method.key}, preset {preset}: {error}") from error
