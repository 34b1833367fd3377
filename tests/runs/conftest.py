"""A run that trains for real, small enough to be killed many times."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import psutil
import pytest
from django.conf import settings
from django.db import connection

from projects.models import Project, User
from runs.artifacts import artifact_register
from runs.models import Artifact, Run
from runs.services import run_create
from tests.materials import ROOT, base_model_folder, write_chunks, write_dataset
from tests.s3 import s3_server

TRAINING = {
    "batch_size": 4,
    "max_length": 128,
    "eval_every": 100,
    "eval_rows": 1,
    "checkpoint_every": 3,
    "max_steps": 16,
    "epochs": 4,
    "rank": 4,
    "general_rows": 0,
}


@pytest.fixture(scope="session")
def s3() -> Iterator[dict[str, str]]:
    """A real S3 server; the variables by which a client reaches it."""
    with s3_server() as variables:
        yield variables


@pytest.fixture
def model_artifact(transactional_db: None) -> Artifact:
    """The base model, instance-wide, linked rather than copied."""
    folder = Path(settings.STUDIO_HOME) / "incoming" / "model"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(base_model_folder(), folder, copy_function=os.link)
    return artifact_register(project=None, kind="hf-model", folder=folder)


@pytest.fixture
def dataset_artifact(transactional_db: None, project: Project, tmp_path: Path) -> Artifact:
    return artifact_register(project=project, kind="dataset", folder=write_dataset(tmp_path / "dataset"))


@pytest.fixture
def training_run(project: Project, owner: User, model_artifact: Artifact, dataset_artifact: Artifact) -> Callable[..., Run]:
    def make(**params: object) -> Run:
        return run_create(
            project=project,
            stage="sft",
            params={**TRAINING, **params},
            inputs={"model": model_artifact, "dataset": dataset_artifact},
            by=owner,
        )

    return make


@pytest.fixture
def quick_run(transactional_db: None, project: Project, owner: User, tmp_path: Path) -> Run:
    """A run of a second: pairs from one short document. Its stage cannot be resumed."""
    chunks = artifact_register(project=project, kind="chunks", folder=write_chunks(tmp_path / "chunks"))
    return run_create(project=project, stage="extract_pairs", params={}, inputs={"chunks": chunks}, by=owner)


@pytest.fixture
def supervisor(transactional_db: None) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """``supervisor(run)``: a process of its own that supervises the run, as a worker would; extra variables may name a fault."""
    started: list[subprocess.Popen[bytes]] = []
    name = connection.settings_dict["NAME"]

    def make(run: Run, **variables: str) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "DATABASE_URL": f"sqlite:///{name}", **variables}
        code = f"import django; django.setup(); from uuid import UUID; from runs.supervising import supervise; supervise(UUID('{run.pk}'))"
        process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environment)
        started.append(process)
        return process

    yield make
    for process in started:
        process.kill()
        process.wait()
    for run in Run.objects.all():
        end_engine(run)


def fresh(run: Run) -> Run:
    """The run as the database has it now."""
    return Run.objects.get(pk=run.pk)


def engine_process(run_id: UUID) -> psutil.Process | None:
    """The live engine of the run, found by its command line."""
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        if "engine" in words and any(str(run_id) in word for word in words) and process.info["status"] != psutil.STATUS_ZOMBIE:
            return process
    return None


def end_engine(run: Run) -> None:
    for process in psutil.process_iter(["cmdline"]):
        if any(str(run.pk) in word for word in process.info["cmdline"] or []):
            process.kill()


def wait_until(condition: Callable[[], object], seconds: float = 240, what: str = "") -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what or condition}"
        time.sleep(0.1)
