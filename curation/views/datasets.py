"""Dataset versions."""

from django.contrib import messages
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from curation import services
from curation.forms import CutForm
from curation.selectors import datasets as selectors
from curation.selectors.pairs import pair_counts
from curation.splitting import SPLITS
from projects.guards import project_for
from projects.models import Project
from projects.pages import project_page
from runs.artifacts import artifact_path


def dataset_list(request: HttpRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug)
    return _dataset_page(request, project, CutForm())


def _dataset_page(request: HttpRequest, project: Project, form: CutForm, status: int = 200) -> HttpResponse:
    context = {
        "versions": selectors.dataset_versions(project),
        "form": form,
        "counts": pair_counts(project),
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
        "erased_words": selectors.erased_words(version),
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
