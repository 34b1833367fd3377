"""Artifacts in a store that several machines share: a real S3 server, and a second machine's folder beside the first's."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from engine import manifest
from engine.spec import CHECKPOINTS
from projects.models import Project, User
from projects.services import project_delete
from retrieval.services.rewriting import artifact_without
from runs.artifacts import artifact_erase, artifact_path, artifact_register
from runs.models import Artifact, Run, RunInput, Status
from runs.reconciling import reconcile
from runs.services import latest_checkpoint
from runs.store import SharedStore, StoreAway, cache, shared, shared_store
from runs.store.checkpoints import Uploads, checkpoint_folder
from tests.materials import ROOT
from tests.runs.conftest import fresh
from tests.s3 import BUCKET

pytestmark = pytest.mark.slow
Machine = Callable[[str], None]
FAULTS_OF_STORING = ["store.before_rename", "store.after_rename", "store.before_manifest", "store.before_row", "store.after_row"]
ODD = "a name #1, 50% ü+?.txt"


@pytest.fixture
def store_url(s3: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    return f"s3://{BUCKET}/{uuid.uuid4().hex}"


@pytest.fixture
def machine(settings: Any, store_url: str, tmp_path: Path) -> Machine:
    """``machine("b")``: from now on this process is on machine b, with folders of its own. It begins on a."""

    def be(name: str) -> None:
        settings.ARTIFACT_ROOT = tmp_path / name / "artifacts"
        settings.RUN_ROOT = tmp_path / name / "runs"
        settings.HOST_NAME = name

    settings.ARTIFACT_STORE_URL = store_url
    be("a")
    return be


@pytest.fixture
def store(machine: Machine) -> SharedStore:
    found = shared_store()
    assert found is not None
    return found


@pytest.fixture
def make(machine: Machine, project: Project, tmp_path: Path) -> Callable[..., Artifact]:
    """``make()``: an artifact registered on this machine."""

    def build(size: int = 1000, **facts: Any) -> Artifact:
        folder = tmp_path / uuid.uuid4().hex
        (folder / "texts").mkdir(parents=True)
        (folder / "texts" / ODD).write_bytes(os.urandom(size))
        (folder / "big").write_bytes(os.urandom(size))
        return artifact_register(project=project, kind="chunks", folder=folder, facts=facts)

    return build


def python(code: str, settings: Any, **variables: str) -> subprocess.Popen[bytes]:
    """A process of its own, on the machine that this one is on."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_XDIST_WORKER"}
    environment |= {"DJANGO_SETTINGS_MODULE": "tests.settings", "DATABASE_URL": f"sqlite:///{connection.settings_dict['NAME']}"}
    roots = f"settings.ARTIFACT_ROOT, settings.RUN_ROOT = Path({str(settings.ARTIFACT_ROOT)!r}), Path({str(settings.RUN_ROOT)!r})"
    start = f"import django; django.setup(); from pathlib import Path; from django.conf import settings; {roots}; "
    environment["ARTIFACT_STORE_URL"] = settings.ARTIFACT_STORE_URL
    return subprocess.Popen([sys.executable, "-c", start + code], cwd=ROOT, env=environment | variables)


def registering(run: Run, folder: Path) -> str:
    return (
        f"from runs.models import Run; from runs.artifacts import artifact_register; run = Run.objects.get(pk='{run.pk}'); "
        f"artifact_register(project=run.project, kind='pairs', folder=Path({str(folder)!r}), produced_by=run, role='pairs')"
    )


def fetching(artifact: Artifact) -> str:
    get = f"Artifact.objects.get(pk='{artifact.pk}')"
    return f"from runs.models import Artifact; from runs.artifacts import artifact_path; artifact_path({get})"


def left_over(root: Path) -> list[str]:
    return [path.name for path in root.glob("*/*") if path.is_dir() and "." in path.name]


@pytest.fixture
def run(project: Project, owner: User) -> Run:
    return Run.objects.create(
        project=project, stage="sft", title="Training", queue="gpu", created_by=owner, status=Status.RUNNING, host="a"
    )


# --- storing and fetching ---


def test_what_one_machine_made_another_one_has(make: Callable[..., Artifact], machine: Machine) -> None:
    artifact = make(size=20 * 2**20)  # in several parts
    first = artifact_path(artifact)
    machine("b")
    second = artifact_path(artifact)
    assert first != second
    assert manifest.verify(second) == manifest.verify(first)
    assert (second / "texts" / ODD).read_bytes() == (first / "texts" / ODD).read_bytes()
    inode = second.stat().st_ino
    assert artifact_path(artifact).stat().st_ino == inode, "it was fetched again"


def test_without_a_store_its_library_is_not_even_loaded(settings: Any, tmp_path: Path) -> None:
    settings.ARTIFACT_ROOT, settings.RUN_ROOT, settings.ARTIFACT_STORE_URL = tmp_path / "artifacts", tmp_path / "runs", ""
    code = "from runs.artifacts import artifact_path; from runs.models import Artifact; import dslm_studio.asgi, sys; "
    code += "assert artifact_path(Artifact(uri='chunks/x')) == settings.ARTIFACT_ROOT / 'chunks/x'; assert 'obstore' not in sys.modules"
    assert python(code, settings).wait(60) == 0


@pytest.mark.parametrize("what", ["another byte", "cut short", "a file missing", "another artifact", "a file outside", "no manifest"])
def test_what_is_not_what_was_stored_is_refused(
    make: Callable[..., Artifact], machine: Machine, store: SharedStore, settings: Any, what: str
) -> None:
    import obstore

    artifact, other = make(), make()
    inside, key = store._store, artifact.uri
    good = bytes(obstore.get(inside, f"{key}/big").bytes())
    text = bytes(obstore.get(inside, f"{key}/{manifest.MANIFEST_FILE}").bytes())
    if what == "another byte":
        obstore.put(inside, f"{key}/big", bytes([good[0] ^ 1]) + good[1:])
    elif what == "cut short":
        obstore.put(inside, f"{key}/big", good[:-1])
    elif what == "a file missing":
        obstore.delete(inside, f"{key}/big")
    elif what == "another artifact":
        obstore.put(inside, f"{key}/{manifest.MANIFEST_FILE}", bytes(obstore.get(inside, f"{other.uri}/{manifest.MANIFEST_FILE}").bytes()))
    elif what == "a file outside":
        obstore.put(inside, f"{key}/{manifest.MANIFEST_FILE}", text.replace(b'"big"', b'"../../../big"'))
    else:
        obstore.put(inside, f"{key}/{manifest.MANIFEST_FILE}", text[:40])
    machine("b")
    with pytest.raises(manifest.ManifestError):
        artifact_path(artifact)
    assert not (settings.ARTIFACT_ROOT / artifact.uri).exists() and not left_over(settings.ARTIFACT_ROOT)
    assert not list(settings.ARTIFACT_ROOT.parent.rglob("big")), "something was written outside of its folder"


def test_a_store_that_does_not_answer_is_said_and_costs_nothing(
    make: Callable[..., Artifact], machine: Machine, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = make()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(shared, "PATIENCE", timedelta(seconds=0.2))
    settings.ARTIFACT_STORE_URL += "/"  # another client
    assert artifact_path(artifact).is_dir(), "what is here needs no store"
    machine("b")
    with pytest.raises(StoreAway, match="could not look for chunks"):
        artifact_path(artifact)
    before = Artifact.objects.count()
    with pytest.raises(StoreAway):
        make()
    assert Artifact.objects.count() == before


@pytest.mark.django_db(transaction=True)
def test_two_processes_that_need_the_same_at_once_both_have_it(make: Callable[..., Artifact], machine: Machine, settings: Any) -> None:
    artifact = make(size=30 * 2**20)
    machine("b")
    both = [python(fetching(artifact), settings) for _ in range(2)]
    assert [process.wait(120) for process in both] == [0, 0]
    manifest.verify(settings.ARTIFACT_ROOT / artifact.uri)
    assert not left_over(settings.ARTIFACT_ROOT)


@pytest.mark.django_db(transaction=True)
def test_what_a_run_makes_on_one_machine_is_on_all(machine: Machine, quick_run: Run, settings: Any) -> None:
    code = f"from uuid import UUID; from runs.supervising import supervise; supervise(UUID('{quick_run.pk}'))"
    machine("b")  # what it reads was registered on a
    assert python(code, settings).wait(300) == 0
    made = fresh(quick_run).outputs.get(ready=True)
    machine("a")
    manifest.verify(artifact_path(made))


# --- dying in the middle ---


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("point", FAULTS_OF_STORING)
def test_who_dies_while_storing_is_followed_by_one_that_finishes(
    run: Run, machine: Machine, store: SharedStore, settings: Any, tmp_path: Path, point: str
) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "pairs.jsonl").write_text('{"question": "?"}\n')
    manifest.write(folder, "pairs")
    assert python(registering(run, folder), settings, STUDIO_FAULT=point).wait(60) == -signal.SIGKILL
    assert all(store.manifest_of(artifact.uri) for artifact in Artifact.objects.all()), "there is a row without files in the store"
    assert python(registering(run, folder), settings).wait(60) == 0
    artifact = run.outputs.get()
    assert store.keys("pairs") == [artifact.uri]
    machine("b")
    manifest.verify(artifact_path(artifact))


@pytest.mark.django_db(transaction=True)
def test_who_dies_while_fetching_leaves_nothing_in_the_way(make: Callable[..., Artifact], machine: Machine, settings: Any) -> None:
    artifact = make()
    machine("b")
    assert python(fetching(artifact), settings, STUDIO_FAULT="cache.before_rename").wait(60) == -signal.SIGKILL
    assert not (settings.ARTIFACT_ROOT / artifact.uri).exists() and left_over(settings.ARTIFACT_ROOT)
    manifest.verify(artifact_path(artifact))
    assert not left_over(settings.ARTIFACT_ROOT)


# --- the cache ---


def long_ago(artifact: Artifact, hours: float) -> None:
    then = time.time() - hours * 3600
    os.utime(artifact_path(artifact), (then, then))


def test_what_was_asked_for_the_longest_ago_goes_first_and_never_what_is_in_use(
    make: Callable[..., Artifact], machine: Machine, store: SharedStore, settings: Any, run: Run
) -> None:
    read, older, old, recent, alone = (make() for _ in range(5))
    RunInput.objects.create(run=run, role="dataset", artifact=read)
    store.erase(alone.uri)
    for artifact, hours in ((read, 9.0), (alone, 8.0), (older, 7.0), (old, 6.0), (recent, 0.5)):
        long_ago(artifact, hours)
    settings.ARTIFACT_CACHE_BYTES = sum(one.bytes for one in (read, older, old, recent, alone)) - 1
    cache.make_room(store)
    assert [place(one).is_dir() for one in (read, older, old, recent, alone)] == [True, False, True, True, True]
    settings.ARTIFACT_CACHE_BYTES = 0
    cache.make_room(store)
    assert [place(one).is_dir() for one in (read, older, old, recent, alone)] == [True, False, False, True, True]
    assert artifact_path(old).is_dir(), "it is fetched again"


def place(artifact: Artifact) -> Path:
    from django.conf import settings

    return settings.ARTIFACT_ROOT / artifact.uri


def test_what_is_no_artifact_is_left_alone(make: Callable[..., Artifact], store: SharedStore, settings: Any) -> None:
    export = settings.ARTIFACT_ROOT / "exports" / str(uuid.uuid4())
    export.mkdir(parents=True)
    (export / "pairs.jsonl").write_text("{}")
    being_made = settings.ARTIFACT_ROOT / "chunks" / str(uuid.uuid4())
    being_made.mkdir(parents=True)
    (being_made / manifest.MANIFEST_FILE).write_text("{}")  # renamed a moment ago: its row comes
    os.utime(export, (1, 1))
    settings.ARTIFACT_CACHE_BYTES = 0
    cache.sweep(store)
    assert export.is_dir() and being_made.is_dir()
    os.utime(being_made, (1, 1))
    cache.sweep(store)
    assert export.is_dir() and not being_made.exists()


@pytest.mark.django_db(transaction=True)
def test_what_a_dead_supervisor_left_between_two_steps_waits_for_the_next_one(
    run: Run, machine: Machine, store: SharedStore, settings: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "adapter_config.json").write_text("{}")
    code = registering(run, folder).replace("pairs", "adapter")
    assert python(code, settings, STUDIO_FAULT="store.after_rename").wait(60) == -signal.SIGKILL
    [left] = (settings.ARTIFACT_ROOT / "adapter").iterdir()
    os.utime(left, (1, 1))
    other = settings.RUN_ROOT / str(uuid.uuid4())
    for folder in (other, run.folder):
        folder.mkdir(parents=True)
    cache.sweep(store)
    assert left.is_dir() and run.folder.is_dir()
    assert not other.exists(), "its run is gone with its project"
    Run.objects.update(status=Status.LOST)
    cache.sweep(store)
    assert not left.exists()


# --- erasing ---


def test_an_erased_artifact_is_gone_everywhere(make: Callable[..., Artifact], machine: Machine, store: SharedStore) -> None:
    artifact = make()
    here = artifact_path(artifact)
    machine("b")
    there = artifact_path(artifact)
    assert there.is_dir()
    machine("a")
    artifact_erase(artifact)
    artifact_erase(artifact)  # who died half-way asks again
    artifact.refresh_from_db()
    assert not here.exists() and not artifact.ready and store._names(artifact.uri) == []
    assert not artifact_path(artifact).exists()
    machine("b")
    cache.sweep(store)
    assert there.is_dir(), "an hour ago somebody may have begun to read it"
    then = time.time() - 2 * cache.KEEP_SECONDS
    os.utime(there, (then, then))
    cache.sweep(store)
    assert not there.exists()


def test_what_only_this_machine_has_is_never_dropped_for_something_to_fetch(
    machine: Machine, store: SharedStore, make: Callable[..., Artifact]
) -> None:
    artifact = make()
    store.erase(artifact.uri)
    Artifact.objects.update(facts={"erased": ["1"]})  # by somebody who died before the files were rewritten
    artifact.refresh_from_db()
    assert manifest.verify(artifact_path(artifact))


def test_what_was_erased_of_an_artifact_is_gone_everywhere(machine: Machine, store: SharedStore, project: Project, tmp_path: Path) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "rows.jsonl").write_text('{"version": "1", "file": "one"}\n{"version": "2", "file": "two"}\n')
    for name in ("one", "two"):
        (folder / name).write_text(f"the words of {name}")
    artifact = artifact_register(project=project, kind="chunks", folder=folder)
    machine("b")
    there = artifact_path(artifact)
    machine("a")

    def write(old: Path, new: Path, rows: list[Any], held: set[str]) -> None:
        (new / "rows.jsonl").write_text('{"version": "2", "file": "two"}\n')
        (new / "two").write_text((old / "two").read_text())

    artifact_without(artifact, {"1"}, listed="rows.jsonl", write=write)
    assert sorted(name.rsplit("/", 1)[-1] for name in store._names(artifact.uri)) == ["artifact.json", "rows.jsonl", "two"]
    machine("b")
    artifact.refresh_from_db()
    assert (there / "one").exists()
    cache.sweep(store)
    assert not there.exists()
    assert artifact_path(artifact) == there and not (there / "one").exists() and (there / "two").exists()


@pytest.mark.django_db(transaction=True)
def test_a_deleted_project_leaves_nothing_in_the_store(
    make: Callable[..., Artifact], store: SharedStore, project: Project, owner: User, run: Run
) -> None:
    artifact = make()
    checkpoint(run, 2)
    copied(run)
    assert store.keys("runs") and store.keys(artifact.uri.split("/")[0])
    Run.objects.update(status=Status.STOPPED)
    project_delete(project=project, by=owner)
    assert store._names("") == []


def test_what_was_there_before_the_store_is_copied_by_a_command(
    machine: Machine, settings: Any, project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url, settings.ARTIFACT_STORE_URL = settings.ARTIFACT_STORE_URL, ""
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "a").write_text("a")
    artifact = artifact_register(project=project, kind="chunks", folder=folder)
    settings.ARTIFACT_STORE_URL = url
    call_command("artifacts_share")
    machine("b")
    manifest.verify(artifact_path(artifact))


# --- checkpoints ---


def checkpoint(run: Run, step: int) -> Path:
    """As the engine leaves it."""
    folder = run.attempt_folder / CHECKPOINTS / f"{step:08d}"
    folder.mkdir(parents=True)
    (folder / "state.pt").write_bytes(os.urandom(3000))
    manifest.write(folder, "checkpoint", {"step": step})
    return folder


def copied(run: Run) -> None:
    uploads = Uploads(run)
    uploads.look()
    uploads.finish()
    uploads.close()


@pytest.fixture
def two_copied(run: Run, machine: Machine, store: SharedStore) -> Run:
    """Checkpoints of the steps 4 and 6 are in the store; machine a with its folders is gone."""
    for step in (2, 4, 6):
        checkpoint(run, step)
        copied(run)
    assert store.keys(f"runs/{run.pk}") == [f"runs/{run.pk}/1/{CHECKPOINTS}/{step:08d}" for step in (4, 6)]
    machine("b")
    return run


def test_another_machine_goes_on_from_the_last_checkpoint(two_copied: Run) -> None:
    run = two_copied
    run.resume_from = latest_checkpoint(run)
    assert run.resume_from == f"1/{CHECKPOINTS}/00000006"
    folder = checkpoint_folder(run)
    assert folder == run.folder / run.resume_from
    assert manifest.verify(folder).facts == {"step": 6}


def test_a_damaged_copy_is_passed_over_for_the_one_before(two_copied: Run, store: SharedStore) -> None:
    import obstore

    run = two_copied
    run.resume_from = latest_checkpoint(run)
    run.save()
    obstore.put(store._store, f"runs/{run.pk}/1/{CHECKPOINTS}/00000006/state.pt", os.urandom(3000))
    folder = checkpoint_folder(run)
    assert folder is not None and folder.name == "00000004"
    assert fresh(run).resume_from == f"1/{CHECKPOINTS}/00000004"
    obstore.put(store._store, f"runs/{run.pk}/1/{CHECKPOINTS}/00000004/state.pt", os.urandom(3000))
    (folder / "state.pt").write_bytes(b"")
    assert checkpoint_folder(run) is None and fresh(run).resume_from == ""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("point", ["checkpoint.before_upload", "checkpoint.after_upload"])
def test_who_dies_while_copying_a_checkpoint_is_followed_by_one_that_does(
    run: Run, machine: Machine, store: SharedStore, settings: Any, point: str
) -> None:
    checkpoint(run, 2)
    get = f"Run.objects.get(pk='{run.pk}')"
    code = f"from runs.models import Run; from runs.store.checkpoints import Uploads; Uploads({get}).finish()"
    assert python(code, settings, STUDIO_FAULT=point).wait(60) == -signal.SIGKILL
    assert python(code, settings).wait(60) == 0
    assert store.keys(f"runs/{run.pk}") == [f"runs/{run.pk}/1/{CHECKPOINTS}/00000002"]


@pytest.mark.django_db(transaction=True)
def test_the_reconciler_has_a_run_of_a_lost_machine_go_on_elsewhere(
    two_copied: Run, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = two_copied
    monkeypatch.setattr("runs.reconciling.run_enqueue", lambda run, expires=None: None)

    def silent(times: float) -> None:
        then = timezone.now() - timedelta(seconds=times * settings.RUN_HEARTBEAT_STALE_SECONDS)
        Run.objects.filter(pk=run.pk).update(heartbeat_at=then)

    silent(3)
    reconcile()
    assert fresh(run).status == Status.RUNNING, "its own workers may come back"
    silent(5)
    reconcile()
    run = fresh(run)
    assert (run.status, run.attempt, run.resume_from) == (Status.QUEUED, 2, f"1/{CHECKPOINTS}/00000006")
