"""Filters kept by name: one's own, and those shared with the team."""

from typing import Any

from django.db import IntegrityError, transaction

from curation.errors import PairError
from curation.filters import filter_read
from curation.models import SavedFilter
from projects import audit
from projects.models import Project, User

NAME_LIMIT = 60  # characters


def filter_create(*, project: Project, by: User, name: str, tree: Any, shared: bool = False) -> SavedFilter:
    """Keep a filter. Raises ``FilterError`` for a tree that is none, ``PairError`` for a name that cannot be or is taken."""
    name, group = _checked(name), filter_read(tree)
    if not group.parts:
        raise PairError("There is nothing to save.", {"name": "Set a filter first: this one asks nothing."})
    try:
        with transaction.atomic():
            saved = SavedFilter.objects.create(project=project, by=by, name=name, tree=group.tree(), shared=shared)
    except IntegrityError:
        raise _taken(name) from None
    audit.record(project, by, "filter.create", f"filter {saved.pk}", after={"shared": shared})
    return saved


def filter_change(*, saved: SavedFilter, by: User, name: str, shared: bool, tree: Any = None) -> SavedFilter:
    """Rename, share or keep for oneself, and with ``tree`` let it ask something else. Only its maker may.

    Raises ``PairError`` for a name that cannot be or is taken, and for somebody else's; ``FilterError`` for a tree that is none.
    """
    _check_own(saved, by)
    fields: dict[str, Any] = {"name": _checked(name), "shared": shared}
    if tree is not None:
        fields["tree"] = filter_read(tree).tree()
    try:
        with transaction.atomic():
            SavedFilter.objects.filter(pk=saved.pk).update(**fields)
    except IntegrityError:
        raise _taken(fields["name"]) from None
    audit.record(saved.project, by, "filter.change", f"filter {saved.pk}", before={"shared": saved.shared}, after={"shared": shared})
    saved.refresh_from_db()
    return saved


def filter_delete(*, saved: SavedFilter, by: User) -> None:
    """Only its maker may. Raises ``PairError`` for somebody else's."""
    _check_own(saved, by)
    audit.record(saved.project, by, "filter.delete", f"filter {saved.pk}")
    saved.delete()


def _check_own(saved: SavedFilter, by: User) -> None:
    if saved.by_id != by.pk:
        raise PairError(f"This filter is {saved.by}'s. Save one of your own beside it.")


def _checked(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > NAME_LIMIT:
        raise PairError("The name is not right.", {"name": f"A name of 1 to {NAME_LIMIT} characters is needed."})
    return name


def _taken(name: str) -> PairError:
    text = f"You have a filter “{name}” already. Choose another name, or change that one."
    return PairError(text, {"name": text})
