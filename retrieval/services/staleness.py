"""What was made from a version that is no longer the document: listed on its page, marked stale by whoever made it."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from projects import audit
from projects.models import Project
from projects.registries import dependents_of

KIND = "document_version"


@dataclass(frozen=True)
class Dependent:
    """Something made from a version, as a page shows it: "12 pairs", where to find it, and whether it is stale."""

    title: str
    url: str = ""
    stale: bool = False


def dependents(versions: Collection[UUID]) -> list[Dependent]:
    """What was made from ``versions``, from every app that makes something."""
    return [_dependent(item) for item in dependents_of(KIND, list(versions), False)]


def mark_stale(project: Project, versions: Collection[UUID]) -> int:
    """Tell every app that what it made from ``versions`` is stale. How many things that were."""
    if not versions:
        return 0
    found = dependents_of(KIND, list(versions), True)
    if found:
        after = {
            "versions": [str(version) for version in versions],
            "things": [_dependent(item).title for item in found][:20],
        }
        audit.record(project, None, "document.stale", f"{len(found)} things made from older versions", after=after)
    return len(found)


def _dependent(item: Any) -> Dependent:
    if isinstance(item, Dependent):
        return item
    if isinstance(item, dict):
        return Dependent(str(item.get("title", "")), str(item.get("url", "")), bool(item.get("stale")))
    return Dependent(str(item), getattr(item, "url", ""), bool(getattr(item, "stale", False)))
