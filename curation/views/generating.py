"""Making pairs from documents: by rules, or by a model."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from catalogue.writers import writer_find, writers
from curation.documents import chunks_facts, document_names
from curation.forms_generating import writer_chosen, writing_form
from curation.looking import rows_shown
from curation.selectors import pairs as selectors
from curation.services import generating as services
from curation.services.writing import PairError
from curation.views.shared import show_error, ways_to_make
from engine import registry
from projects.guards import project_for
from projects.pages import project_page
from runs.forms import params_form, params_from
from runs.models import Run
from runs.services import RunError


@require_http_methods(["GET", "POST"])
def pairs_generate(request: HttpRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, can="build")
    info = registry.get(services.RULES)
    form = params_form(info, request.POST if request.method == "POST" else None, initial={"about": project.domain})
    if request.method == "POST" and form.is_valid():
        try:
            return redirect(services.pairs_generate(project=project, by=request.user, params=params_from(form)))
        except (PairError, RunError) as error:
            show_error(form, error)
    facts = chunks_facts(project)
    context = {
        "form": form,
        "facts": facts,
        "preview": selectors.preview_words(facts, selectors.pair_counts(project)["all"]) if facts else "",
        "missing": info.missing(),
        **ways_to_make(project, "rules"),
    }
    return project_page(request, "curation/generate.html", project, "pairs", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
def pairs_write(request: HttpRequest, slug: str) -> HttpResponse:
    """Choose a model and what it shall write; see what that takes; have ten made to look at."""
    project = project_for(request.user, slug, can="build")
    info, found = registry.get(services.MODEL), writers(project)
    sent = request.POST if request.method == "POST" else request.GET if "writer" in request.GET else None
    form = writing_form(info, found, sent, initial={"about": project.domain})
    if request.method == "POST" and form.is_valid():
        params = params_from(form)
        chosen = params.pop("writer")
        try:
            run = services.pairs_write(project=project, by=request.user, writer=chosen, params=params)
            return redirect("curation:pairs_preview", slug, run.pk)
        except (PairError, RunError) as error:
            show_error(form, error)
    writer, given = writer_chosen(form, found), _given(form)
    if request.method == "GET":  # what the address says is where the form begins, not something to find fault with
        form = writing_form(info, found, initial=given)
    context = {
        "form": form,
        "facts": chunks_facts(project),
        "writers": found,
        "writer": writer,
        "estimate": services.generation_estimate(project, writer, given),
        "missing": info.missing(),
        **ways_to_make(project, "model"),
    }
    wrong = request.method == "POST" and form.errors
    return project_page(request, "curation/generate_model.html", project, "pairs", context, status=422 if wrong else 200)


@require_http_methods(["GET", "POST"])
def pairs_preview(request: HttpRequest, slug: str, pk: str) -> HttpResponse:
    """The ten that a model has written, with what each rests on; then the rest."""
    project = project_for(request.user, slug, can="build")
    run = get_object_or_404(Run, pk=pk, project=project, stage=services.MODEL)
    if not run.params.get("preview"):
        raise Http404("This run is no preview.")
    if request.method == "POST":
        try:
            return redirect(services.pairs_write_rest(preview=run, by=request.user))
        except (PairError, RunError) as error:
            messages.error(request, str(error))
            return redirect("curation:pairs_preview", slug, pk)
    made = services.preview_pairs(run)
    facts = made.facts if made else {}
    context = {
        "run": run,
        "rows": rows_shown(made, document_names(project)) if made else [],
        "made": facts,
        "rejected": facts.get("rejected", {}),
        "estimate": services.rest_estimate(run, facts) if made else None,
        "writer": writer_find(project, str(run.params.get("endpoint", ""))),
        "again": f"{reverse('curation:pairs_write', args=[slug])}?{_query(run)}",
    }
    return project_page(request, "curation/generate_preview.html", project, "pairs", context)


def _given(form: Any) -> dict[str, Any]:
    """What the form says so far; where it says nothing sensible, its defaults."""
    defaults = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    if not form.is_bound:
        return defaults
    form.is_valid()
    return {**defaults, **{name: value for name, value in form.cleaned_data.items() if value not in (None, "", [])}}


def _query(run: Run) -> str:
    """The settings of a preview as the page's address takes them."""
    shown = {name: value for name, value in run.params.items() if name not in ("endpoint", "writer", "price_in", "price_out", "preview")}
    return urlencode({"writer": run.params.get("endpoint", ""), **shown}, doseq=True)
