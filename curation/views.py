"""Pages of pairs and dataset versions."""

import csv
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from curation import selectors, services
from curation.documents import chunks_facts
from curation.forms import CutForm, PairForm, ReviewForm
from curation.models import Pair, PairStatus
from curation.passages import passages_of
from curation.selectors import Query
from curation.splitting import SPLITS
from engine import registry
from projects.guards import project_for
from projects.models import Project
from projects.pages import project_page
from projects.roles import may
from runs.artifacts import artifact_path
from runs.forms import params_form, params_from
from runs.services import RunError

DECISIONS = {
    "approve": (PairStatus.APPROVED, "Approved"),
    "reject": (PairStatus.REJECTED, "Rejected"),
    "changes": (PairStatus.CHANGES, "Sent back for changes"),
    "reopen": (PairStatus.PENDING, "Back to review"),
}
BULK = {
    "approve": (PairStatus.APPROVED, "approved"),
    "reject": (PairStatus.REJECTED, "rejected"),
    "reopen": (PairStatus.PENDING, "back in review"),
}


def pair_list(request: HttpRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug)
    query = Query.from_get(request.GET)
    pairs = selectors.pairs_of(project, query).only("question", "answer_length", "shape", "status", "document_id", "stale")
    documents = selectors.documents_with_pairs(project)
    page = Paginator(pairs, 25).get_page(request.GET.get("page"))
    names = dict(documents)
    for pair in page:
        pair.document_name = names.get(str(pair.document_id), "")
    context = {
        "page": page,
        "counts": selectors.pair_counts(project),
        "filters": [
            {"name": "status", "label": "Any status", "choices": PairStatus.choices},
            {"name": "shape", "label": "Any shape", "choices": selectors.shapes_of(project)},
            {"name": "document", "label": "Any document", "choices": documents},
            *([{"name": "problem", "label": "Any condition", "choices": list(selectors.PROBLEMS.items())}] if query.problem else []),
        ],
        "bulk": [
            {"value": "approve", "label": "Approve", "icon": "check"},
            {"value": "reject", "label": "Reject", "icon": "x", "danger": True},
            {"value": "reopen", "label": "Back to review", "icon": "undo-2"},
        ],
        "facts": chunks_facts(project),
    }
    return project_page(request, "curation/pairs.html", project, "pairs", context)


@require_POST
def pairs_bulk(request: HttpRequest, slug: str) -> HttpResponse:
    """Decide the selected pairs, or all that match the table's filters."""
    project = project_for(request.user, slug, can="review")
    if request.POST.get("action") not in BULK:
        raise Http404("There is no such action.")
    status, word = BULK[request.POST["action"]]
    if request.POST.get("all"):
        query = Query.from_get(request.GET)
        pairs, described = selectors.pairs_of(project, query), f"all that match: {query.described()}"
    else:
        ids = [pk for pk in request.POST.getlist("ids") if _is_uuid(pk)]
        pairs, described = Pair.objects.filter(project=project, pk__in=ids), f"{len(ids)} selected"
    done = services.pairs_decide_bulk(project=project, by=request.user, pairs=pairs, status=status, described=described)
    messages.success(request, f"{done:,} {'pair' if done == 1 else 'pairs'} {word}." if done else f"Every one was {word} already.")
    return redirect(f"{reverse('curation:pairs', args=[slug])}?{request.GET.urlencode()}")


def pairs_export(request: HttpRequest, slug: str) -> StreamingHttpResponse:
    """The pairs that match, as CSV."""
    project = project_for(request.user, slug)
    pairs = selectors.pairs_of(project, Query.from_get(request.GET))
    names = dict(selectors.documents_with_pairs(project))

    def lines() -> Iterator[str]:
        writer = csv.writer(_Echo())
        yield writer.writerow(["question", "answer", "shape", "status", "document", "page", "start", "end"])
        for pair in pairs.iterator(500):
            source: dict[str, Any] = pair.sources[0] if pair.sources else {}
            row = [pair.question, pair.answer, pair.shape, pair.status, names.get(str(pair.document_id), "")]
            yield writer.writerow([_harmless(str(cell)) for cell in row] + [source.get("page"), source.get("start"), source.get("end")])

    headers = {"Content-Disposition": f'attachment; filename="{project.slug}-pairs.csv"'}
    return StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8", headers=headers)


class _Echo:
    def write(self, line: str) -> str:
        return line


def _harmless(cell: str) -> str:
    """A spreadsheet must not take a cell for a formula."""
    return "'" + cell if cell[:1] in "=+-@\t\r" else cell


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


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
            _show(form, error)
    context = {"form": form}
    return project_page(request, "curation/pair_new.html", project, "pairs", context, status=422 if form.errors else 200)


def _show(form: Any, error: Any) -> None:
    for field, text in error.fields.items():
        form.add_error(field if field in form.fields else None, text)
    if not error.fields:
        form.add_error(None, str(error))


def _pair(project: Project, pk: object) -> Pair:
    return get_object_or_404(
        Pair.objects.select_related("project", "created_by", "decided_by", "artifact"),
        project__slug=project.slug,
        pk=pk,
    )


def pair_detail(request: HttpRequest, slug: str, pk: object) -> HttpResponse:
    project = project_for(request.user, slug)
    pair = _pair(project, pk)
    return _pair_page(request, project, pair, ReviewForm.of(pair))


def _pair_page(request: HttpRequest, project: Project, pair: Pair, form: ReviewForm, status: int = 200) -> HttpResponse:
    query = Query.from_get(request.GET)
    following = selectors.next_to_review(project, query, after=pair)
    context = {
        "pair": pair,
        "form": form,
        "passages": passages_of(pair),
        "history": selectors.history_of(pair),
        "next": following if following and following.pk != pair.pk else None,
        "left": selectors.place_in_review(project, query),
        "query": request.GET.urlencode(),
    }
    return project_page(request, "curation/pair.html", project, "pairs", context, status=status)


@require_POST
def pair_edit(request: HttpRequest, slug: str, pk: object) -> HttpResponse:
    project = project_for(request.user, slug, can="annotate")
    pair, form = _pair(project, pk), ReviewForm(request.POST)
    if form.is_valid():
        try:
            _as_seen(pair, form)
            words = {name: form.cleaned_data[name] for name in ("question", "answer", "system")}
            services.pair_edit(pair=pair, by=request.user, reviewer=may(project.role, "review"), **words)  # type: ignore[attr-defined]
            messages.success(request, "Saved")
            return redirect(_with_query(pair.get_absolute_url(), request))
        except services.PairError as error:
            _show(form, error)
    return _pair_page(request, project, pair, form, status=422)


@require_POST
def pair_decide(request: HttpRequest, slug: str, pk: object) -> HttpResponse:
    """Approve, reject or send back what is on the form, then go on to the next."""
    project = project_for(request.user, slug, can="review")
    pair, form = _pair(project, pk), ReviewForm(request.POST)
    if request.POST.get("action") not in DECISIONS:
        raise Http404("There is no such decision.")
    decision, word = DECISIONS[request.POST["action"]]
    if form.is_valid():
        try:
            _as_seen(pair, form)
            words = {name: form.cleaned_data[name] for name in ("question", "answer", "system", "note")}
            services.pair_review(pair=pair, by=request.user, decision=decision, **words)
        except services.PairError as error:
            _show(form, error)
        else:
            return _go_on(request, project, pair, decision, word)
    return _pair_page(request, project, pair, form, status=422)


def _as_seen(pair: Pair, form: ReviewForm) -> None:
    """The services compare with what the person saw, not with what stands there now."""
    pair.revision, pair.status = form.cleaned_data["revision"], form.cleaned_data["status"]


def _go_on(request: HttpRequest, project: Project, pair: Pair, decision: PairStatus, word: str) -> HttpResponse:
    query = Query.from_get(request.GET)
    undo = f"undo:{reverse('curation:pair_undo', args=[project.slug, pair.pk])}" if decision != PairStatus.PENDING else ""
    following = selectors.next_to_review(project, query, after=pair) if decision != PairStatus.PENDING else pair
    if following:
        messages.success(request, word, extra_tags=undo)
        return redirect(_with_query(following.get_absolute_url(), request))
    messages.success(request, f"{word}. Nothing else waits for review.", extra_tags=undo)
    return redirect("curation:pairs", project.slug)


@require_POST
def pair_undo(request: HttpRequest, slug: str, pk: object) -> HttpResponse:
    """Take a decision back, from its toast."""
    project = project_for(request.user, slug, can="review")
    pair = _pair(project, pk)
    try:
        services.pair_reopen(pair=pair, by=request.user)
    except services.PairChanged:
        return HttpResponse("Somebody else decided meanwhile.", status=409, content_type="text/plain")
    messages.success(request, "Back to review")
    return redirect(pair)


def _with_query(url: str, request: HttpRequest) -> str:
    return f"{url}?{request.GET.urlencode()}" if request.GET else url


def pairs_review(request: HttpRequest, slug: str) -> HttpResponse:
    """Straight to the first pair that waits, of those that match."""
    project = project_for(request.user, slug, can="review")
    first = selectors.next_to_review(project, Query.from_get(request.GET))
    if first is None:
        messages.success(request, "Nothing waits for review.")
        return redirect("curation:pairs", slug)
    return redirect(_with_query(reverse("curation:pair", args=[slug, first.pk]), request))


@require_http_methods(["GET", "POST"])
def pairs_generate(request: HttpRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, can="build")
    info = registry.get("extract_pairs")
    form = params_form(info, request.POST if request.method == "POST" else None, initial={"about": project.domain})
    if request.method == "POST" and form.is_valid():
        try:
            run = services.pairs_generate(project=project, by=request.user, params=params_from(form))
            return redirect(run)
        except services.PairError as error:
            form.add_error(None, str(error))
        except RunError as error:
            _show(form, error)
    facts = chunks_facts(project)
    context = {
        "form": form,
        "facts": facts,
        "preview": selectors.preview_words(facts, selectors.pair_counts(project)["all"]) if facts else "",
        "cancel_url": reverse("curation:pairs", args=[slug]),
        "missing": info.missing(),
    }
    return project_page(request, "curation/generate.html", project, "pairs", context, status=422 if form.errors else 200)


# --- dataset versions ---


def dataset_list(request: HttpRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug)
    return _dataset_page(request, project, CutForm())


def _dataset_page(request: HttpRequest, project: Project, form: CutForm, status: int = 200) -> HttpResponse:
    context = {
        "versions": selectors.dataset_versions(project),
        "form": form,
        "counts": selectors.pair_counts(project),
        "checks": selectors.checks_before_training(project),
    }
    return project_page(request, "curation/datasets.html", project, "datasets", context, status=status)


@require_POST
def dataset_cut(request: HttpRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, can="build")
    form = CutForm(request.POST)
    if form.is_valid():
        try:
            version = services.dataset_version_cut(
                project=project, by=request.user, seed=form.cleaned_data["seed"], fractions=form.fractions
            )
            messages.success(request, f"{version} is cut.")
            return redirect(version)
        except services.DatasetError as error:
            form.add_error(None, str(error))
    return _dataset_page(request, project, form, status=422)


def dataset_detail(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    project = project_for(request.user, slug)
    version = get_object_or_404(selectors.dataset_versions(project).select_related("project"), number=number)
    card, twins = version.artifact.facts, list(selectors.same_content(version))
    context = {
        "version": version,
        "card": card,
        "splits": [{"name": split, "count": version.counts[split]} for split in SPLITS],
        "stats": selectors.dataset_stats(version),
        "shapes_chart": selectors.shapes_chart(card["shapes"]),
        "twins_words": f"Its content is the same, byte for byte, as that of {', '.join(str(twin).lower() for twin in twins)}.",
        "documents": selectors.dataset_documents(version),
        "examples": selectors.examples_of(version, "train", 3),
        "twins": twins,
    }
    return project_page(request, "curation/dataset.html", project, "datasets", context)


def dataset_download(request: HttpRequest, slug: str, number: int, split: str) -> HttpResponseBase:
    """One split as JSONL."""
    project = project_for(request.user, slug)
    version = get_object_or_404(selectors.dataset_versions(project), number=number)
    path = artifact_path(version.artifact) / f"{split}.jsonl"
    if split not in SPLITS or not path.is_file():
        raise Http404("There is no such file.")
    name = f"{project.slug}-{version.name}-{split}.jsonl"
    return FileResponse(open(path, "rb"), as_attachment=True, filename=name, content_type="application/jsonl")
