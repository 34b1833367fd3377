"""An answer that cannot be had is said in words, and what had come is kept."""

import json
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient
from django.urls import reverse

from playground.models import Message
from projects.models import Project, User
from retrieval.embedding import EmbedderAway
from retrieval.stores import StoreError
from runs.artifacts import artifact_erase, artifact_register
from runs.models import Artifact
from tests.engine.chat_server import chat_server

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio]


@pytest.fixture
def model(project: Project, tmp_path: Path) -> Artifact:
    (tmp_path / "gguf").mkdir()
    (tmp_path / "gguf" / "model.gguf").write_bytes(b"GGUF")
    return artifact_register(project=project, kind="gguf-model", folder=tmp_path / "gguf")


async def asked(project: Project, by: User, address: str = "", **data: str) -> list[dict[str, Any]]:
    client = AsyncClient()
    await client.aforce_login(by)
    answer = await client.post(address or reverse("playground:ask", args=[project.slug]), {"question": "Hello", **data})
    return [json.loads(part) async for part in answer.streaming_content]


@pytest.mark.slow  # it tries again before it gives up
async def test_without_a_model_server_it_says_what_to_do(project: Project, viewer: User, model: Artifact, settings: Any) -> None:
    settings.SERVE_URL = "http://127.0.0.1:9/v1"
    lines = await asked(project, viewer, model=str(model.pk))
    assert "cannot be reached" in lines[-1]["error"]
    assert await Message.objects.filter(role="user").acount() == 1


@pytest.mark.slow  # it tries again before it gives up
async def test_a_model_that_was_erased_is_said_to_be_gone(project: Project, viewer: User, model: Artifact, settings: Any) -> None:
    settings.SERVE_URL = "http://127.0.0.1:9/v1"
    (first, *_) = await asked(project, viewer, model=str(model.pk))
    await sync_to_async(artifact_erase)(model)
    lines = await asked(project, viewer, address=f"{first['conversation']}ask/")
    assert "was deleted" in lines[-1]["error"] and "another model" in lines[-1]["mend"]


@pytest.mark.parametrize("error", [EmbedderAway("Nobody embeds."), StoreError("Nobody searches.")])
async def test_without_search_it_says_what_to_do(
    project: Project, viewer: User, model: Artifact, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise error

    monkeypatch.setattr("playground.answering.find_passages", away)
    lines = await asked(project, viewer, model=str(model.pk), with_documents="on")
    assert str(error) in lines[-1]["error"] and "without them" in lines[-1]["mend"]


async def test_an_answer_comes_with_its_thumbs_and_can_be_rated_at_once(
    project: Project, annotator: User, model: Artifact, settings: Any
) -> None:
    chunk = {
        "id": "1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "delta": {"content": "Hi."}}],
    }
    with chat_server(lambda prompt, number: (200, f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n")) as server:
        settings.SERVE_URL = server.url
        lines = await asked(project, annotator, model=str(model.pk))
    message = await Message.objects.aget(role="assistant")
    rate = reverse("playground:feedback", args=[project.slug, message.pk])
    shown = lines[-1]["done"]
    assert lines[1:-1] == [{"token": "Hi."}] and f'hx-post="{rate}"' in shown and "Reviewers see what you rate" in shown
    client = AsyncClient()
    await client.aforce_login(annotator)
    rated = await client.post(rate, {"good": "yes"}, headers={"HX-Request": "true"})
    assert "Make a pair of it" in rated.content.decode()
