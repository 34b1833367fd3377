"""The stages there are. A stage is one file in ``stages/`` with one function under ``@stage``."""

import difflib
import importlib
import importlib.util
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import BaseModel, ConfigDict


class StageParams(BaseModel):
    """A stage's parameters. Every field has a ``title`` and a ``description``; ``json_schema_extra={"advanced": True}`` folds it away."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=False)


@dataclass(frozen=True)
class StageInfo:
    key: str
    title: str
    help: str
    group: str
    queue: str
    consumes: dict[str, str]
    produces: dict[str, str]
    requires: tuple[str, ...]
    endpoints: tuple[str, ...]
    resumable: bool
    params: type[StageParams]
    run: Callable[..., None]

    def schema(self) -> dict[str, Any]:
        """The JSON schema of the parameters; the form, the command line and the docs are made from it."""
        return self.params.model_json_schema()

    def missing(self) -> list[str]:
        """Import names of ``requires`` that are not installed here."""
        return [name for name in self.requires if importlib.util.find_spec(name) is None]

    @cached_property
    def roles(self) -> dict[str, tuple[str, bool]]:
        """Input role → (artifact kind, must be given)."""
        return {role: (kind.rstrip("?"), not kind.endswith("?")) for role, kind in self.consumes.items()}


class RegistryError(Exception):
    """A stage is declared twice, declared late, or asked for by a key that does not exist."""


_stages: dict[str, StageInfo] = {}
_frozen = False


def stage(
    *,
    key: str,
    title: str,
    group: str,
    queue: str,
    consumes: dict[str, str],
    produces: dict[str, str],
    requires: tuple[str, ...] = (),
    endpoints: tuple[str, ...] = (),
    resumable: bool = False,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Declare the decorated ``run(ctx, params)`` as a stage. Its annotation of ``params`` is its ``StageParams`` class."""

    def declare(run: Callable[..., None]) -> Callable[..., None]:
        if _frozen:
            raise RegistryError(f"Stage {key!r} comes too late: the registry is frozen.")
        if key in _stages:
            raise RegistryError(f"Stage {key!r} is declared twice.")
        params = run.__annotations__.get("params")
        if not (isinstance(params, type) and issubclass(params, StageParams)):
            raise RegistryError(f"Stage {key!r}: its second argument must be `params: <a StageParams class>`.")
        _stages[key] = StageInfo(
            key, title, (run.__doc__ or "").strip(), group, queue, consumes, produces, requires, endpoints, resumable, params, run
        )
        return run

    return declare


def load() -> None:
    """Import every module of ``engine.stages`` once and freeze. Light: heavy imports stand inside the stages' functions."""
    global _frozen
    if _frozen:
        return
    import engine.stages

    for module in pkgutil.iter_modules(engine.stages.__path__, "engine.stages."):
        importlib.import_module(module.name)
    _frozen = True


def get(key: str) -> StageInfo:
    """The stage of that key. Raises ``RegistryError`` with the nearest key."""
    load()
    try:
        return _stages[key]
    except KeyError:
        near = difflib.get_close_matches(key, _stages, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise RegistryError(f"There is no stage {key!r}.{hint}") from None


def all_stages() -> list[StageInfo]:
    load()
    return [_stages[key] for key in sorted(_stages)]
