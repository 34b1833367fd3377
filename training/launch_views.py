"""The page that starts a training, and the parts of it that change with what is chosen."""

import json
import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from engine import registry
from projects.guards import project_for
from projects.models import Project, User
from projects.pages import project_page
from runs.forms import params_form, params_from
from runs.models import Artifact, Run
from training import methods
from training.before import before
from training.forms import LaunchForm, can_be_first
from training.launch_forms import AFTER, LaunchForms, carried
from training.models import Sweep
from training.offer import offer
from training.peeking import batch_of
from training.plan import plan_defaults
from training.selectors import pipeline_runs
from training.services import PipelineError, pipeline_launch
from training.sweep_forms import SweepForm
from training.sweeping import sweep_start


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # the guard lets nobody else in
    return request.user


def _forms(project: Project, data: QueryDict | None = None, *, asked: QueryDict | None = None) -> LaunchForms:
    """Bound to ``data``; without, begun with what ``asked`` names (the query of a link, or what a page holds whose method changes), else
    with the project's plan, else with what is usual.
    """
    plan = plan_defaults(project)
    chosen = data or asked or QueryDict()
    offered = {key: one for key, one in methods.methods().items() if can_be_first(one)}
    method = offered.get(chosen.get("by_method") or next(iter(plan.methods), "")) or offered[methods.DEFAULT]
    preset = chosen.get("preset") or plan.preset or methods.DEFAULT_PRESET
    if preset not in method.presets and method.presets:
        preset = methods.DEFAULT_PRESET
    initial: dict[str, Any] = {"by_method": method.key, "base_key": plan.base_key, "preset": preset}
    if plan.stages:
        follow = [key for key in plan.methods if key != method.key]
        initial |= {"evaluate": "evaluate" in plan.stages, "quantize": "quantize" in plan.stages}
        initial |= zip(("then", "then_2"), follow, strict=False)
    names = ("base_key", "dataset", "adapter", "teacher", "reward", "writer", "then", "then_2")
    initial |= {name: chosen[name] for name in names if name in chosen}
    initial |= {name: name in chosen for name in chosen.getlist("had")}  # a box that was there and is empty was emptied
    launch = LaunchForm(data, offer=offer(project, method, str(initial["base_key"])), method=method, initial=initial)
    begun = {one.key: one.presets.get(preset, {}) | plan.params.get(one.key, {}) for one in launch.chain()}
    begun |= {key: dict(plan.params.get(key, {})) | _typed(key, chosen) for key in AFTER}
    if data is None and (shown := methods.methods().get(chosen.get("shown", ""))):
        begun[method.key] |= carried(shown, method, preset, chosen)
    varied = {name: chosen[name] for name in SweepForm.base_fields if name in chosen}
    return LaunchForms(launch, data, initial=begun, sweep=varied)


def _typed(stage: str, data: QueryDict) -> dict[str, Any]:
    """What stands in the fields of a stage that comes afterwards, as far as it is valid."""
    if not any(name.startswith(f"{stage}-") for name in data):
        return {}
    form = params_form(registry.get(stage), data, prefix=stage)
    form.is_valid()
    return params_from(form)


def _shown(forms: LaunchForms) -> dict[str, Any]:
    """What the part of the page shows that belongs to the method."""
    main = forms.launch.main
    fields = forms.settings.fields.items()
    usual = main.info.schema().get("properties", {})
    return {
        "form": forms.launch,
        "method": main,
        "settings": forms.settings,
        "sweep": forms.sweep,
        "stages": forms.stages,
        "presets": {key: {main.key: params} for key, params in main.presets.items()},
        "defaults": {f"{main.key}-{name}": usual.get(name, {}).get("default") for name, _ in fields},
    }


def _launched(project: Project, by: User, forms: LaunchForms, posted: QueryDict) -> Run | Sweep:
    """The run of the main method, or the sweep. Raises ``PipelineError``."""
    data = forms.launch.cleaned_data
    asked: dict[str, Any] = {
        "project": project,
        "by": by,
        "base_key": data["base_key"],
        "dataset": forms.launch.datasets.get(data.get("dataset", "")),
        "steps": forms.steps(),
        "name": data["name"],
        "seed": data["seed"] or 0,
        "teacher": Artifact.objects.get(pk=data["teacher"]) if data.get("teacher") else None,
        "adapter": forms.launch.adapters.get(data.get("adapter", "")),
        "reward": forms.launch.rewards.get(data.get("reward", "")),
        "writer": data.get("writer", ""),
    }
    if data["priority"] is not None:
        asked["priority"] = data["priority"]
    if forms.sweep is None or not forms.sweeps:
        pipeline = pipeline_launch(**asked)
        return next(run for run in pipeline_runs(pipeline) if run.stage == forms.launch.main.key)
    return sweep_start(key=_key(project, by, forms.sweep, posted), varied=forms.sweep.settings_varied(), **asked)


def _key(project: Project, by: User, sweep: SweepForm, posted: QueryDict) -> uuid.UUID:
    """The same for every press of one page that asks for the same, so that a double press starts one sweep."""
    said = {name: values for name, values in posted.lists() if name != "csrfmiddlewaretoken"}
    page = sweep.cleaned_data.get("page") or uuid.uuid4()
    return uuid.uuid5(page, json.dumps([str(project.pk), str(by.pk), said], sort_keys=True))


@require_http_methods(["GET", "POST"])
def start(request: HttpRequest, slug: str) -> HttpResponse:
    """Start training: the form, what is found before it starts, and the launch."""
    project = project_for(request.user, slug, can="build")
    forms = _forms(project, request.POST) if request.method == "POST" else _forms(project, asked=request.GET)
    found = before(forms)
    if request.method == "POST" and forms.is_valid() and not found.get("stopped"):
        try:
            return redirect(_launched(project, _person(request), forms, request.POST))
        except PipelineError as error:
            forms.add_errors(error.fields)
            if not error.fields:
                forms.launch.add_error(None, str(error))
    cards = forms.launch.cards()
    groups = [(group, [one for one in cards if one.group == key]) for key, group in methods.groups().items()]
    context = {**_shown(forms), **found, "groups": [(group, inside) for group, inside in groups if inside]}
    status = 422 if request.method == "POST" else 200
    return project_page(request, "training/start.html", project, "runs", context, status=status)


@require_POST
def method(request: HttpRequest, slug: str) -> HttpResponse:
    """The part of the page that belongs to the method, for what is chosen now. What was typed is kept where it still has a place."""
    project = project_for(request.user, slug, can="build")
    forms = _forms(project, asked=request.POST)
    answer = render(request, "training/_method.html", {"project": project, **_shown(forms)})
    answer["HX-Trigger-After-Settle"] = "method-shown"
    return answer


@require_POST
def preflight(request: HttpRequest, slug: str) -> HttpResponse:
    """What the page shows beside the form, for what is chosen now. Starts nothing."""
    project = project_for(request.user, slug, can="build")
    forms = _forms(project, request.POST)
    context = {"project": project, **before(forms), "sweep": forms.sweep, "beside": True}
    return render(request, "training/_preflight.html", context)


@require_POST
def batch(request: HttpRequest, slug: str) -> HttpResponse:
    """The first batch as the model sees it. Starts nothing."""
    project = project_for(request.user, slug, can="build")
    return render(request, "training/_batch.html", {"project": project, "batch": batch_of(_forms(project, request.POST))})
