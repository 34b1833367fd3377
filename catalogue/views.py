"""Pages of models, and of the machine they live on."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import slugify
from django.views.decorators.http import require_POST

from catalogue import compute as machine
from catalogue import downloading, packing, services
from catalogue.cards import as_markdown, card_of
from catalogue.forms import LocalModelForm
from catalogue.selectors import MODEL_KINDS, base_models, models_dir
from catalogue.tree import family_tree, model_name, size_chart
from projects.guards import admin_only, project_for
from projects.models import Project, User
from projects.pages import project_page
from runs.artifacts import artifact_path
from runs.models import Artifact


def models(request: HttpRequest, slug: str) -> HttpResponse:
    """The project's models as a family tree."""
    project = project_for(request.user, slug)
    nodes = family_tree(project)
    return project_page(request, "catalogue/models.html", project, "models", {"nodes": nodes, "chart": size_chart(nodes)})


def _model(project: Project, artifact_id: object) -> Artifact:
    made = Artifact.objects.filter(kind__in=MODEL_KINDS, ready=True).select_related("produced_by")
    return get_object_or_404(made, project=project, pk=artifact_id)


def model(request: HttpRequest, slug: str, artifact_id: object) -> HttpResponse:
    """The model card."""
    project = project_for(request.user, slug)
    return project_page(request, "catalogue/model.html", project, "models", {"card": card_of(_model(project, artifact_id))})


def card_file(request: HttpRequest, slug: str, artifact_id: object) -> HttpResponse:
    """The card as Markdown, to go with the model."""
    card = card_of(_model(project_for(request.user, slug), artifact_id))
    response = HttpResponse(as_markdown(card), content_type="text/markdown; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{slugify(card.name) or "model"}.md"'
    return response


def download(request: HttpRequest, slug: str, artifact_id: object) -> HttpResponseBase:
    """The GGUF file as it is, any other model as a zip of its folder. Taking a model out of the studio is for who may
    build.
    """
    artifact = _model(project_for(request.user, slug, can="build"), artifact_id)
    try:
        files = packing.listed_files(artifact_path(artifact))
    except packing.PackingError as error:
        raise Http404(str(error)) from error
    services.model_download_note(artifact=artifact, by=_person(request))
    name = slugify(model_name(artifact)) or "model"
    single = next((path for _, path in files if path.suffix == ".gguf"), None)
    if artifact.kind == "gguf-model" and single:
        response = StreamingHttpResponse(packing.streamed(lambda: packing.file_blocks(single)), content_type="application/octet-stream")
        response["Content-Length"] = str(single.stat().st_size)
        name += ".gguf"
    else:
        response = StreamingHttpResponse(packing.streamed(lambda: packing.zip_blocks(files)), content_type="application/zip")
        name += ".zip"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


# --- the machine ---


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # the middleware lets nobody else in
    return request.user


def compute(request: HttpRequest) -> HttpResponse:
    """This machine, its queue, and the base models on it. Everybody signed in sees it; administrators act on it."""
    return _compute_page(request, LocalModelForm())


def _compute_page(request: HttpRequest, form: LocalModelForm, status: int = 200) -> HttpResponse:
    user = _person(request)
    context: dict[str, Any] = {
        "machine": machine.machine(),
        "queues": machine.queue_counts(),
        "live": machine.live_runs(user),
        "base_models": base_models(),
        "instance_runs": machine.instance_runs(),
        "hub_refusal": downloading.hub_refusal(),
        "models_dir": models_dir(),
        "form": form,
    }
    if user.is_superuser:
        context |= {"versions": machine.versions(), "stages": machine.stages()}
    return render(request, "catalogue/compute.html", context, status=status)


def compute_workers(request: HttpRequest) -> HttpResponse:
    """Who answers now. A fragment of its own, for asking takes half a second."""
    found = machine.workers()
    queues = {queue for worker in found for queue in worker["queues"]}
    context = {
        "workers": found,
        "lacking": sorted({"default", "gpu"} - queues),
        "inference": machine.inference_answers(),
    }
    return render(request, "catalogue/_workers.html", context)


@require_POST
def base_model_import(request: HttpRequest, key: str) -> HttpResponse:
    admin_only(request.user)
    try:
        made = services.base_model_ensure(key=key, by=_person(request))
    except services.CatalogueError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "It is on this machine already" if isinstance(made, Artifact) else f"{made.title}: started")
    return redirect("compute")


@require_POST
def base_model_download(request: HttpRequest, key: str) -> HttpResponse:
    admin_only(request.user)
    try:
        downloading.base_model_download(key=key, by=_person(request))
        messages.success(request, "Downloading. It goes on if you close this page.")
    except services.CatalogueError as error:
        messages.error(request, str(error))
    return redirect("compute")


@require_POST
def local_model_add(request: HttpRequest) -> HttpResponse:
    admin_only(request.user)
    form = LocalModelForm(request.POST)
    if form.is_valid():
        try:
            row = services.local_model_add(by=_person(request), **form.cleaned_data)
        except services.CatalogueError as error:
            form.add_error("path", str(error))
        else:
            messages.success(request, f"{row.name} was added")
            return redirect("compute")
    return _compute_page(request, form, status=422)
