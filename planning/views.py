"""The plan: the wizard, and what was chosen."""

from collections.abc import Mapping

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from planning import services
from planning.answers import AnswersError, answered, cleaned
from planning.forms import asked
from planning.rules import Answers, load
from planning.selectors import answers_in_words, plan_of
from projects.guards import project_for
from projects.models import Project
from projects.pages import project_page


def plan(request: HttpRequest, slug: str) -> HttpResponse:
    """The project's plan; without one, or to change it, the wizard. Asked by htmx it answers the recommendation alone."""
    project = project_for(request.user, slug)
    stored = plan_of(project)
    rules = load()
    if stored and not request.GET:
        context = {
            "plan": stored,
            "recommendation": stored.recommendation,
            "answers": answers_in_words(stored),
            "today": services.recommend(stored.answers).title if stored.rules_version != rules.version else "",
        }
        return project_page(request, "planning/plan.html", project, "plan", context)
    given = _given(request.GET)
    if stored and not any(given.values()):  # "change answers" begins with those that were given
        given = cleaned(rules, stored.answers)
    return _wizard(request, project, given)


def _given(data: QueryDict) -> Answers:
    return cleaned(load(), {question.key: data.getlist(question.key) for question in load().questions})


def _wizard(request: HttpRequest, project: Project, given: Answers, errors: Mapping[str, str] | None = None) -> HttpResponse:
    rules = load()
    done, needed = answered(rules, given)
    context = {
        "questions": asked(rules, given, dict(errors or {})),
        "recommendation": services.recommend(given) if any(given.values()) else None,
        "done": done,
        "needed": needed,
        "open": needed - done,
        "stored": plan_of(project),
    }
    template = "planning/_recommendation.html" if request.htmx and not errors else "planning/wizard.html"  # type: ignore[attr-defined]
    return project_page(request, template, project, "plan", context, status=422 if errors else 200)


@require_POST
def plan_save(request: HttpRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, can="build")
    given = _given(request.POST)
    try:
        kept = services.plan_create(project=project, by=request.user, answers=given, base_key=request.POST.get("base_key", ""))
    except AnswersError as error:
        return _wizard(request, project, given, error.fields)
    messages.success(request, f"The plan is {kept}.")
    return redirect("planning:plan", slug)
