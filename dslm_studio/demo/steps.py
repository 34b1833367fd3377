"""The demo's steps. Each finds what an earlier start made and goes on from there; each calls the services the browser calls."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

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
from retrieval.models import Document, DocumentVersion, VersionStatus
from retrieval.services import documents_ingest, documents_retry, documents_upload, run_ended
from runs.models import RESUMABLE, Artifact, Run, Status
from runs.services import Source, run_can_resume, run_create, run_resume
from training.models import Pipeline, PipelineRun
from training.services import pipeline_launch

NAME = "Python language reference"
BASE_MODEL = "smollm2-135m-instruct"
SEED = 7
LOOK_EVERY = 0.3  # seconds
BEGAN = timezone.now()  # this start of the demo
QUESTION = "What is the with statement used for?"


class DemoError(Exception):
    """A step of the demo did not succeed."""


def watch(run: Run, step: Step) -> Run:
    """``run`` once it has ended, however it did."""
    while not (run := Run.objects.select_related("project").get(pk=run.pk)).is_ended:
        progress = run.progress
        step.say(run.phase or run.get_status_display(), progress.get("done"), progress.get("total"), progress.get("seconds_left"))
        time.sleep(LOOK_EVERY)
    return run


def wait_for(run: Run, step: Step, again: Callable[[Run], Run]) -> Run:
    """``run`` once it has succeeded; what an earlier start left unfinished is begun ``again``. Raises ``DemoError`` for any other end."""
    run = watch(run, step)
    if run.status != Status.SUCCEEDED and (run.started_at is None or run.started_at < BEGAN):
        run = watch(again(run), step)
    if run.status != Status.SUCCEEDED:
        error = run.error or {}
        message = error.get("message", "no reason given").rstrip(".")
        mend = error.get("mend") or "Start the demo again: it goes on from here."
        raise DemoError(f"{run.title} {run.get_status_display().lower()}: {message}. {mend}")
    return run


def ensure_project(by: User) -> Project:
    return Project.objects.filter(name=NAME, memberships__user=by).first() or project_create(
        name=NAME, by=by, domain="The Python programming language", description="A sample project: the Python language reference."
    )


def ensure_plan(project: Project, by: User, answers: Mapping[str, Any]) -> Plan:
    return Plan.objects.filter(project=project).order_by("-pk").first() or plan_create(project=project, by=by, answers=answers)


def ensure_documents(project: Project, by: User, step: Step) -> int:
    """Write the corpus, upload it, wait until it is read. Returns the number of documents."""
    versions = DocumentVersion.objects.filter(document__project=project, document__deleted_at=None)
    for run in Run.objects.filter(document_versions__in=versions.filter(status=VersionStatus.READING)).distinct():
        run_ended(watch(run, step))  # an earlier start's; its worker may have died before it gave back what it had not read
    _upload_missing(project, by, step)
    unread = versions.filter(status=VersionStatus.FAILED, run__status__in=RESUMABLE)
    documents_retry(project=project, documents=list(unread.values_list("document", flat=True)), by=by)
    while versions.filter(status__in=[VersionStatus.UPLOADED, VersionStatus.READING]).exists():
        # at once, rather than when the upload has settled
        wait_for(documents_ingest(project=project, by=by), step, lambda _: documents_ingest(project=project, by=by))
    return Document.objects.filter(project=project).count()


def _upload_missing(project: Project, by: User, step: Step) -> None:
    known = set(Document.objects.filter(project=project).values_list("name", flat=True))
    files = [path for path in corpus.write(settings.STUDIO_HOME / "demo" / "documents") if path.name not in known]
    step.say(f"uploading {len(files)} files")
    refused = [result for result in documents_upload(project=project, files=files, by=by) if not result.ok]
    if refused:
        raise DemoError(f"{refused[0].name}: {refused[0].message}")


def ensure_pairs(project: Project, by: User, step: Step) -> int:
    """Generate pairs and approve them by rule. Returns how many are approved."""

    def generate(_: Run | None = None) -> Run:
        return pairs_generate(project=project, by=by, params={"about": "Python"})

    found = Run.objects.filter(project=project, stage="extract_pairs").first()  # the newest
    wait_for(found or generate(), step, generate)
    pairs_approve_by_rule(project=project, by=by)
    return Pair.objects.filter(project=project, status=PairStatus.APPROVED).count()


def ensure_dataset(project: Project, by: User) -> DatasetVersion:
    return DatasetVersion.objects.filter(project=project).order_by("number").first() or dataset_version_cut(
        project=project, by=by, seed=SEED
    )


def ensure_base_model(by: User, step: Step) -> Artifact:
    def again(_: Run) -> Run:
        made = base_model_ensure(key=BASE_MODEL, by=by)
        assert isinstance(made, Run)
        return made

    made = base_model_ensure(key=BASE_MODEL, by=by)
    if isinstance(made, Artifact):
        return made
    artifact = wait_for(made, step, again).output("model")
    assert artifact is not None
    return artifact


def ensure_pipeline(project: Project, by: User, dataset: DatasetVersion, steps: list[dict[str, object]]) -> Pipeline:
    return Pipeline.objects.filter(project=project).order_by("created_at").first() or pipeline_launch(
        project=project, by=by, base_key=BASE_MODEL, dataset=dataset.artifact, steps=steps
    )


def ensure_stage(project: Project, stage: str, by: User, step: Step) -> Run:
    """Wait until the pipeline's run of ``stage`` has succeeded."""
    return wait_for(run_of(project, stage), step, lambda run: _begin_again(project, run, by))


def _begin_again(project: Project, run: Run, by: User) -> Run:
    """``run`` resumed or, where that cannot be, a new one in its place, which takes what the runs now in their places make."""
    if run_can_resume(run):
        run_resume(run=run, by=by)
        return run
    inputs: dict[str, Source] = {}
    for item in run.inputs.select_related("artifact", "from_run"):
        if item.artifact is not None:
            inputs[item.role] = item.artifact
        elif item.from_run is not None:
            inputs[item.role] = (run_of(project, item.from_run.stage), item.from_role)
    with transaction.atomic():
        new = run_create(
            project=project, stage=run.stage, params=run.params, inputs=inputs, by=by, title=run.title, seed=run.seed, rerun_of=run
        )
        PipelineRun.objects.filter(run=run).update(run=new)
    return new


def run_of(project: Project, stage: str) -> Run:
    """The run of ``stage`` in the project's first pipeline."""
    run = Run.objects.filter(pipelines__project=project, stage=stage).order_by("pipelines__created_at").first()
    if run is None:
        raise DemoError(f"There is no run of {stage}.")
    return run


def ensure_chat(project: Project, by: User, model: Artifact) -> Message:
    """One question, asked as a person would; returns the model's answer."""
    found = Conversation.objects.filter(project=project, user=by, title=QUESTION).first()
    if found and (answer := found.messages.filter(role=Message.Role.ASSISTANT).first()):
        return answer
    found = found or chat.conversation_create(project=project, user=by, model=model, question=QUESTION, with_documents=True)
    if not found.messages.exists():
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
