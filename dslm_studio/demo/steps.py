"""The demo's steps. Each finds what an earlier start made and goes on from there; each calls the services the browser calls."""

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings

from catalogue.selectors import base_model
from catalogue.services import base_model_ensure
from curation.models import DatasetVersion, Pair, PairStatus
from curation.services import dataset_version_cut, pairs_approve_by_rule, pairs_generate
from dslm_studio.demo import corpus
from dslm_studio.demo.display import Step
from planning.models import Plan
from planning.services import plan_create
from playground import services as chat
from playground.answering import Answer, answer_stream
from playground.models import Conversation, Message
from projects.models import Project, User
from projects.services import project_create
from retrieval.models import Document
from retrieval.services import documents_upload, ingest_waiting
from runs.models import Artifact, Run, Status
from training.models import Pipeline
from training.services import pipeline_launch

NAME = "Python language reference"
BASE_MODEL = "smollm2-135m-instruct"
SEED = 7
LOOK_EVERY = 0.3  # seconds
QUESTION = "What does the nonlocal statement do?"


class DemoError(Exception):
    """A step of the demo did not succeed."""


def wait_for(run: Run, step: Step) -> Run:
    """Watch ``run`` to its end. Raises ``DemoError`` unless it succeeded."""
    while True:
        run = Run.objects.get(pk=run.pk)
        if run.status == Status.SUCCEEDED:
            return run
        if run.is_ended:
            error = run.error or {}
            mend = f" {error['mend']}" if error.get("mend") else ""
            raise DemoError(f"{run.title} {run.get_status_display().lower()}: {error.get('message', 'no reason given')}.{mend}")
        progress = run.progress
        step.say(run.phase or run.get_status_display(), progress.get("done"), progress.get("total"), progress.get("seconds_left"))
        time.sleep(LOOK_EVERY)


def ensure_project(by: User) -> Project:
    return Project.objects.filter(name=NAME, memberships__user=by).first() or project_create(
        name=NAME, by=by, domain="The Python programming language", description="A sample project: the Python language reference."
    )


def ensure_plan(project: Project, by: User, answers: Mapping[str, Any]) -> Plan:
    return Plan.objects.filter(project=project).order_by("-pk").first() or plan_create(project=project, by=by, answers=answers)


def ensure_documents(project: Project, by: User, step: Step) -> int:
    """Write the corpus, upload it, wait until it is read. Returns the number of documents."""
    if not Document.objects.filter(project=project).exists():
        files = corpus.write(settings.STUDIO_HOME / "demo" / "documents")
        step.say(f"uploading {len(files)} files")
        _upload(project, by, files)
    ingest_waiting(project)  # at once, rather than when the upload has settled
    for run in Run.objects.filter(project=project, stage="ingest").order_by("created_at"):
        wait_for(run, step)
    return Document.objects.filter(project=project).count()


def _upload(project: Project, by: User, files: list[Path]) -> None:
    refused = [result for result in documents_upload(project=project, files=files, by=by) if not result.ok]
    if refused:
        raise DemoError(f"{refused[0].name}: {refused[0].message}")


def ensure_pairs(project: Project, by: User, step: Step) -> int:
    """Generate pairs and approve them by rule. Returns how many are approved."""
    if not Pair.objects.filter(project=project).exists():
        run = Run.objects.filter(project=project, stage="extract_pairs").first() or pairs_generate(
            project=project, by=by, params={"about": "Python"}
        )
        wait_for(run, step)
    pairs_approve_by_rule(project=project, by=by)
    return Pair.objects.filter(project=project, status=PairStatus.APPROVED).count()


def ensure_dataset(project: Project, by: User) -> DatasetVersion:
    return DatasetVersion.objects.filter(project=project).order_by("number").first() or dataset_version_cut(
        project=project, by=by, seed=SEED
    )


def ensure_base_model(by: User, step: Step) -> Artifact:
    made = base_model_ensure(key=BASE_MODEL, by=by)
    if isinstance(made, Artifact):
        return made
    wait_for(made, step)
    state = base_model(BASE_MODEL)
    assert state is not None and state.artifact is not None
    return state.artifact


def ensure_pipeline(project: Project, by: User, dataset: DatasetVersion, steps: list[dict[str, object]]) -> Pipeline:
    return Pipeline.objects.filter(project=project).order_by("pk").first() or pipeline_launch(
        project=project, by=by, base_key=BASE_MODEL, dataset=dataset.artifact, steps=steps
    )


def run_of(project: Project, stage: str) -> Run:
    """The project's first run of ``stage``."""
    run = Run.objects.filter(project=project, stage=stage).order_by("created_at").first()
    if run is None:
        raise DemoError(f"There is no run of {stage}.")
    return run


def ensure_chat(project: Project, by: User, model: Artifact) -> Message:
    """One question, asked as a person would; returns the model's answer."""
    found = Conversation.objects.filter(project=project, user=by, title=QUESTION).first()
    if found and (answer := found.messages.filter(role=Message.Role.ASSISTANT).first()):
        return answer
    found = found or chat.conversation_create(project=project, user=by, model=model, question=QUESTION, with_documents=True)
    chat.question_add(conversation=found, text=QUESTION, with_documents=True)
    began = time.monotonic()
    answer = ask(project, model, QUESTION)
    return chat.answer_add(
        conversation=found,
        text=answer.text,
        citations=answer.citations,
        with_documents=True,
        seconds=time.monotonic() - began,
        cut_off=False,
    )


def ask(project: Project, model: Artifact, question: str) -> Answer:
    """The whole answer to one question, with documents."""

    async def collect() -> Answer:
        answer = Answer()
        async for _ in answer_stream(project=project, model=model, question=question, with_documents=True, answer=answer):
            pass
        return answer

    return asyncio.run(collect())
