"""Pages of the chat, and the stream of an answer."""

import json
import time
from collections.abc import AsyncIterator
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.loader import render_to_string
from django.views.decorators.http import require_POST

from catalogue.serving import ServingError
from engine.endpoint import EndpointError
from playground import services
from playground.answering import Answer, answer_stream
from playground.forms import LONGEST_QUESTION, AskForm
from playground.models import Conversation, Message
from playground.selectors import conversations_of, model_label, rated_count
from playground.showing import Said, said_in, said_one
from projects.guards import project_for
from projects.models import Project
from projects.pages import project_page
from projects.roles import CAPABILITIES, may
from retrieval.embedding import EmbedderAway
from retrieval.stores import StoreError


def chat(request: HttpRequest, slug: str) -> HttpResponse:
    """A new conversation; ``?model=`` chooses the model beforehand."""
    project = project_for(request.user, slug)
    form = AskForm(project=project, initial={"model": request.GET.get("model", ""), "with_documents": True})
    return _page(request, project, form, None)


def conversation(request: HttpRequest, slug: str, pk: object) -> HttpResponse:
    project = project_for(request.user, slug)
    found = get_object_or_404(conversations_of(project, request.user).select_related("model__produced_by"), pk=pk)
    return conversation_page(request, project, found)


def conversation_page(
    request: HttpRequest, project: Project, found: Conversation, *, instead: Said | None = None, status: int = 200
) -> HttpResponse:
    """The page of a conversation, with ``instead`` in place of the same answer as it stands in the database."""
    form = AskForm(project=project, initial={"model": str(found.model_id), "with_documents": found.with_documents})
    return _page(request, project, form, found, instead=instead, status=status)


def _page(
    request: HttpRequest, project: Project, form: AskForm, found: Conversation | None, *, instead: Said | None = None, status: int = 200
) -> HttpResponse:
    shown = said_in(project, found, opened=request.GET.get("rated", "")) if found else []
    context = {
        "form": form,
        "conversation": found,
        "model_label": model_label(found.model) if found else "",
        "chat_messages": [instead if instead and instead.message == one.message else one for one in shown],
        "conversations": conversations_of(project, request.user)[:30],
        "rated_waiting": rated_count(project) if may(project.role, "review") else 0,  # type: ignore[attr-defined]
    }
    return project_page(request, "playground/chat.html", project, "chat", context, status=status)


@require_POST
def ask(request: HttpRequest, slug: str, pk: object | None = None) -> HttpResponseBase:
    """Ask, and stream the answer as lines of JSON: ``{"token"}`` as it comes, then ``{"done": html}`` or ``{"error", "mend"}``."""
    project = project_for(request.user, slug)
    form = AskForm(request.POST, project=project)
    form.is_valid()
    if "question" in form.errors:
        return JsonResponse({"error": f"Type a question first, of at most {LONGEST_QUESTION:,} characters."}, status=422)
    question, with_documents = form.cleaned_data["question"], form.cleaned_data["with_documents"]
    if pk:
        found = get_object_or_404(conversations_of(project, request.user).select_related("model", "project"), pk=pk)
    elif form.chosen_model is None:
        return JsonResponse({"error": "There is no such model. Choose one from the list."}, status=422)
    else:
        found = services.conversation_create(
            project=project, user=request.user, model=form.chosen_model, question=question, with_documents=with_documents
        )
    earlier = [(message.role, message.text) for message in found.messages.all()]
    services.question_add(conversation=found, text=question, with_documents=with_documents)
    lines = _lines(project, found, found.get_absolute_url(), question, earlier, with_documents)
    response = StreamingHttpResponse(lines, content_type="application/x-ndjson")
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"  # a proxy that collects the answer before passing it on spoils it
    return response


async def _lines(
    project: Project, found: Conversation, address: str, question: str, earlier: list[tuple[str, str]], with_documents: bool
) -> AsyncIterator[bytes]:
    answer, began, complete = Answer(), time.monotonic(), False
    error: dict[str, str] | None = None
    yield _line({"conversation": address})
    try:
        pieces = answer_stream(
            project=project, model=found.model, question=question, earlier=earlier, with_documents=with_documents, answer=answer
        )
        async for piece in pieces:
            yield _line({"token": piece})
        complete = True
    except EndpointError as problem:
        error = {"error": problem.message, "mend": problem.mend}
    except ServingError as problem:
        error = {"error": str(problem), "mend": "Begin a new conversation with another model."}
    except (EmbedderAway, StoreError) as problem:
        error = {"error": f"The documents cannot be searched now. {problem}", "mend": "Ask without them, or try again in a moment."}
    finally:  # also when the reader left in the middle: what had come is kept
        if answer.text:
            message = await sync_to_async(services.answer_add)(
                conversation=found,
                text=answer.text,
                citations=answer.citations,
                with_documents=with_documents,
                seconds=time.monotonic() - began,
                cut_off=not complete,
            )
    if error is not None:
        yield _line(error)
    elif answer.text:
        yield _line({"done": await sync_to_async(_answer_html)(project, message)})
    else:
        yield _line({"error": "The model had nothing to say.", "mend": "Ask in other words, or choose another model."})


def _line(content: dict[str, Any]) -> bytes:
    return json.dumps(content).encode() + b"\n"


def _answer_html(project: Project, message: Message) -> str:
    can = {capability: may(project.role, capability) for capability in CAPABILITIES}  # type: ignore[attr-defined] (set by the guard)
    return render_to_string("playground/message.html", {"item": said_one(project, message), "project": project, "can": can})


@require_POST
def conversation_delete(request: HttpRequest, slug: str, pk: object) -> HttpResponse:
    project = project_for(request.user, slug)
    services.conversation_delete(conversation=get_object_or_404(conversations_of(project, request.user), pk=pk))
    messages.success(request, "Conversation deleted")
    return redirect("playground:chat", slug)
