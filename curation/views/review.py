"""Reviewing what several people said of a pair: the list, and their responses side by side."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from curation import services
from curation.agreement import differing
from curation.forms import ReviewForm
from curation.forms_collecting import CommentForm
from curation.messages import words_of
from curation.models import Pair, PairStatus, Response
from curation.passages import passages_of
from curation.responses import sides_of
from curation.selectors import collecting as selectors
from curation.selectors.history import history_lines
from curation.services import reviewing
from curation.services.commenting import mentions_read
from curation.views.shared import pairs_tabs, show_error
from projects.guards import project_for
from projects.models import Project
from projects.pages import project_page

DECIDED = {
    "approve": (PairStatus.APPROVED, "Approved"),
    "reject": (PairStatus.REJECTED, "Rejected"),
    "changes": (PairStatus.CHANGES, "Sent back"),
}


def review_list(request: HttpRequest, slug: str) -> HttpResponse:
    """Pairs whose responses are complete, agreed or disputed, and those being collected."""
    project = project_for(request.user, slug, can="review")
    which = _which(request)
    pairs = selectors.pairs_in_review(project, which).prefetch_related("responses__user", "claims__user")
    context = {
        "tabs": pairs_tabs(project, request.user, "collected"),
        "which": which,
        "views": [
            {"name": name, "title": title, "count": selectors.pairs_in_review(project, name).count()}
            for name, title in selectors.REVIEW.items()
        ],
        "page": Paginator(pairs, 25).get_page(request.GET.get("page")),
        "overlap": selectors.collection_of(project).overlap,
    }
    return project_page(request, "curation/review.html", project, "pairs", context)


def _which(request: HttpRequest) -> str:
    which = request.GET.get("which", "ready")
    return which if which in selectors.REVIEW else "ready"


@require_POST
def approve_agreed(request: HttpRequest, slug: str) -> HttpResponse:
    """Decide what everybody agreed on."""
    project = project_for(request.user, slug, can="review")
    approved, rejected = reviewing.pairs_approve_agreed(project=project, by=request.user)
    messages.success(
        request, f"{approved:,} approved, {rejected:,} rejected." if approved or rejected else "There is nothing that all agree on."
    )
    return redirect("curation:collected", slug)


@require_http_methods(["GET", "POST"])
def pair_responses(request: HttpRequest, slug: str, pk: object) -> HttpResponse:
    """The responses to a pair side by side: take one, edit and approve, send back, reject."""
    project = project_for(request.user, slug, can="review")
    pair = _pair(project, pk)
    mentions_read(pair=pair, by=request.user)
    if request.method == "POST":
        return _decide(request, project, pair)
    responses = selectors.responses_to(pair)
    chosen = next((one for one in responses if str(one.pk) == request.GET.get("edit")), responses[0] if responses else None)
    return _page(request, project, pair, _form(pair, chosen), chosen)


def _pair(project: Project, pk: object) -> Pair:
    pairs = Pair.objects.select_related("project", "artifact", "created_by", "decided_by").prefetch_related("tags")
    return get_object_or_404(pairs, project__slug=project.slug, pk=pk)


def _form(pair: Pair, chosen: Response | None) -> ReviewForm:
    form = ReviewForm.of(pair)
    if chosen is not None:
        form.initial |= words_of(chosen.messages)._asdict()
    return form


def _page(request: HttpRequest, project: Project, pair: Pair, form: ReviewForm, chosen: Response | None, status: int = 200) -> HttpResponse:
    which, responses = _which(request), selectors.responses_to(pair)
    context: dict[str, Any] = {
        "pair": pair,
        "form": form,
        "chosen": chosen,
        "sides": sides_of(pair, responses, selectors.tags_of(project)),
        "differ": differing(responses),
        "passages": passages_of(pair),
        "history": history_lines(pair),
        "comments": selectors.comments_on(pair),
        "comment_form": CommentForm(),
        "members": [str(member) for member in selectors.members_of(project)],
        "at_it": selectors.people_at(pair),
        "next": selectors.next_in_review(project, which, pair),
        "left": selectors.pairs_in_review(project, which).count(),
        "which": which,
    }
    return project_page(request, "curation/adjudicate.html", project, "pairs", context, status=status)


def _decide(request: HttpRequest, project: Project, pair: Pair) -> HttpResponse:
    form, action = ReviewForm(request.POST), request.POST.get("action", "")
    chosen = _chosen(request, pair, "take" if "take" in request.POST else "response")
    if "take" not in request.POST and action not in DECIDED:
        raise Http404("There is no such decision.")
    if not form.is_valid():
        return _page(request, project, pair, form, chosen, status=422)
    seen = form.cleaned_data
    pair.revision, pair.status = seen["revision"], seen["status"]  # compared with what the person saw
    words = {name: seen[name] for name in ("question", "answer", "system", "note")}
    try:
        if "take" in request.POST and chosen:
            reviewing.pair_adjudicate(pair=pair, by=request.user, response=chosen, note=seen["note"])
            word = f"Approved as {chosen.user} has it"
        elif action == "approve" and chosen:
            said = (seen["question"], seen["answer"], seen["system"])
            reviewing.pair_adjudicate(pair=pair, by=request.user, response=chosen, words=said, note=seen["note"])
            word = "Approved"
        elif action in DECIDED:
            decision, word = DECIDED[action]
            if decision != PairStatus.APPROVED:  # what does not stand is decided as it is, not rewritten on the way
                now = Pair.objects.get(pk=pair.pk)
                words |= words_of(now.messages)._asdict()
            services.pair_review(pair=pair, by=request.user, decision=decision, **words)
        else:
            raise services.PairError("That response is no longer there. Below is how things stand now.")
    except services.PairError as error:
        return _refused(request, project, pair, form, error)
    return _go_on(request, project, pair, word)


def _chosen(request: HttpRequest, pair: Pair, name: str) -> Response | None:
    """The response that was meant, at the revision the person saw."""
    key, _, revision = request.POST.get(name, "").partition(":")
    found = next((one for one in Response.objects.filter(pair=pair).select_related("user") if str(one.pk) == key), None)
    if found and revision.isdecimal():
        found.revision = int(revision)
    return found


def _refused(request: HttpRequest, project: Project, pair: Pair, form: ReviewForm, error: services.PairError) -> HttpResponse:
    """The page as things stand now, with what was typed: sent again, it is compared with what the person sees from here on."""
    pair, typed = _pair(project, pair.pk), form.data.copy()
    typed["revision"], typed["status"] = str(pair.revision), pair.status
    form = ReviewForm(typed)
    show_error(form, error)
    chosen = _chosen(request, pair, "response")
    if chosen:
        chosen.refresh_from_db()
    return _page(request, project, pair, form, chosen, status=422)


def _go_on(request: HttpRequest, project: Project, pair: Pair, word: str) -> HttpResponse:
    which = _which(request)
    undo = f"undo:{reverse('curation:pair_undo', args=[project.slug, pair.pk])}"
    following = selectors.next_in_review(project, which, pair)
    if following is None:
        messages.success(request, f"{word}. Nothing else is there to decide.", extra_tags=undo)
        return redirect("curation:collected", project.slug)
    messages.success(request, word, extra_tags=undo)
    return redirect(f"{reverse('curation:responses', args=[project.slug, following.pk])}?which={which}")
