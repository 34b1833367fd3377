"""Pages that start trainings and compare them."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from catalogue.selectors import base_models
from projects.guards import project_for
from projects.models import Project, User
from projects.pages import project_page
from training import presets
from training.estimates import estimate
from training.forms import LaunchForm, LaunchForms
from training.plan import plan_defaults
from training.preflight import Finding, check
from training.selectors import FEWEST, MOST, comparable, comparison, datasets_of, pipeline_runs
from training.services import PipelineError, pipeline_launch


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # the guard lets nobody else in
    return request.user


def _forms(project: Project, data: QueryDict | None, dataset: str = "") -> LaunchForms:
    """``dataset`` is the artifact that a link from a dataset version's page asks for."""
    defaults = plan_defaults(project)
    preset = presets.presets().get(defaults.preset) or presets.presets()[presets.DEFAULT]
    initial: dict[str, Any] = {
        "base_key": defaults.base_key,
        "preset": preset.key,
        "dataset": (data and data.get("dataset")) or dataset,
    }
    if defaults.stages:
        initial |= {"evaluate": "evaluate" in defaults.stages, "quantize": "quantize" in defaults.stages}
    launch = LaunchForm(data, initial=initial, bases=base_models(), datasets=datasets_of(project))
    stages = {stage: {**preset.params.get(stage, {}), **defaults.params.get(stage, {})} for stage in {*preset.params, *defaults.params}}
    return LaunchForms(launch, data, initial=stages)


def _preflight(forms: LaunchForms) -> dict[str, Any]:
    """Findings and the estimate for what is chosen now."""
    dataset, base = forms.launch.chosen_dataset(), forms.launch.chosen_base()
    if dataset is None or base is None or "sft" not in forms.stages:
        return {"findings": [], "estimate": None}
    params = forms.params("sft")
    shape, findings = check(dataset, max_length=int(params.get("max_length") or 1024), context=base.spec.context)
    figures = estimate(shape=shape, parameters=base.spec.parameters, params=params, base_key=base.key)
    if not figures.fits:
        text = f"{base.name} needs about {figures.memory / 1e9:.1f} GB of memory to train, more than this machine has."
        findings.append(
            Finding(
                "warn",
                "memory",
                text,
                "Choose a smaller model, fewer pairs at once, or “Save memory” under the advanced settings.",
            )
        )
    return {
        "findings": findings,
        "estimate": figures,
        "shape": shape,
        "stopped": any(one.level == "stop" for one in findings),
    }


@require_http_methods(["GET", "POST"])
def start(request: HttpRequest, slug: str) -> HttpResponse:
    """Start training: the form, what is found before it starts, and the launch."""
    project = project_for(request.user, slug, can="build")
    forms = _forms(project, request.POST if request.method == "POST" else None, request.GET.get("dataset", ""))
    preflight = _preflight(forms)
    if request.method == "POST" and forms.is_valid() and not preflight.get("stopped"):
        data = forms.launch.cleaned_data
        try:
            pipeline = pipeline_launch(
                project=project,
                by=_person(request),
                base_key=data["base_key"],
                dataset=forms.launch.datasets[data["dataset"]],
                steps=forms.steps(),
                name=data["name"],
                seed=data["seed"] or 0,
            )
        except PipelineError as error:
            forms.add_errors(error.fields)
            if not error.fields:
                forms.launch.add_error(None, str(error))
        else:
            runs = pipeline_runs(pipeline)
            return redirect(next(run for run in runs if run.stage == "sft"))
    context = {
        "form": forms.launch,
        "stages": forms.stages,
        "presets": {one.key: one.params for one in presets.presets().values()},
        "defaults": {f"{key}-{name}": field.initial for key, form in forms.stages.items() for name, field in form.fields.items()},
        **preflight,
    }
    status = 422 if request.method == "POST" else 200
    return project_page(request, "training/start.html", project, "runs", context, status=status)


@require_POST
def preflight(request: HttpRequest, slug: str) -> HttpResponse:
    """What the page shows beside the form, for what is chosen now. Starts nothing."""
    project = project_for(request.user, slug, can="build")
    return render(request, "training/_preflight.html", {"project": project, **_preflight(_forms(project, request.POST))})


def compare(request: HttpRequest, slug: str) -> HttpResponse:
    """Two to five training runs: curves over one another, settings that differ, scores."""
    project = project_for(request.user, slug)
    runs = list(comparable(project)[:100])
    wanted = dict.fromkeys(request.GET.getlist("run"))
    chosen = [run for run in runs if str(run.pk) in wanted]
    context: dict[str, Any] = {"runs": runs, "chosen_ids": {run.pk for run in chosen}, "fewest": FEWEST, "most": MOST}
    if len(chosen) > MOST:
        messages.error(request, f"At most {MOST} runs can be compared at once; the newest {MOST} are shown.")
        chosen = chosen[:MOST]
    if len(chosen) >= FEWEST:
        names = run_names(chosen)
        context |= {"chosen": [(run, names[run.pk]) for run in chosen], **comparison(chosen, names)}
    return project_page(request, "training/compare.html", project, "runs", context)


def run_names(runs: list[Any]) -> dict[Any, str]:
    """Short names that tell ``runs`` apart, for legends and columns."""
    names = {run.pk: run.title.partition(": ")[2] or run.title for run in runs}
    return {
        run.pk: name if list(names.values()).count(name) == 1 else f"{name} ({str(run.pk)[:4]})" for run in runs for name in [names[run.pk]]
    }
