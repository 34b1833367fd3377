"""Two machines: real Celery workers with folders of their own, that share the database, Redis and an S3 store, and nothing else."""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as studio
from django.db import connection

from engine import manifest
from engine.spec import CHECKPOINTS
from projects.models import Project, User
from runs.artifacts import artifact_path
from runs.models import Artifact, MetricPoint, Run, Status
from runs.services import run_create
from runs.store import shared_store
from tests.materials import ROOT
from tests.runs.conftest import end_engine, fresh, wait_until
from tests.s3 import BUCKET

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
Machines = Callable[..., subprocess.Popen[bytes]]
Training = Callable[..., Run]
SMALL = {"batch_size": 2, "max_length": 64, "eval_every": 100, "eval_rows": 1, "general_rows": 0, "rank": 4}


@pytest.fixture(autouse=True)
def shared(s3: dict[str, str], settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The tests' own process is the web: a third machine."""
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    settings.ARTIFACT_STORE_URL = f"s3://{BUCKET}/{uuid.uuid4().hex}"
    settings.ARTIFACT_ROOT, settings.RUN_ROOT = tmp_path / "web" / "artifacts", tmp_path / "web" / "runs"
    settings.HOST_NAME = "web"


@pytest.fixture
def start(transactional_db: None, shared: None, tmp_path: Path) -> Iterator[Machines]:
    """``start("a")``: the worker of machine a, in a process group of its own, with all that is a's under ``tmp_path / "a"``."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(name: str, *more: str, queues: str = "gpu") -> subprocess.Popen[bytes]:
        home = tmp_path / name
        home.mkdir()
        environment = {key: value for key, value in os.environ.items() if key != "PYTEST_XDIST_WORKER"} | {
            "DJANGO_SETTINGS_MODULE": "tests.settings", "DATABASE_URL": f"sqlite:///{connection.settings_dict['NAME']}",
            "REDIS_URL": studio.REDIS_URL, "STUDIO_HOME": str(home), "STUDIO_HOST_NAME": name, "STUDIO_SECRET_KEY": studio.SECRET_KEY,
            "ARTIFACT_STORE_URL": studio.ARTIFACT_STORE_URL,
        }  # fmt: skip
        command = [sys.executable, "-m", "celery", "-A", "dslm_studio", "worker", "-Q", queues, "-n", f"{name}@%h", "-c", "1"]
        with open(home / "log.txt", "wb") as log:
            worker = subprocess.Popen([*command, *more], cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)
        started.append(worker)
        return worker

    yield begin
    for worker in started:
        kill(worker)
    for run in Run.objects.all():
        end_engine(run)


def kill(worker: subprocess.Popen[bytes]) -> None:
    """The worker with its children, at once."""
    try:
        os.killpg(worker.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    worker.wait()


def test_a_second_machine_does_the_next_step_with_what_the_first_one_made(
    start: Machines, project: Project, owner: User, model_artifact: Artifact, training_run: Training, tmp_path: Path
) -> None:
    training = training_run(**SMALL, max_steps=2)
    inputs = {"model": model_artifact, "adapter": (training, "adapter")}
    merging = run_create(project=project, stage="merge", params={}, inputs=inputs, by=owner)
    first = start("a")
    wait_until(lambda: fresh(training).status == Status.RUNNING, 600, what=log_of(tmp_path / "a"))
    second = start("b")
    first.terminate()  # it finishes what it does, and takes no more
    wait_until(lambda: fresh(merging).is_ended, 600, what=log_of(tmp_path / "b"))
    assert [(fresh(run).status, fresh(run).host) for run in (training, merging)] == [(Status.SUCCEEDED, "a"), (Status.SUCCEEDED, "b")]
    assert first.wait(60) == 0 and second.poll() is None
    merged = fresh(merging).outputs.get(ready=True)
    assert not (tmp_path / "a" / "artifacts" / merged.uri).exists()
    assert (tmp_path / "b" / "artifacts" / "adapter").is_dir(), "it had to fetch the adapter"
    assert not (studio.ARTIFACT_ROOT / merged.uri).exists()
    assert manifest.verify(artifact_path(merged)).sha256 == merged.sha256  # the page that offers it for download has it as well


def test_a_machine_that_is_lost_with_all_its_folders_is_followed_by_another(
    start: Machines, training_run: Training, tmp_path: Path
) -> None:
    run = training_run(**SMALL, max_steps=12, checkpoint_every=2)
    store = shared_store()
    assert store is not None
    first = start("a")
    wait_until(lambda: store.keys(f"runs/{run.pk}"), 600, what=log_of(tmp_path / "a"))
    kill(first)
    end_engine(run)
    os.rename(tmp_path / "a", tmp_path / "lost")
    assert fresh(run).status == Status.RUNNING
    reached = MetricPoint.objects.filter(run=run, metric="train_loss").count()
    assert 2 <= reached < 12
    start("b", "--beat", "--schedule-filename", str(tmp_path / "schedule"), queues="gpu,light")
    wait_until(lambda: fresh(run).is_ended, 600, what=log_of(tmp_path / "b"))
    done = fresh(run)
    assert (done.status, done.attempt, done.host) == (Status.SUCCEEDED, 2, "b"), done.error
    assert done.resume_from.startswith(f"1/{CHECKPOINTS}/")
    again = list(MetricPoint.objects.filter(run=run, metric="train_loss", attempt=2).order_by("step").values_list("step", flat=True))
    begun_at = int(done.resume_from[-8:])
    assert again == list(range(begun_at + 1, 13)) and begun_at >= 2
    assert done.outputs.get(ready=True).facts["steps"] == 12
    wait_until(lambda: store._names(f"runs/{run.pk}") == [], 30, "the copies of its checkpoints are not needed any more")


def log_of(home: Path) -> str:
    return f"see {home / 'log.txt'}"
