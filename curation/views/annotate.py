"""Annotating: the queue, the focus page, its drafts."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from curation.forms_collecting import KEYS, CommentForm, ResponseForm, pair_words, revision_of, said_of
from curation.guidelines import guidelines_html
from curation.models import Claim, Pair, PairStatus, Response, ResponseState
from curation.passages import passages_of
from curation.selectors import collecting as selectors
from curation.services import collecting, responding
from curation.services.commenting import mentions_read
from curation.services.writing import PairError
from curation.suggesting import came_with, suggested_by
from curation.views.narrowing import Narrowed
from curation.views.shared import pairs_tabs, show_error
from projects.guards import project_for
from projects.models import Project
from projects.pages import project_page

SENT = {
    "submit": (responding.response_submit, "Submitted"),
    "discard": (responding.response_discard, "Discarded"),
    "skip": (responding.response_skip, "Skipped"),
}
SHOWN = 20  # of one's own responses


def annotate_home(request: HttpRequest, slug: str) -> HttpResponse:
    """Where one stands, what one did, and the way to the next pair."""
    project = project_for(request.user, slug, can="annotate")
    collection, narrowed = selectors.collection_of(project), Narrowed.of(request, project)
    state = request.GET.get("state", "")
    context = {
        "tabs": pairs_tabs(project, request.user, "annotate"),
        "mine": selectors.my_progress(project, request.user),
        "team": selectors.team_progress(project, collection.overlap),
        "collection": collection,
        "guidelines": guidelines_html(collection.guidelines),
        "state": state,
        "states": ResponseState.choices,
        "recent": selectors.my_responses(project, request.user, state)[:SHOWN],
        "held": Claim.objects.filter(user=request.user, pair__project=project).exists(),
        "narrowed": narrowed,
    }
    return project_page(request, "curation/annotate_home.html", project, "pairs", context)


@require_POST
def annotate_next(request: HttpRequest, slug: str) -> HttpResponse:
    """Take the next pair of the queue, or the one that is named."""
    project = project_for(request.user, slug, can="annotate")
    if not request.POST.get("pair"):
        return _go_on(request, project)
    pair = get_object_or_404(Pair.objects.select_related("project"), project=project, pk=_uuid(request.POST["pair"]))
    try:
        collecting.response_begin(pair=pair, by=request.user)
    except PairError as error:
        messages.warning(request, str(error))
        return redirect(pair)
    return redirect("curation:annotate_pair", slug, pair.pk)


def _uuid(text: str) -> str:
    if len(text.replace("-", "")) != 32 or not all(letter in "0123456789abcdef-" for letter in text.lower()):
        raise Http404("There is no such pair.")
    return text


def _response(request: HttpRequest, project: Project, pk: object) -> Response:
    mine = Response.objects.select_related("pair__project", "pair__artifact", "pair__created_by", "user")
    return get_object_or_404(mine, pair__project=project, pair=pk, user=request.user)


def annotate_pair(request: HttpRequest, slug: str, pk: object) -> HttpResponse:
    """The focus page: the source on the left, what one says of the pair on the right."""
    project = project_for(request.user, slug, can="annotate")
    pair = get_object_or_404(Pair, project=project, pk=pk)
    if not Response.objects.filter(pair=pair, user=request.user).exists():
        return redirect(pair)  # where it says who is at it, and lets one begin
    response = _response(request, project, pk)
    mentions_read(pair=pair, by=request.user)  # type: ignore[arg-type]
    return _page(request, project, response, ResponseForm.of(response, selectors.tags_of(project)))


def _page(request: HttpRequest, project: Project, response: Response, form: ResponseForm, status: int = 200) -> HttpResponse:
    pair, collection = response.pair, selectors.collection_of(project)
    held = Claim.objects.filter(pair=pair, user=request.user).first()
    lost = response.state == ResponseState.DRAFT and held is None and (pair.status not in selectors.OPEN or not pair.responses_left)
    last = selectors.last_sent(project, request.user, but=response)
    passages = passages_of(pair)
    tags, chosen = selectors.tags_of(project), {str(pk) for pk in form["tags"].value() or []}
    context = {
        "response": response,
        "pair": pair,
        "form": form,
        "tags": [(tag, place if place <= KEYS else "", str(tag.pk) in chosen) for place, tag in enumerate(tags, start=1)],
        "many_tags": len(tags) > KEYS,
        "topics": selectors.topics_of(project),
        "suggested": {**pair_words(pair), "origin": suggested_by(pair)},
        "came_with": came_with(pair),
        "turns": pair.messages[1:-1] if len(pair.messages) > 2 + bool(pair.system) else [],
        "passages": passages,
        "erased": any(not passage.evidence for passage in passages),
        "collection": collection,
        "guidelines": guidelines_html(collection.guidelines),
        "others": selectors.people_at(pair, but=request.user),
        "held": held,
        "lost": collecting.why_not(pair) if lost else "",
        "sent_back": pair.note if pair.status == PairStatus.CHANGES else "",
        "moved": pair.revision != response.pair_revision,
        "editable": response.state == ResponseState.DRAFT,
        "mine": selectors.my_progress(project, request.user),
        "team": selectors.team_progress(project, collection.overlap),
        "last": last,
        "previous": selectors.previous_of(response),
        "narrowed": Narrowed.of(request, project),
        "comments": selectors.comments_on(pair),
        "comment_form": CommentForm(),
        "members": [str(member) for member in selectors.members_of(project)],
        "from": "annotate",
    }
    return project_page(request, "curation/annotate.html", project, "pairs", context, status=status)


@require_POST
def annotate_draft(request: HttpRequest, slug: str, pk: object) -> HttpResponse:
    """Keep what is typed, and the lock. Answers JSON: the revision from here on, whether the pair is still theirs."""
    project = project_for(request.user, slug, can="annotate")
    response = _response(request, project, pk)
    try:
        saved = responding.response_save(response=response, said=said_of(request.POST), revision=revision_of(request.POST))
    except PairError as error:
        return JsonResponse({"message": str(error)}, status=409)
    held = Claim.objects.filter(pair=saved.pair_id, user=request.user).first()
    answer: dict[str, Any] = {"revision": saved.revision, "held": held is not None, "message": ""}
    if held is None:
        answer["message"] = collecting.why_not(Pair.objects.get(pk=saved.pair_id))
    return JsonResponse(answer)


@require_POST
def annotate_send(request: HttpRequest, slug: str, pk: object) -> HttpResponse:
    """Submit, discard, skip, or put off; then the next pair."""
    project = project_for(request.user, slug, can="annotate")
    response, action = _response(request, project, pk), request.POST.get("action", "")
    said, revision = said_of(request.POST), revision_of(request.POST)
    try:
        if action == "later":
            saved = responding.response_save(response=response, said=said, revision=revision)
            return _go_on(request, project, leaving=saved)
        if action not in SENT:
            raise Http404("There is no such action.")
        service, word = SENT[action]
        service(response=response, said=said, revision=revision)
    except PairError as error:
        return _refused(request, project, pk, error)
    messages.success(request, word)
    return _go_on(request, project)


def _refused(request: HttpRequest, project: Project, pk: object, error: PairError) -> HttpResponse:
    """The page as things stand now, with what was typed. Sent again, it is compared with what the person sees from here on."""
    response = _response(request, project, pk)
    typed = request.POST.copy()
    typed["revision"] = str(response.revision)
    form = ResponseForm(typed, tags=selectors.tags_of(project))
    form.is_valid()
    show_error(form, error)
    return _page(request, project, response, form, status=422)


@require_POST
def annotate_undo(request: HttpRequest, slug: str, pk: object) -> HttpResponse:
    """Take back what one sent or skipped, and open it."""
    project = project_for(request.user, slug, can="annotate")
    response = _response(request, project, pk)
    try:
        responding.response_undo(response=response)
    except PairError as error:
        messages.warning(request, str(error))
    return Narrowed.of(request, project).redirect("curation:annotate_pair", slug, pk)


def _go_on(request: HttpRequest, project: Project, leaving: Response | None = None) -> HttpResponse:
    narrowed = Narrowed.of(request, project)
    following = collecting.response_next(project=project, by=request.user, leaving=leaving, within=narrowed.pairs)
    if following is not None:
        return narrowed.redirect("curation:annotate_pair", project.slug, following.pair_id)
    messages.success(request, "Nothing that matches is left for you." if narrowed.query else "Nothing is left in your queue.")
    return redirect("curation:annotate", project.slug)
