"""What higher floors do when a run makes something or ends. Filled at start-up, then frozen.

Takers: ``on_artifact`` is called by runs/taking_in.py, ``on_run_end`` by runs/services.py, ``endpoint_for`` by runs/environment.py.
"""

from collections.abc import Callable
from dataclasses import dataclass

from engine.addresses import Reach
from projects.registries import RegistryFrozen
from runs.models import Artifact, Run


@dataclass(frozen=True)
class EndpointAccess:
    """How a stage reaches an OpenAI-compatible server. The token is a secret: it goes into the engine's environment only.

    ``reach``: which addresses its host may have (``engine.addresses``)."""

    url: str
    token: str
    model: str
    reach: Reach = "any"


TakeIn = Callable[[Artifact], None]
RunEnd = Callable[[Run], None]
Access = Callable[[Run], EndpointAccess]

_take_in: dict[str, list[TakeIn]] = {}
_run_end: list[RunEnd] = []
_endpoints: dict[str, Access] = {}
_frozen = False


def freeze() -> None:
    global _frozen
    _frozen = True


def _open(what: str) -> None:
    if _frozen:
        raise RegistryFrozen(f"{what} comes too late: the registries are frozen after start-up.")


def on_artifact(kind: str) -> Callable[[TakeIn], TakeIn]:
    """The decorated ``take_in(artifact)`` brings an artifact into its app's tables. It may be called again: it must be idempotent."""

    def register(function: TakeIn) -> TakeIn:
        _open(f"on_artifact({kind!r})")
        _take_in.setdefault(kind, []).append(function)
        return function

    return register


def takers(kind: str) -> list[TakeIn]:
    return list(_take_in.get(kind, []))


def on_run_end(function: RunEnd) -> RunEnd:
    """The decorated function is called once a run has ended, however it did."""
    _open("on_run_end")
    _run_end.append(function)
    return function


def run_end_hooks() -> list[RunEnd]:
    return list(_run_end)


def endpoint_for(name: str) -> Callable[[Access], Access]:
    """The decorated function says how a run's stage reaches the endpoint ``name`` ("embeddings", "chat")."""

    def register(function: Access) -> Access:
        _open(f"endpoint_for({name!r})")
        if name in _endpoints:
            raise ValueError(f"The endpoint {name!r} is registered twice.")
        _endpoints[name] = function
        return function

    return register


def endpoint_access(name: str, run: Run) -> EndpointAccess:
    """Raises ``KeyError`` when no app offers it."""
    return _endpoints[name](run)
