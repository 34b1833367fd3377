"""The chat's pages, without a model: who sees what, and what is said when something is missing."""

from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from playground.models import Conversation, Message
from playground.services import citations_erase, conversation_create
from projects.models import Project, User
from runs.artifacts import artifact_register
from runs.models import Artifact

pytestmark = pytest.mark.django_db
ClientFor = Callable[[User], Client]


@pytest.fixture
def model(project: Project, tmp_path: Path) -> Artifact:
    folder = tmp_path / "gguf"
    folder.mkdir()
    (folder / "model.gguf").write_bytes(b"GGUF")
    return artifact_register(project=project, kind="gguf-model", folder=folder, facts={"name": "Tiny"})


@pytest.fixture
def conversation(project: Project, viewer: User, model: Artifact) -> Conversation:
    return conversation_create(project=project, user=viewer, model=model, question="What is a suite?", with_documents=True)


def test_an_empty_project_says_where_models_come_from(project: Project, viewer: User, client_for: ClientFor) -> None:
    answer = client_for(viewer).get(reverse("playground:chat", args=[project.slug]))
    assert "No model to talk to yet" in answer.content.decode()


def test_a_model_of_another_project_is_not_offered_and_not_answered_with(
    project: Project, outsider: User, model: Artifact, client_for: ClientFor
) -> None:
    other = outsider.projects.get()
    client = client_for(outsider)
    assert str(model.pk) not in client.get(reverse("playground:chat", args=[other.slug])).content.decode()
    asked = client.post(reverse("playground:ask", args=[other.slug]), {"question": "Hello", "model": str(model.pk)})
    assert asked.status_code == 422
    assert not Conversation.objects.exists()


def test_an_empty_question_is_refused_in_words(project: Project, viewer: User, model: Artifact, client_for: ClientFor) -> None:
    asked = client_for(viewer).post(reverse("playground:ask", args=[project.slug]), {"question": " ", "model": str(model.pk)})
    assert asked.status_code == 422
    assert "Type a question" in asked.json()["error"]


def test_a_conversation_is_its_owner_s_alone(project: Project, engineer: User, conversation: Conversation, client_for: ClientFor) -> None:
    address = reverse("playground:conversation", args=[project.slug, conversation.pk])
    assert client_for(engineer).get(address).status_code == 404
    assert client_for(conversation.user).get(address).status_code == 200


def test_the_chat_costs_the_same_however_many_conversations_there_are(
    project: Project, viewer: User, model: Artifact, conversation: Conversation, client_for: ClientFor
) -> None:
    client, counts = client_for(viewer), []
    for _ in range(2):
        with CaptureQueriesContext(connection) as seen:
            client.get(reverse("playground:chat", args=[project.slug]))
        counts.append(len(seen))
        for number in range(5):
            conversation_create(project=project, user=viewer, model=model, question=f"{number}?", with_documents=False)
    assert counts[0] == counts[1]


def test_what_a_model_says_is_shown_as_text(project: Project, viewer: User, conversation: Conversation, client_for: ClientFor) -> None:
    Message.objects.create(conversation=conversation, role="assistant", text="<script>alert(1)</script>")
    page = client_for(viewer).get(reverse("playground:conversation", args=[project.slug, conversation.pk])).content.decode()
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_a_conversation_with_a_cited_answer_shows_where_it_stands(
    project: Project, viewer: User, conversation: Conversation, client_for: ClientFor
) -> None:
    document = "00000000-0000-4000-8000-000000000001"
    citation = {"document": document, "version": document, "name": "with.md", "page": 2, "start": 5, "end": 9, "text": "with"}
    Message.objects.create(conversation=conversation, role="assistant", text="A suite.", citations=[citation])
    page = client_for(viewer).get(reverse("playground:conversation", args=[project.slug, conversation.pk])).content.decode()
    assert "with.md" in page and "page 2" in page
    assert f"/documents/{document}/?start=5&amp;end=9" in page


def test_a_citation_keeps_nothing_of_a_document_that_was_erased(project: Project, conversation: Conversation) -> None:
    kept, gone = UUID(int=1), UUID(int=2)
    cited = [
        {"document": str(key), "version": str(key), "name": f"{key.int}.md", "page": 2, "start": 5, "end": 9, "text": "words"}
        for key in (kept, gone)
    ]
    message = Message.objects.create(conversation=conversation, role="assistant", text="A suite.", citations=cited)
    citations_erase(project=project, versions=[gone])
    message.refresh_from_db()
    assert [(one.name, one.text, one.start) for one in message.cited] == [("1.md", "words", 5), ("A deleted document", "", 5)]
