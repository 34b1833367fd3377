"""What can be done to many pairs at once, and which ones are meant: those ticked, or all that match the table's filters."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from curation.errors import PairError
from curation.labels import LABELS
from curation.models import Pair, PairStatus, Tag
from curation.query import Query
from curation.selectors.pairs import pairs_of
from curation.services.assigning import pairs_assign
from curation.services.deciding import pairs_decide_bulk
from curation.services.labelling import pairs_label, pairs_tag, pairs_untag
from curation.views.shared import with_query
from projects.guards import project_for
from projects.models import Project, User

DECISIONS = {
    "approve": (PairStatus.APPROVED, "approved"),
    "reject": (PairStatus.REJECTED, "rejected"),
    "reopen": (PairStatus.PENDING, "back in review"),
}
ACTIONS = (*DECISIONS, *LABELS, "tag", "untag", "assign")


@require_POST
def pairs_bulk(request: HttpRequest, slug: str) -> HttpResponse:
    """Do something to the selected pairs, or to all that match the table's filters; then back to the table as it was."""
    project = project_for(request.user, slug, can="review")
    action = request.POST.get("action", "")
    if action not in ACTIONS:
        raise Http404("There is no such action.")
    pairs, described = pairs_chosen(project, request.POST, request.GET)
    try:
        messages.success(request, _do(project, request.user, action, pairs, request.POST, described))
    except PairError as error:
        messages.error(request, " ".join(error.fields.values()) or str(error))
    return redirect(with_query(reverse("curation:pairs", args=[slug]), request))


def pairs_chosen(project: Project, posted: QueryDict, address: Mapping[str, str]) -> tuple[QuerySet[Pair], str]:
    """The pairs that are meant, and how to say which in the log. Raises ``FilterError`` for an address that cannot be read."""
    if posted.get("all"):
        query = Query.from_get(address)
        return pairs_of(project, query), f"all that match: {query.described()}"
    ids = [pk for pk in posted.getlist("ids") if _is_uuid(pk)]
    return Pair.objects.filter(project=project, pk__in=ids), f"{len(ids)} selected"


def _do(project: Project, by: Any, action: str, pairs: QuerySet[Pair], data: Mapping[str, str], described: str) -> str:
    """What was done, in words. Raises ``PairError`` for a value that cannot be."""
    value = data.get(action, "")
    common = {"project": project, "by": by, "pairs": pairs, "described": described}
    if action in DECISIONS:
        status, word = DECISIONS[action]
        return _said(pairs_decide_bulk(status=status, **common), word)
    if action in LABELS:
        done = pairs_label(field=action, value=value, **common)
        return _said(done, f"now {action} “{value.strip()}”" if value.strip() else f"now without {action}")
    if action == "tag":
        return _said(pairs_tag(name=value, **common), f"tagged “{value.strip()}”")
    if action == "untag":
        return _said(pairs_untag(tag=_tag(project, value), **common), f"no longer tagged “{value}”")
    person = _member(project, value)
    return _said(pairs_assign(project=project, by=by, to=person, pairs=pairs), f"assigned to {person}")


def _said(done: int, word: str) -> str:
    return f"{done:,} {'pair' if done == 1 else 'pairs'} {word}." if done else f"Every one was {word} already."


def _tag(project: Project, name: str) -> Tag:
    tag = Tag.objects.filter(project=project, name=name).first()
    if tag is None:
        raise PairError("Choose a tag of this project to take away.")
    return tag


def _member(project: Project, key: str) -> User:
    person = User.objects.filter(memberships__project=project, pk=int(key)).first() if key.isdecimal() else None
    if person is None:
        raise PairError("Choose who the pairs are assigned to.")
    return person


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
