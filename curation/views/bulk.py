"""What can be done to many pairs at once, and which ones are meant: those ticked, or all that match the table's filters."""

from collections.abc import Mapping
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from curation.errors import PairError
from curation.models import Pair
from curation.query import Query
from curation.selectors.pairs import pairs_of
from curation.services.bulk import ACTIONS, Change, pairs_change_begin
from curation.views.shared import with_query
from projects.guards import project_for
from projects.models import Project, User


@require_POST
def pairs_bulk(request: HttpRequest, slug: str) -> HttpResponse:
    """Do something to the selected pairs, or to all that match the table's filters; then back to the table as it was."""
    project = project_for(request.user, slug, can="review")
    action = request.POST.get("action", "")
    if action not in ACTIONS:
        raise Http404("There is no such action.")
    pairs, described = pairs_chosen(project, request.POST, request.GET)
    back, change = with_query(reverse("curation:pairs", args=[slug]), request), Change(action, request.POST.get(action, ""), described)
    assert isinstance(request.user, User)  # the guard lets nobody else in
    try:
        said = pairs_change_begin(project=project, by=request.user, pairs=pairs, change=change, back=back)
    except PairError as error:
        messages.error(request, " ".join(error.fields.values()) or str(error))
    else:
        if isinstance(said, str):  # a chore is told of above the table
            messages.success(request, said)
    return redirect(back)


def pairs_chosen(project: Project, posted: QueryDict, address: Mapping[str, str]) -> tuple[QuerySet[Pair], str]:
    """The pairs that are meant, and how to say which in the log. Raises ``FilterError`` for an address that cannot be read."""
    if posted.get("all"):
        query = Query.from_get(address)
        return pairs_of(project, query), f"all that match: {query.described()}"
    ids = [pk for pk in posted.getlist("ids") if _is_uuid(pk)]
    return Pair.objects.filter(project=project, pk__in=ids), f"{len(ids)} selected"


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
