"""An answer that cannot be had is said in words, and what had come is kept."""

import json
from pathlib import Path

import pytest
from django.test import AsyncClient
from django.urls import reverse

from playground.models import Message
from projects.models import Project, User
from runs.artifacts import artifact_register

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio]


async def test_without_a_model_server_it_says_what_to_do(project: Project, viewer: User, tmp_path: Path, settings: object) -> None:
    from asgiref.sync import sync_to_async

    settings.SERVE_URL = "http://127.0.0.1:9/v1"  # type: ignore[attr-defined]
    (tmp_path / "gguf").mkdir()
    (tmp_path / "gguf" / "model.gguf").write_bytes(b"GGUF")
    model = await sync_to_async(artifact_register)(project=project, kind="gguf-model", folder=tmp_path / "gguf")
    client = AsyncClient()
    await client.aforce_login(viewer)
    answer = await client.post(reverse("playground:ask", args=[project.slug]), {"question": "Hello", "model": str(model.pk)})
    lines = [json.loads(part) async for part in answer.streaming_content]
    assert "cannot be reached" in lines[-1]["error"]
    assert await Message.objects.filter(role="user").acount() == 1
