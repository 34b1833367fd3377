"""A conversation with answers to rate, and a document that they cite."""

from collections.abc import Callable
from typing import Any

import pytest

from playground.models import Citation, Conversation, Message
from playground.services import answer_add, conversation_create, feedback_give, question_add
from projects.models import Project, User
from retrieval.models import DocumentVersion
from runs.models import Artifact
from tests.catalogue import made
from tests.curation.conftest import make_document

SUITE = "A suite is a group of statements controlled by a clause."


@pytest.fixture(autouse=True)
def home(tmp_path: Any, settings: Any) -> None:
    settings.ARTIFACT_ROOT = tmp_path / "artifacts"
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {**settings.STORAGES["default"], "OPTIONS": {"location": tmp_path / "files"}},
    }


@pytest.fixture
def gguf(project: Project) -> Artifact:
    return made.gguf(project, made.base())


@pytest.fixture
def version(project: Project) -> DocumentVersion:
    return make_document(project, "suite.md", f"# Suites\n\n{SUITE}\n")


@pytest.fixture
def talk(project: Project, gguf: Artifact) -> Callable[..., Conversation]:
    """``talk(by, ("Question?", "Answer."), …)``: a conversation of these turns."""

    def make(by: User, *turns: tuple[str, str], cited: DocumentVersion | None = None, cut_off: bool = False) -> Conversation:
        found = conversation_create(project=project, user=by, model=gguf, question=turns[0][0], with_documents=False)
        for question, answer in turns:
            question_add(conversation=found, text=question, with_documents=False)
            citations = [citation(cited)] if cited else []
            answer_add(conversation=found, text=answer, citations=citations, with_documents=False, seconds=1.0, cut_off=cut_off)
        return found

    return make


def citation(version: DocumentVersion, text: str = SUITE) -> Citation:
    start = version.text().index(SUITE)
    return Citation(
        document=str(version.document_id), version=str(version.pk), name="suite.md", page=1, start=start, end=start + len(text), text=text
    )


def last(conversation: Conversation) -> Message:
    return conversation.messages.filter(role=Message.Role.ASSISTANT).order_by("-pk")[0]


@pytest.fixture
def rate(talk: Callable[..., Conversation]) -> Callable[..., Message]:
    """``rate(by, good=…)``: an answer of its own conversation that ``by`` rated."""

    def make(by: User, *, good: bool = True, question: str = "What is a suite?", answer: str = "A sweet.", **told: Any) -> Message:
        message = last(talk(by, (question, answer)))
        feedback_give(message=message, user=by, good=good, **told)
        return message

    return make
