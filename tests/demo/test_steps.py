"""A second start of the demo goes on from wherever the first one was interrupted."""

import time
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone

from curation.services import pair_create, pairs_generate
from dslm_studio.demo import steps
from dslm_studio.demo.display import Display, Step
from projects.models import Project, User
from retrieval.models import Document, DocumentVersion, VersionStatus
from retrieval.services import documents_ingest
from runs.models import Run, Status
from runs.services import run_end
from runs.taking_in import _take_in
from tests.catalogue import made
from tests.retrieval.conftest import TEXTS, chunks_folder
from training.models import Pipeline

pytestmark = pytest.mark.django_db
MADE_BY = {
    "sft": ("adapter", "adapter", {"adapter_model.safetensors": b"adapter"}),
    "merge": ("model", "hf-model", {"model.safetensors": b"model"}),
    "quantize": ("model", "gguf-model", {"model.gguf": b"GGUF"}),
    "evaluate": ("report", "report", {"report.json": b"{}", "samples.jsonl": b""}),
    "import_base": ("model", "hf-model", {"model.safetensors": b"base", "config.json": b"{}"}),
    "extract_pairs": ("pairs", "pairs", {"pairs.jsonl": b""}),
}


@pytest.fixture
def step() -> Step:
    return Step(Display({}), "A step", lambda: None)


@pytest.fixture(autouse=True)
def corpus(monkeypatch: pytest.MonkeyPatch) -> None:
    def write(folder: Path) -> list[Path]:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in TEXTS.items():
            (folder / name).write_text(text)
        return sorted(folder / name for name in TEXTS)

    monkeypatch.setattr(steps.corpus, "write", write)


class Worker:
    """Stands in for the workers: whatever is queued succeeds, unless ``ends`` says how runs of its stage end instead, once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.ends: dict[str, Status] = {}

    def work(self, _: float = 0) -> None:
        for run in Run.objects.filter(status=Status.STOPPING):
            run_end(run.pk, Status.STOPPED)
        for run in Run.objects.filter(status=Status.QUEUED).order_by("created_at"):
            begin(run)
            end = self.ends.pop(run.stage, Status.SUCCEEDED)
            if end == Status.SUCCEEDED:
                self._make(run)
            run_end(run.pk, end)

    def _make(self, run: Run) -> None:
        if run.stage == "ingest":
            versions = list(DocumentVersion.objects.filter(run=run).select_related("document"))
            folder = chunks_folder(self._folder / str(run.pk), versions, TEXTS, {})
            files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
            _take_in(made.artifact(run.project, "chunks", files, run=run, role="chunks", ready=False))
        else:
            role, kind, content = MADE_BY[run.stage]
            made.artifact(run.project, kind, content, run=run, role=role)


def begin(run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(status=Status.RUNNING, started_at=timezone.now())


def interrupted(run: Run, end: Status = Status.STOPPED) -> Run:
    """``run`` as a start that ended an hour ago left it: begun, and ended so."""
    began = timezone.now() - timedelta(hours=1)
    Run.objects.filter(pk=run.pk).update(status=Status.RUNNING, started_at=began)
    if end not in (Status.RUNNING, Status.STOPPING):
        run_end(run.pk, end)
    else:
        Run.objects.filter(pk=run.pk).update(status=end)
    run.refresh_from_db()
    return run


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Worker:
    found = Worker(tmp_path)
    monkeypatch.setattr(steps, "time", SimpleNamespace(sleep=found.work, monotonic=time.monotonic))
    return found


def statuses(project: Project) -> set[str]:
    return set(DocumentVersion.objects.filter(document__project=project).values_list("status", flat=True))


def ingests(project: Project) -> list[str]:
    return list(Run.objects.filter(project=project, stage="ingest").order_by("created_at").values_list("status", flat=True))


# --- documents ---


@pytest.mark.parametrize("end", [Status.STOPPED, Status.LOST, Status.FAILED, Status.STOPPING])
def test_documents_that_were_being_read_are_read(project: Project, owner: User, step: Step, worker: Worker, end: Status) -> None:
    steps._upload_missing(project, owner, step)
    interrupted(documents_ingest(project=project, by=owner), end)
    assert steps.ensure_documents(project, owner, step) == 3
    assert statuses(project) == {VersionStatus.READY}
    assert ingests(project)[-1] == Status.SUCCEEDED
    steps.ensure_documents(project, owner, step)
    assert len(ingests(project)) == 2


def test_documents_are_given_back_that_a_dead_worker_kept(project: Project, owner: User, step: Step, worker: Worker) -> None:
    steps._upload_missing(project, owner, step)
    run = documents_ingest(project=project, by=owner)
    Run.objects.filter(pk=run.pk).update(status=Status.STOPPED, started_at=timezone.now() - timedelta(hours=1))
    assert statuses(project) == {VersionStatus.READING}
    steps.ensure_documents(project, owner, step)
    assert statuses(project) == {VersionStatus.READY}


def test_an_upload_that_broke_off_is_finished(
    project: Project, owner: User, step: Step, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = steps.corpus.write
    monkeypatch.setattr(steps.corpus, "write", lambda folder: whole(folder)[:1])
    steps._upload_missing(project, owner, step)
    monkeypatch.setattr(steps.corpus, "write", whole)
    assert steps.ensure_documents(project, owner, step) == 3
    assert set(Document.objects.values_list("name", flat=True)) == set(TEXTS)
    assert DocumentVersion.objects.count() == 3


def test_what_goes_wrong_in_this_very_start_is_told(project: Project, owner: User, step: Step, worker: Worker) -> None:
    worker.ends = {"ingest": Status.FAILED}
    with pytest.raises(steps.DemoError, match="failed"):
        steps.ensure_documents(project, owner, step)
    assert ingests(project) == [Status.FAILED]


# --- pairs and the base model ---


@pytest.mark.parametrize("end", [Status.STOPPED, Status.LOST, Status.FAILED])
def test_pairs_are_made_anew_where_making_them_was_interrupted(
    project: Project, owner: User, step: Step, worker: Worker, end: Status
) -> None:
    steps.ensure_documents(project, owner, step)
    interrupted(pairs_generate(project=project, by=owner), end)
    steps.ensure_pairs(project, owner, step)
    steps.ensure_pairs(project, owner, step)
    found = Run.objects.filter(stage="extract_pairs").order_by("created_at")
    assert [run.status for run in found] == [end, Status.SUCCEEDED]
    assert found[1].params["about"] == "Python"


def test_pairs_of_which_only_some_came_in_are_waited_for(project: Project, owner: User, step: Step, worker: Worker) -> None:
    steps.ensure_documents(project, owner, step)
    run = pairs_generate(project=project, by=owner)
    pair_create(project=project, by=owner, question="What came in already?", answer="This one.")
    steps.ensure_pairs(project, owner, step)
    run.refresh_from_db()
    assert run.status == Status.SUCCEEDED


def test_an_interrupted_import_of_the_base_model_is_begun_again(owner: User, step: Step, worker: Worker) -> None:
    first = steps.base_model_ensure(key=steps.BASE_MODEL, by=owner)
    assert isinstance(first, Run)
    interrupted(first, Status.STOPPING)
    artifact = steps.ensure_base_model(owner, step)
    assert artifact.kind == "hf-model"
    assert artifact.produced_by != first
    assert steps.ensure_base_model(owner, step) == artifact


# --- the pipeline ---

STAGES = ("sft", "merge", "quantize", "evaluate")


@pytest.fixture
def pipeline(project: Project, owner: User) -> Pipeline:
    made.base()
    dataset = SimpleNamespace(artifact=made.dataset(project))
    return steps.ensure_pipeline(project, owner, dataset, [{"stage": stage, "params": {}} for stage in STAGES])  # type: ignore[arg-type]


def go_on(project: Project, by: User, step: Step) -> dict[str, Run]:
    return {stage: steps.ensure_stage(project, stage, by, step) for stage in STAGES}


@pytest.mark.parametrize("end", [Status.STOPPED, Status.LOST, Status.FAILED, Status.STOPPING])
def test_a_training_that_was_stopped_is_resumed(
    project: Project, owner: User, step: Step, worker: Worker, pipeline: Pipeline, end: Status
) -> None:
    sft = interrupted(steps.run_of(project, "sft"), end)
    runs = go_on(project, owner, step)
    assert {run.status for run in runs.values()} == {Status.SUCCEEDED}
    assert (runs["sft"].pk, runs["sft"].attempt) == (sft.pk, 2)
    assert Run.objects.filter(project=project).count() == len(STAGES)


def test_a_cancelled_training_is_begun_anew_with_all_that_follows(
    project: Project, owner: User, step: Step, worker: Worker, pipeline: Pipeline
) -> None:
    sft = interrupted(steps.run_of(project, "sft"), Status.RUNNING)
    Run.objects.filter(pk=sft.pk).update(cancelled=True)
    run_end(sft.pk, Status.STOPPED)
    runs = go_on(project, owner, step)
    assert {run.status for run in runs.values()} == {Status.SUCCEEDED}
    assert runs["sft"].rerun_of == sft
    assert set(pipeline.runs.all()) == set(runs.values())


@pytest.mark.parametrize("end", [Status.STOPPED, Status.LOST, Status.STOPPING])
def test_a_step_that_cannot_resume_is_done_anew_and_feeds_the_next(
    project: Project, owner: User, step: Step, worker: Worker, pipeline: Pipeline, end: Status
) -> None:
    sft = steps.run_of(project, "sft")
    begin(sft)
    worker._make(sft)
    run_end(sft.pk, Status.SUCCEEDED)
    merge = interrupted(steps.run_of(project, "merge"), end)
    runs = go_on(project, owner, step)
    assert {run.status for run in runs.values()} == {Status.SUCCEEDED}
    assert runs["sft"] == sft
    assert runs["merge"].rerun_of == merge
    assert runs["quantize"].inputs.get().artifact == runs["merge"].output("model")
    assert set(pipeline.runs.all()) == set(runs.values())
    assert go_on(project, owner, step) == runs


def test_a_training_that_is_stopped_now_is_left_so_until_the_next_start(
    project: Project, owner: User, step: Step, worker: Worker, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker.ends = {"sft": Status.STOPPED}
    with pytest.raises(steps.DemoError, match="Start the demo again"):
        go_on(project, owner, step)
    monkeypatch.setattr(steps, "BEGAN", timezone.now())
    assert go_on(project, owner, step)["sft"].attempt == 2


def test_a_question_that_got_no_answer_is_not_asked_twice(project: Project, owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    base = made.base()
    model = made.gguf(project, base)

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(steps, "ask", killed)
    with pytest.raises(KeyboardInterrupt):
        steps.ensure_chat(project, owner, model)
    monkeypatch.setattr(steps, "ask", lambda *_: steps.Answer(text="It makes names of an outer scope assignable."))
    answer = steps.ensure_chat(project, owner, model)
    assert [message.role for message in answer.conversation.messages.order_by("pk")] == ["user", "assistant"]
