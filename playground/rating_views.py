"""Rating answers, and what reviewers make of the rated ones."""

import json
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from curation.errors import PairError
from curation.views.shared import pairs_tabs
from playground import services
from playground.forms import FeedbackForm, RatedAnswerForm
from playground.models import Feedback, Message, Reason
from playground.selectors import asked_for, model_label, rated, rated_without_pair
from playground.showing import Said, said_one
from playground.views import conversation_page
from projects.guards import project_for
from projects.models import Project
from projects.pages import project_page
from projects.roles import CAPABILITIES, may

MADE = "A pair was made of it. It waits for review."


@require_POST
def feedback(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Rate one's own answer: ``good`` is yes, no, or none to take it back; with ``make`` a pair is made of it as well."""
    project = project_for(request.user, slug, can="annotate" if "make" in request.POST else "view")
    answers = Message.objects.filter(conversation__project=project, conversation__user=request.user, role=Message.Role.ASSISTANT)
    message = get_object_or_404(answers.select_related("conversation__project", "conversation__model__produced_by"), pk=pk)
    if request.POST.get("good") == "none":
        services.feedback_withdraw(message=message, user=request.user)  # type: ignore[arg-type]
        return _rated(request, project, said_one(project, message))
    form = FeedbackForm(request.POST, auto_id=f"rating-{message.pk}-%s")
    if not form.is_valid():
        return _rated(request, project, said_one(project, message, form=form), status=422)
    given = services.feedback_give(message=message, user=request.user, **form.cleaned_data)  # type: ignore[arg-type]
    told = "correction" in request.POST
    if "make" in request.POST:
        try:
            services.answer_make_pair(feedback=given, by=request.user)  # type: ignore[arg-type]
        except PairError as error:
            return _rated(request, project, said_one(project, message, opened=True, wrong=error), status=422)
    noted = MADE if "make" in request.POST else "Thank you, noted" if told else ""
    return _rated(request, project, said_one(project, message, opened=not given.good and not told), noted=noted)


def _rated(request: HttpRequest, project: Project, item: Said, *, status: int = 200, noted: str = "") -> HttpResponse:
    """The answer's rating as it stands now: alone where htmx asked, else with the conversation. ``noted`` is said in a toast."""
    if request.htmx:  # type: ignore[attr-defined]
        can = {capability: may(project.role, capability) for capability in CAPABILITIES}  # type: ignore[attr-defined]
        part = render(request, "playground/_rating.html", {"project": project, "item": item, "can": can}, status=status)
        if noted:
            part["HX-Trigger"] = json.dumps({"toast": {"message": noted, "tone": "good"}})
        return part
    if noted:
        messages.success(request, noted)
    if status == 200:
        query = f"?{urlencode({'rated': item.message.pk})}" if item.open else ""
        return redirect(f"{item.message.conversation.get_absolute_url()}{query}#message-{item.message.pk}")
    return conversation_page(request, project, item.message.conversation, instead=item, status=status)


def rated_list(request: HttpRequest, slug: str) -> HttpResponse:
    """Rated answers that no pair was made of, for reviewers."""
    project = project_for(request.user, slug, can="review")
    asked = {name: request.GET.get(name, "") for name in ("thumb", "reason", "which")}
    aside = asked["which"] == "aside"
    found = rated_without_pair(project, thumb=asked["thumb"], reason=asked["reason"], aside=aside)
    page = Paginator(found, 25).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "rows": [{"feedback": one, "model": model_label(one.message.conversation.model)} for one in page],
        "some": any(asked.values()) or page.paginator.count,
        "aside": aside,
        "tabs": pairs_tabs(project, request.user, "rated"),
        "filters": [
            {"name": "thumb", "label": "Thumb", "choices": [("up", "Good"), ("down", "Not good")]},
            {"name": "reason", "label": "What was wrong", "choices": Reason.choices},
            {"name": "which", "label": "Waiting", "choices": [("aside", "Set aside")]},
        ],
    }
    return project_page(request, "playground/rated.html", project, "pairs", context)


@require_http_methods(["GET", "POST"])
def rated_answer(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """One rated answer, one's own or to a reviewer any; POST makes a pair of it, with ``answer`` where that was sent."""
    project = project_for(request.user, slug, can="annotate")
    found = _found(request, project, pk)
    form, wrong = RatedAnswerForm(initial={"answer": found.correction or found.message.text}), None
    if request.method == "POST":
        typed = "answer" in request.POST
        form = RatedAnswerForm(request.POST) if typed else form
        if not typed or form.is_valid():
            try:
                pair = services.answer_make_pair(feedback=found, by=request.user, answer=form.cleaned_data["answer"] if typed else "")  # type: ignore[arg-type]
            except PairError as error:
                wrong = error
            else:
                messages.success(request, MADE)
                return redirect(_list_address(request, slug)) if "list" in request.POST else redirect(pair)
    context = {"form": form, "wrong": wrong, **_answer_context(project, found)}
    status = 422 if wrong or form.errors else 200
    return project_page(request, "playground/rated_answer.html", project, "pairs", context, status=status)


def _found(request: HttpRequest, project: Project, pk: int) -> Feedback:
    seen = rated(project).filter(message_id=pk)
    if not may(project.role, "review"):  # type: ignore[attr-defined]
        seen = seen.filter(user=request.user)
    found = get_object_or_404(seen[:1])
    found.message.conversation.project.role = project.role  # type: ignore[attr-defined]
    return found


def _answer_context(project: Project, found: Feedback) -> dict[str, Any]:
    message = found.message
    return {
        "feedback": found,
        "asked": asked_for(message),
        "citations": [(citation, citation.url(project)) for citation in message.cited],
        "model": model_label(message.conversation.model),
    }


@require_POST
def rated_aside(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Out of the reviewers' list, or with ``?back`` into it again."""
    project = project_for(request.user, slug, can="review")
    found, aside = _found(request, project, pk), "back" not in request.GET
    done = services.feedback_set_aside(feedback=found, by=request.user, aside=aside)  # type: ignore[arg-type]
    undo = f"undo:{reverse('playground:rated_aside', args=[slug, pk])}?back=1" if done and aside else ""
    messages.success(request, "Set aside" if aside else "Back in the list", extra_tags=undo)
    return redirect(_list_address(request, slug))


def _list_address(request: HttpRequest, slug: str) -> str:
    """The list with the filters that it had."""
    kept = {name: value for name, value in request.GET.items() if name in ("thumb", "reason", "which", "page")}
    return reverse("playground:rated", args=[slug]) + (f"?{urlencode(kept)}" if kept else "")
