"""What stages say to a model: a text file a prompt, with `$slots`, and the kinds of question in ``kinds.toml``."""

import tomllib
from functools import cache
from importlib.resources import files
from string import Template


def prompt(name: str, **slots: object) -> str:
    """The prompt in ``<name>.txt`` with its slots filled. Raises ``KeyError`` for a slot that is not given."""
    return _template(name).substitute({slot: str(value) for slot, value in slots.items()}).strip()


@cache
def _template(name: str) -> Template:
    return Template(files(__name__).joinpath(f"{name}.txt").read_text("utf-8"))


@cache
def kinds() -> dict[str, str]:
    """Kind of question → how to ask it, in words for the model."""
    return dict(tomllib.loads(files(__name__).joinpath("kinds.toml").read_text("utf-8"))["kinds"])


@cache
def harder() -> list[str]:
    """Ways to make a question harder."""
    return list(tomllib.loads(files(__name__).joinpath("kinds.toml").read_text("utf-8"))["harder"])
