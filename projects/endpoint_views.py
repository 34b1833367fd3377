"""Pages of endpoints: other servers whose models a project may ask."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from projects import endpoints
from projects.forms import EndpointForm
from projects.guards import project_for
from projects.models import Endpoint, Project
from projects.pages import project_page


@require_http_methods(["GET", "POST"])
def endpoint_list(request: HttpRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, can="own")
    form = EndpointForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = endpoints.endpoint_create(project=project, by=request.user, **form.cleaned_data)
            messages.success(request, f"{made.name} can be asked now")
            return redirect("projects:endpoints", slug)
        except endpoints.EndpointError as error:
            _show(form, error)
    return _page(request, project, form)


@require_http_methods(["GET", "POST"])
def endpoint_edit(request: HttpRequest, slug: str, pk: str) -> HttpResponse:
    project = project_for(request.user, slug, can="own")
    endpoint = get_object_or_404(Endpoint, project=project, pk=pk)
    form = EndpointForm(request.POST or None, instance=endpoint)
    if request.method == "POST" and form.is_valid():
        try:
            endpoints.endpoint_update(endpoint=endpoint, by=request.user, **form.cleaned_data)
            messages.success(request, "Endpoint saved")
            return redirect("projects:endpoints", slug)
        except endpoints.EndpointError as error:
            _show(form, error)
    return _page(request, project, form, edited=endpoint)


@require_POST
def endpoint_delete(request: HttpRequest, slug: str, pk: str) -> HttpResponse:
    project = project_for(request.user, slug, can="own")
    endpoint = get_object_or_404(Endpoint, project=project, pk=pk)
    endpoints.endpoint_delete(endpoint=endpoint, by=request.user)
    messages.success(request, f"{endpoint.name} was removed")
    return redirect("projects:endpoints", slug)


def _show(form: EndpointForm, error: endpoints.EndpointError) -> None:
    for field, text in error.fields.items():
        form.add_error(field, text)
    if not error.fields:
        form.add_error(None, str(error))


def _page(request: HttpRequest, project: Project, form: EndpointForm, edited: Endpoint | None = None) -> HttpResponse:
    context: dict[str, Any] = {
        "form": form,
        "edited": edited,
        "endpoints": project.endpoints.all(),
        "cancel_url": reverse("projects:endpoints", args=[project.slug]) if edited else "",
    }
    return project_page(request, "projects/endpoints.html", project, "settings", context, status=422 if form.errors else 200)
