"""Dataset versions: the list with the form that cuts one, the page of one, its files."""

from collections.abc import Callable, Iterator

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from catalogue.packing import file_blocks, streamed
from curation import datacard, services
from curation.filters import FilterError
from curation.forms_cutting import CutForm
from curation.gate import last_gate_seen, may_override
from curation.models import DatasetVersion
from curation.selectors import datasets as selectors
from curation.selectors.pairs import pair_counts
from curation.services import dataset_files
from curation.services.exporting import EXPORTS
from curation.splitting import SPLITS
from projects.guards import project_for
from projects.models import Project, User
from projects.pages import project_page
from runs.artifacts import artifact_path


def dataset_list(request: HttpRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug)
    return _dataset_page(request, project)


def _cut_form(request: HttpRequest, project: Project) -> CutForm:
    """Filled with what was posted, or with the filter in the address."""
    assert isinstance(request.user, User)  # the guard lets nobody else in
    data, initial = (request.POST, {}) if request.method == "POST" else (None, {"f": request.GET.get("f", "")})
    gate, owner = last_gate_seen(project), may_override(project, request.user)
    return CutForm(data, initial=initial, project=project, user=request.user, gate=gate, may_override=owner)


def _dataset_page(request: HttpRequest, project: Project, form: CutForm | None = None, status: int = 200) -> HttpResponse:
    form = form or _cut_form(request, project)
    context = {
        "versions": selectors.dataset_versions(project),
        "form": form,
        "gate": form.gate,
        "filter_words": selectors.filter_words_of(project, form["f"].value() or ""),
        "counts": pair_counts(project),
    }
    return project_page(request, "curation/datasets.html", project, "datasets", context, status=status)


def dataset_checks(request: HttpRequest, slug: str) -> HttpResponse:
    """What is said of the approved pairs before training: a fragment, for it reads them all."""
    project = project_for(request.user, slug)
    context = {"project": project, "checks": selectors.checks_before_training(project)}
    return render(request, "curation/_checks.html", context)


@require_POST
def dataset_cut(request: HttpRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, can="build")
    form = _cut_form(request, project)
    if form.is_valid():
        try:
            version = services.dataset_version_cut(project=project, by=request.user, **form.cut)
            messages.success(request, f"{version} is cut.")
            return redirect(version)
        except services.DatasetError as error:
            form.add_error(error.field if error.field in form.fields else None, str(error))
        except FilterError as error:
            form.add_error("saved_filter", str(error))
    return _dataset_page(request, project, form, status=422)


def _version(project: Project, number: int) -> DatasetVersion:
    return get_object_or_404(selectors.dataset_versions(project).select_related("project"), number=number)


def dataset_detail(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    project = project_for(request.user, slug)
    version = _version(project, number)
    card, twins = version.artifact.facts, list(selectors.same_content(version))
    context = {
        "version": version,
        "card": card,
        "splits": [{"name": split, "count": version.counts[split]} for split in SPLITS],
        "formats": EXPORTS.values(),
        "stats": selectors.dataset_stats(version),
        "shapes_chart": selectors.shapes_chart(card["shapes"]),
        "topics_chart": selectors.topics_chart(card.get("topics", {})),
        "balance_words": datacard.balance_words(card),
        "review_words": datacard.review_words(card),
        "gate_words": datacard.gate_words(version.gate),
        "twins_words": f"Its content is the same, byte for byte, as that of {', '.join(str(twin).lower() for twin in twins)}.",
        "documents": selectors.dataset_documents(version),
        "examples": selectors.examples_of(version, "train", 3),
        "twins": twins,
        "others": selectors.others_of(version),
        "erased_words": selectors.erased_words(version),
    }
    return project_page(request, "curation/dataset.html", project, "datasets", context)


def dataset_download(request: HttpRequest, slug: str, number: int, split: str) -> HttpResponseBase:
    """One split as JSONL, as it was hashed."""
    project = project_for(request.user, slug)
    version = _version(project, number)
    path = artifact_path(version.artifact) / f"{split}.jsonl"
    if split not in SPLITS or not path.is_file():
        raise Http404("There is no such file.")
    name = f"{project.slug}-{version.name}-{split}.jsonl"
    return _sent(lambda: file_blocks(path), name, "application/jsonl", path.stat().st_size)


def _sent(blocks: Callable[[], Iterator[bytes]], name: str, media_type: str, size: int) -> HttpResponseBase:
    """A download, a block at a time."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Content-Length": str(size)}
    return StreamingHttpResponse(streamed(blocks), content_type=media_type, headers=headers)


def dataset_export(request: HttpRequest, slug: str, number: int, split: str, key: str) -> HttpResponseBase:
    """One split in another format."""
    project = project_for(request.user, slug)
    version = _version(project, number)
    if split not in SPLITS or key not in EXPORTS:
        raise Http404("There is no such file.")
    assert isinstance(request.user, User)
    try:
        made = dataset_files.split_export(version=version, split=split, format=EXPORTS[key], by=request.user)
    except services.DatasetError as error:
        messages.error(request, str(error))
        return redirect(version)
    return _sent(made.blocks, made.name, made.media_type, made.size)


def dataset_zip(request: HttpRequest, slug: str, number: int) -> HttpResponseBase:
    """The whole version, with its data card."""
    project = project_for(request.user, slug)
    version = _version(project, number)
    assert isinstance(request.user, User)
    try:
        made = dataset_files.version_zip(version=version, by=request.user)
    except services.DatasetError as error:
        messages.error(request, str(error))
        return redirect(version)
    return _sent(made.blocks, made.name, made.media_type, made.size)


def dataset_card(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """The data card as Markdown."""
    project = project_for(request.user, slug)
    version = _version(project, number)
    headers = {"Content-Disposition": f'attachment; filename="{project.slug}-{version.name}-card.md"'}
    return HttpResponse(dataset_files.markdown_of(version), content_type="text/markdown; charset=utf-8", headers=headers)
