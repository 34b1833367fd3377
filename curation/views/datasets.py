"""Dataset versions: the list with the form that cuts one, the page of one, its files."""

from collections.abc import Callable, Mapping

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from catalogue.packing import file_blocks
from catalogue.services import CatalogueError
from curation import datacard, services
from curation.filters import FilterError
from curation.forms_cutting import CutForm
from curation.gate import may_override
from curation.models import Chore, DatasetVersion
from curation.selectors import datasets as selectors
from curation.selectors.chores import chores_shown
from curation.selectors.pairs import pair_counts
from curation.services import chores, dataset_files
from curation.services.cutting_chore import cut_typed
from curation.services.exporting import EXPORTS, ExportFile
from curation.services.rehearsing import TAG
from curation.splitting import SPLITS
from curation.views.shared import download
from projects.guards import project_for
from projects.models import Project, User
from projects.pages import project_page
from runs.artifacts import artifact_path
from runs.services import RunError


def dataset_list(request: HttpRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug)
    return _dataset_page(request, project)


def _cut_form(request: HttpRequest, project: Project) -> CutForm:
    """Filled with what was posted, with the choice of pairs in the address, or with what was entered for a version that came to nothing."""
    assert isinstance(request.user, User)  # the guard lets nobody else in
    data: Mapping[str, str] | None = request.POST if request.method == "POST" else None
    typed = cut_typed(project, request.user) if data is None and request.GET.get("again") else None
    initial = {name: request.GET.get(name, "") for name in ("f", "saved_filter")}
    owner = may_override(project, request.user)
    form = CutForm(typed[0] if typed else data, initial=initial, project=project, user=request.user, may_override=owner)
    if typed:
        form.add_error(None, typed[1])
    return form


def _dataset_page(request: HttpRequest, project: Project, form: CutForm | None = None, status: int = 200) -> HttpResponse:
    form = form or _cut_form(request, project)
    context = {
        "versions": selectors.dataset_versions(project),
        "form": form,
        "gate": form.gate,
        "filter_words": selectors.filter_words_of(project, form["f"].value() or ""),
        "counts": pair_counts(project),
        "chores": chores_shown(project, request.user),
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
    assert isinstance(request.user, User)  # the guard lets nobody else in
    if form.is_valid():
        try:
            made = services.dataset_version_begin(project=project, by=request.user, cut=form.cut, typed=form.typed)
            if isinstance(made, Chore):  # told of above the versions
                return redirect("curation:datasets", slug)
            messages.success(request, f"{made} is cut.")
            return redirect(made)
        except services.DatasetError as error:
            form.add_error(error.field if error.field in form.fields else None, str(error))
        except FilterError as error:
            form.add_error("saved_filter", str(error))
    return _dataset_page(request, project, form, status=422)


@require_POST
def dataset_rehearsal(request: HttpRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, can="build")
    assert isinstance(request.user, User)  # the guard lets nobody else in
    try:
        run = services.rehearsal_write(project=project, by=request.user, base_key=request.POST.get("rehearsal_model", ""))
    except (CatalogueError, RunError) as error:
        messages.error(request, str(error))
        return redirect("curation:datasets", slug)
    messages.success(request, f"When this is done, its pairs are offered as general data, with the tag “{TAG}”.")
    return redirect(run)


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
        "at_once": chores.AT_ONCE,
        "zipped_first": sum(version.counts.values()) > chores.AT_ONCE,
        "chores": chores_shown(project, request.user),  # type: ignore[arg-type]
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
    return download(lambda: file_blocks(path), name, "application/jsonl", path.stat().st_size)


def dataset_export(request: HttpRequest, slug: str, number: int, split: str, key: str) -> HttpResponseBase:
    """One split in another format. Where it is large, POST has a worker write it, and its page tells when it is there."""
    project = project_for(request.user, slug)
    version = _version(project, number)
    if split not in SPLITS or key not in EXPORTS:
        raise Http404("There is no such file.")
    assert isinstance(request.user, User)  # the guard lets nobody else in
    if version.counts[split] <= chores.AT_ONCE:
        asked = {"split": split, "format": EXPORTS[key], "by": request.user}
        return _written(request, version, lambda: dataset_files.split_export(version=version, **asked))
    if request.method == "POST":
        services.split_export_begin(version=version, split=split, by=request.user, format=EXPORTS[key])
    else:
        messages.info(request, "So large a file is written first. Choose its format under Download; it is offered here when it is ready.")
    return redirect(version)


def dataset_zip(request: HttpRequest, slug: str, number: int) -> HttpResponseBase:
    """The whole version, with its data card. Where it is large, POST has a worker pack it, and its page tells when it is there."""
    project = project_for(request.user, slug)
    version = _version(project, number)
    assert isinstance(request.user, User)  # the guard lets nobody else in
    by = request.user
    if sum(version.counts.values()) <= chores.AT_ONCE:
        return _written(request, version, lambda: dataset_files.version_zip(version=version, by=by))
    if request.method == "POST":
        services.version_zip_begin(version=version, by=by)
    else:
        messages.info(request, "So large a version is packed first. Choose it under Download; it is offered here when it is ready.")
    return redirect(version)


def _written(request: HttpRequest, version: DatasetVersion, write: Callable[[], ExportFile]) -> HttpResponseBase:
    """What ``write`` makes of ``version``, to be downloaded; or its page, which says why there is nothing."""
    try:
        made = write()
    except services.DatasetError as error:
        messages.error(request, str(error))
        return redirect(version)
    return download(made.blocks, made.name, made.media_type, made.size)


def dataset_card(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """The data card as Markdown."""
    project = project_for(request.user, slug)
    version = _version(project, number)
    headers = {"Content-Disposition": f'attachment; filename="{project.slug}-{version.name}-card.md"'}
    return HttpResponse(dataset_files.markdown_of(version), content_type="text/markdown; charset=utf-8", headers=headers)
