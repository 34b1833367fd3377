"""Deleting a project leaves nothing of it: rows, files and the rows that protect one another."""

from pathlib import Path

import pytest
from django.apps import apps

from playground.models import Conversation
from playground.services import conversation_create, question_add
from projects.models import Project, User
from projects.services import ProjectError, project_delete
from runs.artifacts import artifact_path, artifact_register
from runs.models import Artifact, Run, RunInput, Status
from training.models import Pipeline, Sweep

pytestmark = pytest.mark.django_db


@pytest.fixture
def model(project: Project, owner: User, tmp_path: Path) -> Artifact:
    """A model made by a run from a dataset, with a conversation about it."""
    made = []
    for kind in ("dataset", "gguf-model"):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "file").write_text("x")
        run = Run.objects.create(project=project, stage="quantize", title="Quantise", queue="gpu", status=Status.SUCCEEDED)
        made.append(artifact_register(project=project, kind=kind, folder=tmp_path / kind, produced_by=run, role="model"))
    RunInput.objects.create(run=made[1].produced_by, role="model", artifact=made[0])
    conversation = conversation_create(project=project, user=owner, model=made[1], question="Hello", with_documents=False)
    question_add(conversation=conversation, text="Hello", with_documents=False)
    return made[1]


def test_every_row_and_file_goes(project: Project, owner: User, model: Artifact) -> None:
    folder = artifact_path(model)
    assert folder.exists()
    pk = project.pk
    sweep = Sweep.objects.create(project=project, name="Rates", stage="sft")
    Pipeline.objects.create(project=project, name="Rates, 0.001", base_key="none", sweep=sweep)
    project_delete(project=project, by=owner)
    assert not folder.exists()
    for found in apps.get_models():
        if any(field.name == "project" and field.related_model is Project for field in found._meta.fields):
            assert not found._default_manager.filter(project_id=pk).exists(), found


def test_a_project_with_a_live_run_stays(project: Project, owner: User, model: Artifact) -> None:
    Run.objects.create(project=project, stage="sft", title="Train", queue="gpu", status=Status.RUNNING)
    with pytest.raises(ProjectError, match="Stop the project's runs first"):
        project_delete(project=project, by=owner)
    assert Run.objects.filter(project=project).exists()
    assert Conversation.objects.filter(project=project).exists()
