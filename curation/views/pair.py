"""One pair: writing, reading, editing, deciding."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from curation import services
from curation.forms import PairForm, ReviewForm
from curation.forms_collecting import CommentForm
from curation.forms_facts import FactsForm
from curation.models import Origin, Pair, PairStatus
from curation.passages import passages_of
from curation.selectors import collecting
from curation.selectors import pairs as selectors
from curation.selectors.history import history_lines
from curation.selectors.pairs import Query, preference_and_variants
from curation.services.commenting import comment_create, mentions_read
from curation.services.reviewing import change_undo
from curation.views.shared import show_error, with_query
from projects.guards import project_for
from projects.models import Project
from projects.pages import project_page
from projects.registries import provided
from projects.roles import may

DECISIONS = {
    "approve": (PairStatus.APPROVED, "Approved"),
    "reject": (PairStatus.REJECTED, "Rejected"),
    "changes": (PairStatus.CHANGES, "Sent back for changes"),
    "reopen": (PairStatus.PENDING, "Back to review"),
}
COMMENTED_FROM = {"responses": ("curation:responses", "review"), "annotate": ("curation:annotate_pair", "annotate")}


@require_http_methods(["GET", "POST"])
def pair_new(request: HttpRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, can="annotate")
    form = PairForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            services.pair_create(project=project, by=request.user, **form.cleaned_data)
            messages.success(request, "Written. A reviewer decides on it next.")
            return redirect("curation:pair_new" if "again" in request.POST else "curation:pairs", slug)
        except services.PairError as error:
            show_error(form, error)
    context = {"form": form}
    return project_page(request, "curation/pair_new.html", project, "pairs", context, status=422 if form.errors else 200)


def _pair(project: Project, pk: object) -> Pair:
    return get_object_or_404(
        Pair.objects.select_related("project", "created_by", "decided_by", "artifact", "parent"),
        project__slug=project.slug,
        pk=pk,
    )


def pair_detail(request: HttpRequest, slug: str, pk: object) -> HttpResponse:
    project = project_for(request.user, slug)
    pair = _pair(project, pk)
    mentions_read(pair=pair, by=request.user)  # type: ignore[arg-type]
    return _pair_page(request, project, pair, ReviewForm.of(pair))


def _pair_page(
    request: HttpRequest,
    project: Project,
    pair: Pair,
    form: ReviewForm,
    status: int = 200,
    comment_form: CommentForm | None = None,
    refused: services.PairError | None = None,
) -> HttpResponse:
    query = Query.from_get(request.GET)
    following, passages = selectors.next_to_review(project, query, after=pair), passages_of(pair)
    context = {
        "pair": pair,
        "form": form,
        "passages": passages,
        "erased": any(not passage.evidence for passage in passages),
        "facts": FactsForm.shown(request.POST, pair, refused),
        **preference_and_variants(pair),
        "came_from": _came_from(request, project, pair),
        "history": history_lines(pair),
        "comments": collecting.comments_on(pair),
        "comment_form": comment_form or CommentForm(),
        "members": [str(member) for member in collecting.members_of(project)],
        "at_it": collecting.people_at(pair, but=request.user),  # type: ignore[arg-type]
        "mine": pair.responses.filter(user=request.user).first(),
        "collects": pair.status in collecting.OPEN and pair.responses_left > 0,
        "next": following if following and following.pk != pair.pk else None,
        "left": selectors.place_in_review(project, query),
        "query": request.GET.urlencode(),
    }
    return project_page(request, "curation/pair.html", project, "pairs", context, status=status)


def _came_from(request: HttpRequest, project: Project, pair: Pair) -> list[dict[str, str]]:
    """Titles and addresses of what the pair was made of on a higher floor, as far as this person may see it."""
    if pair.origin != Origin.FEEDBACK:
        return []
    return [place for place in provided("pair_came_from", project, request.user, pair.pk) if place]


@require_POST
def pair_edit(request: HttpRequest, slug: str, pk: object) -> HttpResponse:
    project = project_for(request.user, slug, can="annotate")
    pair, form = _pair(project, pk), ReviewForm(request.POST)
    refused: services.PairError | None = None
    if form.is_valid():
        try:
            _as_seen(pair, form)
            words = {name: form.cleaned_data[name] for name in ("question", "answer", "system")}
            words |= FactsForm.sent(request.POST, pair)
            services.pair_edit(pair=pair, by=request.user, reviewer=may(project.role, "review"), **words)  # type: ignore[attr-defined]
            messages.success(request, "Saved")
            return redirect(with_query(pair.get_absolute_url(), request))
        except services.PairError as error:
            refused = error
            pair, form = _refused(project, pair, form, error)
    return _pair_page(request, project, pair, form, status=422, refused=refused)


@require_POST
def pair_decide(request: HttpRequest, slug: str, pk: object) -> HttpResponse:
    """Approve, reject or send back what is on the form, then go on to the next."""
    project = project_for(request.user, slug, can="review")
    pair, form = _pair(project, pk), ReviewForm(request.POST)
    refused: services.PairError | None = None
    if request.POST.get("action") not in DECISIONS:
        raise Http404("There is no such decision.")
    decision, word = DECISIONS[request.POST["action"]]
    if form.is_valid():
        try:
            _as_seen(pair, form)
            words = {name: form.cleaned_data[name] for name in ("question", "answer", "system", "note")}
            words |= FactsForm.sent(request.POST, pair)
            services.pair_review(pair=pair, by=request.user, decision=decision, **words)
        except services.PairError as error:
            refused = error
            pair, form = _refused(project, pair, form, error)
        else:
            return _go_on(request, project, pair, decision, word)
    return _pair_page(request, project, pair, form, status=422, refused=refused)


def _as_seen(pair: Pair, form: ReviewForm) -> None:
    """The services compare with what the person saw, not with what stands there now."""
    pair.revision, pair.status = form.cleaned_data["revision"], form.cleaned_data["status"]


def _refused(project: Project, pair: Pair, form: ReviewForm, error: services.PairError) -> tuple[Pair, ReviewForm]:
    """The pair as it stands now, and what was typed: sent again, it is compared with what the person sees from here on."""
    pair, typed = _pair(project, pair.pk), form.data.copy()
    typed["revision"], typed["status"] = str(pair.revision), pair.status
    form = ReviewForm(typed)
    show_error(form, error)
    return pair, form


def _go_on(request: HttpRequest, project: Project, pair: Pair, decision: PairStatus, word: str) -> HttpResponse:
    query = Query.from_get(request.GET)
    undo = f"undo:{reverse('curation:pair_undo', args=[project.slug, pair.pk])}" if decision != PairStatus.PENDING else ""
    following = selectors.next_to_review(project, query, after=pair) if decision != PairStatus.PENDING else pair
    if following:
        messages.success(request, word, extra_tags=undo)
        return redirect(with_query(following.get_absolute_url(), request))
    messages.success(request, f"{word}. Nothing else waits for review.", extra_tags=undo)
    return redirect("curation:pairs", project.slug)


@require_POST
def pair_undo(request: HttpRequest, slug: str, pk: object) -> HttpResponse:
    """Take a change back: the one that is named, or from a toast the last one, if it is this person's."""
    project = project_for(request.user, slug, can="review")
    pair = _pair(project, pk)
    named = request.POST.get("change", "")
    change = pair.changes.filter(pk=named).first() if named.isdecimal() else pair.changes.first()
    try:
        if change is None or (not named and change.by != request.user):
            raise services.PairChanged
        change_undo(change=change, by=request.user)  # type: ignore[arg-type]
    except services.PairError as error:
        if named:
            messages.warning(request, str(error))
            return redirect(pair)
        return HttpResponse("Somebody else decided meanwhile.", status=409, content_type="text/plain")
    messages.success(request, "Taken back")
    return redirect(pair)


@require_POST
def pair_comment(request: HttpRequest, slug: str, pk: object) -> HttpResponse:
    """Say something about a pair, then back to the page it was said on."""
    project = project_for(request.user, slug, can="annotate")
    pair, form = _pair(project, pk), CommentForm(request.POST)
    if form.is_valid():
        comment_create(pair=pair, by=request.user, text=form.cleaned_data["text"])  # type: ignore[arg-type]
        name, can = COMMENTED_FROM.get(request.POST.get("from", ""), ("curation:pair", "view"))
        name = name if may(project.role, can) else "curation:pair"  # type: ignore[attr-defined]
        return redirect(f"{with_query(reverse(name, args=[slug, pair.pk]), request)}#comments")
    return _pair_page(request, project, pair, ReviewForm.of(pair), status=422, comment_form=form)


def pairs_review(request: HttpRequest, slug: str) -> HttpResponse:
    """Straight to the first pair that waits, of those that match."""
    project = project_for(request.user, slug, can="review")
    first = selectors.next_to_review(project, Query.from_get(request.GET))
    if first is None:
        messages.success(request, "Nothing waits for review.")
        return redirect("curation:pairs", slug)
    return redirect(with_query(reverse("curation:pair", args=[slug, first.pk]), request))
