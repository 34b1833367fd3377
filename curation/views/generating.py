"""Making pairs from documents."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from curation import services
from curation.documents import chunks_facts
from curation.selectors import pairs as selectors
from curation.views.shared import show_error
from engine import registry
from projects.guards import project_for
from projects.pages import project_page
from runs.forms import params_form, params_from
from runs.services import RunError


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
            show_error(form, error)
    facts = chunks_facts(project)
    context = {
        "form": form,
        "facts": facts,
        "preview": selectors.preview_words(facts, selectors.pair_counts(project)["all"]) if facts else "",
        "cancel_url": reverse("curation:pairs", args=[slug]),
        "missing": info.missing(),
    }
    return project_page(request, "curation/generate.html", project, "pairs", context, status=422 if form.errors else 200)
