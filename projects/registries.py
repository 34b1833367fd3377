"""What a lower floor shows or does for a higher one. The higher one registers at start-up; then the registries freeze.

Takers: ``project_tab`` feeds the rail (projects/context.py), ``provides`` answers lower pages (``provided``), ``dependents`` tells what was
made from something (``dependents_of``), ``erases`` takes out what was copied from it (``erase_copies``; both retrieval/services),
``on_project_delete`` clears up (projects/services.py).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from projects.models import Project

State = Literal["empty", "working", "ready", "needs_you"]


@dataclass(frozen=True)
class TabState:
    """What the rail shows beside a page: its state, and a count where one helps."""

    state: State
    count: int | None = None


@dataclass(frozen=True)
class Tab:
    key: str
    title: str
    icon: str
    order: int
    can: str
    url_name: str
    state: Callable[[Project], TabState]


class RegistryFrozen(Exception):
    """Something registered after start-up."""


_tabs: dict[str, Tab] = {}
_providers: dict[str, list[Callable[..., Any]]] = {}
_dependents: dict[str, list[Callable[..., Any]]] = {}
_erasers: dict[str, list[Callable[..., None]]] = {}
_on_delete: list[Callable[[Project], None]] = []
_frozen = False


def freeze() -> None:
    global _frozen
    _frozen = True


def _open(what: str) -> None:
    if _frozen:
        raise RegistryFrozen(f"{what} comes too late: the registries are frozen after start-up.")


def project_tab(
    key: str, *, title: str, icon: str, order: int, url_name: str, can: str = "view"
) -> Callable[[Callable[[Project], TabState]], Callable[[Project], TabState]]:
    """Put a page on the rail. The decorated ``state(project)`` answers its dot and count, in few queries."""

    def register(state: Callable[[Project], TabState]) -> Callable[[Project], TabState]:
        _open(f"Tab {key}")
        if key in _tabs:
            raise ValueError(f"Tab {key!r} is registered twice.")
        _tabs[key] = Tab(key, title, icon, order, can, url_name, state)
        return state

    return register


def tabs() -> list[Tab]:
    return sorted(_tabs.values(), key=lambda tab: tab.order)


def provides(kind: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The decorated function answers ``provided(kind, …)`` for pages of lower floors."""

    def register(provider: Callable[..., Any]) -> Callable[..., Any]:
        _open(f"Provider of {kind}")
        _providers.setdefault(kind, []).append(provider)
        return provider

    return register


def provided(kind: str, *args: Any, **kwargs: Any) -> list[Any]:
    """The answers of every provider of ``kind``."""
    return [provider(*args, **kwargs) for provider in _providers.get(kind, [])]


def dependents(kind: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The decorated function lists (and marks stale) what was made from something of ``kind``."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        _open(f"Dependents of {kind}")
        _dependents.setdefault(kind, []).append(function)
        return function

    return register


def dependents_of(kind: str, *args: Any) -> list[Any]:
    return [item for function in _dependents.get(kind, []) for item in function(*args)]


def erases(kind: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The decorated function erases what its app copied from something of ``kind``. It may be called again: it must be idempotent."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        _open(f"Eraser of {kind}")
        _erasers.setdefault(kind, []).append(function)
        return function

    return register


def erase_copies(kind: str, *args: Any) -> None:
    for function in _erasers.get(kind, []):
        function(*args)


def on_project_delete(function: Callable[[Project], None]) -> Callable[[Project], None]:
    """The decorated function removes a project's rows, vectors and files of its app. Called before the project's row goes."""
    _open("A deletion hook")
    _on_delete.append(function)
    return function


def deletion_hooks() -> list[Callable[[Project], None]]:
    """Highest floor first: what stands on something goes before what it stands on."""
    return _on_delete[::-1]
