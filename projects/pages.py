"""How a view of a project renders: the page with its rail, or the fragment that htmx asked for."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import SimpleLazyObject

from projects.context import rail
from projects.models import Project
from projects.roles import CAPABILITIES, may


def project_page(
    request: HttpRequest, template: str, project: Project, tab: str, context: dict[str, Any] | None = None, *, status: int = 200
) -> HttpResponse:
    """Render ``template`` (extends project.html) with the rail of ``project``, ``tab`` being current.

    ``can`` in the context maps every capability to whether this person has it. The rail costs nothing where it is not drawn.
    """
    role = project.role  # type: ignore[attr-defined] (set by the guard)
    shell = {
        "project": project,
        "tab": tab,
        "can": {capability: may(role, capability) for capability in CAPABILITIES},
        "rail": SimpleLazyObject(lambda: rail(project, role, tab)),
    }
    return render(request, template, {**shell, **(context or {})}, status=status)
