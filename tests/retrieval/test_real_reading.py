"""The whole way once, for real: upload, the real ``ingest`` command, the real embedding server, search, citation."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from projects.models import Project, User
from retrieval import embedding
from retrieval.citations import citation_of, citation_url
from retrieval.models import Document, DocumentVersion, Index, VersionStatus
from retrieval.search import search
from retrieval.services import documents_ingest, documents_upload
from runs.models import Status
from runs.supervising import supervise
from tests.retrieval.conftest import upload

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def server(settings: object) -> Iterator[None]:
    """``engine serve`` on a free port."""
    environment = {**os.environ, "STUDIO_SERVE_SECRET": settings.SERVE_SECRET}  # type: ignore[attr-defined]
    command = [sys.executable, "-m", "engine", "serve"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    settings.SERVE_URL = json.loads(process.stdout.readline())["url"]  # type: ignore[attr-defined]
    embedding.embed_question.cache_clear()
    yield
    process.terminate()
    process.wait(timeout=20)


def test_documents_become_passages_that_are_found_and_cited(project: Project, owner: User, server: None) -> None:
    pump = "# Pump P7\n\n## Bearings\n\nThe bearings are lubricated with grade 2 grease every 400 hours.\n"
    visa = "# Visa rules\n\n## Students\n\nA student permit allows twenty hours of paid work each week.\n"
    broken = upload("broken.pdf", b"%PDF-1.4\nnothing that a reader could read\n%%EOF")
    documents_upload(project=project, files=[upload("pump.md", pump), upload("visa.md", visa), broken], by=owner)
    run = documents_ingest(project=project, by=owner)
    supervise(run.pk)
    run.refresh_from_db()
    assert run.status == Status.SUCCEEDED, run.error
    states = {version.document.name: version for version in DocumentVersion.objects.select_related("document")}
    assert states["pump.md"].status == states["visa.md"].status == VersionStatus.READY
    assert states["broken.pdf"].status == VersionStatus.FAILED
    assert states["broken.pdf"].error["message"] and states["broken.pdf"].error["mend"]
    index = Index.objects.get(project=project)
    assert index.ready and index.dimensions == 384 and index.embedding_model

    hit = search(project, "How often does one have to oil the rolling parts of the machine?", mode="vector")[0]
    assert hit.chunk.version.document.name == "pump.md" and hit.similarity is not None and hit.similarity > 0.2
    hit = search(project, "How many hours may a student work?")[0]
    assert hit.vector_rank == 1 and hit.keyword_rank == 1
    text = hit.chunk.version.text()
    start = text.index("twenty hours")
    cited = citation_of(hit.chunk, start, start + len("twenty hours"))
    client = Client()
    client.force_login(owner)
    page = client.get(citation_url(project, cited.document, cited.start, cited.end, cited.version).split("#")[0])
    assert '<mark id="passage">twenty hours</mark>' in page.content.decode()
    assert Document.objects.get(name="visa.md").current == states["visa.md"]
    assert settings.INDEX_ROOT.joinpath(str(project.pk)).is_dir()
