"""Making, stopping, resuming and repeating runs, without an engine."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from engine import manifest
from projects.models import AuditEvent, Project, User
from runs import reconciling, services
from runs.artifacts import artifact_register
from runs.environment import engine_environment
from runs.models import Artifact, Priority, Run, Status
from runs.services import (
    RunError,
    run_cancel,
    run_claim,
    run_create,
    run_end,
    run_lose,
    run_release,
    run_rerun,
    run_resume,
    run_stop,
    run_take_over,
    run_transition,
)
from runs.supervising import this_host
from tests.materials import write_dataset

pytestmark = pytest.mark.django_db


@pytest.fixture
def dataset(project: Project, tmp_path: Path) -> Artifact:
    return artifact_register(project=project, kind="dataset", folder=write_dataset(tmp_path / "dataset", 10, 2))


@pytest.fixture
def model(tmp_path: Path) -> Artifact:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    return artifact_register(project=None, kind="hf-model", folder=folder)


@pytest.fixture
def run(project: Project, owner: User, dataset: Artifact, model: Artifact) -> Run:
    return run_create(project=project, stage="sft", params={}, inputs={"model": model, "dataset": dataset}, by=owner)


def test_it_records_every_parameter_with_its_default(run: Run) -> None:
    assert run.status == Status.QUEUED
    assert run.params["rank"] == 16


def test_it_refuses_a_parameter_out_of_range_and_names_it(project: Project, owner: User, dataset: Artifact, model: Artifact) -> None:
    with pytest.raises(RunError) as refusal:
        run_create(project=project, stage="sft", params={"rank": 0}, inputs={"model": model, "dataset": dataset}, by=owner)
    assert "rank" in refusal.value.fields


def test_it_refuses_an_unknown_stage_with_a_hint(project: Project, owner: User) -> None:
    with pytest.raises(RunError, match="Did you mean 'sft'"):
        run_create(project=project, stage="sfd", params={}, inputs={}, by=owner)


def test_it_refuses_a_missing_input_and_one_of_the_wrong_kind(project: Project, owner: User, dataset: Artifact) -> None:
    with pytest.raises(RunError) as refusal:
        run_create(project=project, stage="sft", params={}, inputs={"model": dataset}, by=owner)
    assert refusal.value.fields.keys() == {"model", "dataset"}


def test_it_refuses_what_belongs_to_another_project(outsider: User, dataset: Artifact, model: Artifact) -> None:
    other = outsider.projects.get()
    with pytest.raises(RunError, match="another project"):
        run_create(project=other, stage="sft", params={}, inputs={"model": model, "dataset": dataset}, by=outsider)


def test_of_two_workers_one_gets_the_run(run: Run) -> None:
    assert run_claim(run.pk, "first", "here")
    assert not run_claim(run.pk, "second", "here")
    run.refresh_from_db()
    assert run.supervisor == "first"


def test_a_second_gpu_run_waits_for_the_slot(run: Run, owner: User) -> None:
    other = run_rerun(run=run, by=owner)
    assert run_claim(run.pk, "first", "here")
    assert not run_claim(other.pk, "second", "here")
    run_end(run.pk, Status.STOPPED)
    assert run_claim(other.pk, "second", "here")


def test_of_two_supervisors_one_takes_over(run: Run) -> None:
    run_claim(run.pk, "dead", "here")
    run.refresh_from_db()
    assert run_take_over(run, "second")
    assert not run_take_over(run, "third")


def test_a_queued_run_that_is_stopped_just_ends(run: Run, owner: User) -> None:
    run_stop(run=run, by=owner)
    run.refresh_from_db()
    assert run.status == Status.STOPPED
    assert not run_claim(run.pk, "late", "here")


def test_a_live_run_that_is_stopped_is_stopping_until_its_engine_left(run: Run, owner: User) -> None:
    run_claim(run.pk, "worker", "here")
    run_stop(run=run, by=owner)
    run.refresh_from_db()
    assert run.status == Status.STOPPING
    assert not run.cancelled


def test_cancelling_says_that_nothing_is_kept(run: Run, owner: User) -> None:
    run_claim(run.pk, "worker", "here")
    run_cancel(run=run, by=owner)
    run.refresh_from_db()
    assert (run.status, run.cancelled) == (Status.STOPPING, True)


@pytest.mark.parametrize("ask", [run_stop, run_cancel])
def test_a_run_that_a_worker_takes_while_it_is_asked_to_stop_stops_all_the_same(
    run: Run, owner: User, monkeypatch: pytest.MonkeyPatch, ask: Callable[..., None]
) -> None:
    def then_taken(*args: Any, **fields: Any) -> bool:
        done = run_transition(*args, **fields)
        monkeypatch.setattr(services, "run_transition", run_transition)
        run_claim(run.pk, "worker", "here")
        return done

    monkeypatch.setattr(services, "run_transition", then_taken)
    ask(run=run, by=owner)
    run.refresh_from_db()
    assert run.status in (Status.STOPPED, Status.STOPPING)


def test_a_lost_run_is_never_seen_ended_by_what_waits_for_it(
    run: Run, owner: User, project: Project, model: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    merge = run_create(project=project, stage="merge", params={}, inputs={"model": model, "adapter": (run, "adapter")}, by=owner)
    run_claim(run.pk, "worker", "here")

    def dies(*_: Any) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(services, "_next_attempt", dies)
        run_lose(run, "killed")
    run.refresh_from_db()
    assert run.status == Status.STARTING  # as before: the next supervisor finds it dead again
    run_lose(run, "killed")
    for one in (run, merge):
        one.refresh_from_db()
    assert (run.status, run.attempt, merge.status) == (Status.QUEUED, 2, Status.WAITING)


def test_what_waits_for_something_that_was_not_made_ends_and_says_so(run: Run, owner: User, project: Project, model: Artifact) -> None:
    merge = run_create(project=project, stage="merge", params={}, inputs={"model": model, "adapter": (run, "adapter")}, by=owner)
    run_claim(run.pk, "worker", "here")
    run_end(run.pk, Status.SUCCEEDED)
    merge.refresh_from_db()
    assert merge.status == Status.STOPPED
    assert "which made no adapter" in merge.events.get(type="status").data["reason"]


def test_a_second_gpu_is_given_work_while_the_first_is_busy(run: Run, owner: User, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    told: list[str] = []
    monkeypatch.setattr(reconciling, "queue_move_up", lambda queue, expires=None: told.append(queue))
    run_claim(run.pk, "worker", this_host())
    run_rerun(run=run, by=owner)
    reconciling.reconcile()
    assert told == []
    settings.GPU_SLOTS = 2
    reconciling.reconcile()
    assert told == ["gpu"]


def test_an_engine_knows_where_the_converter_lies_and_no_secret(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDIO_CONVERTER", "/opt/converter")
    monkeypatch.setenv("STUDIO_SECRET_KEY", "hidden")
    variables = engine_environment(run)
    assert variables["STUDIO_CONVERTER"] == "/opt/converter"
    assert "hidden" not in variables.values()


def test_a_lost_run_goes_on_as_the_next_attempt_until_three_were_made(run: Run) -> None:
    for attempt in (2, 3):
        run_claim(run.pk, "worker", "here")
        run.refresh_from_db()
        run_lose(run, "killed")
        run.refresh_from_db()
        assert (run.status, run.attempt) == (Status.QUEUED, attempt)
    run_claim(run.pk, "worker", "here")
    run.refresh_from_db()
    run_lose(run, "killed")
    run.refresh_from_db()
    assert (run.status, run.attempt) == (Status.LOST, 3)
    assert run.error is not None and run.error["message"] == "killed"


def test_a_person_may_resume_what_was_stopped_but_not_what_was_cancelled(run: Run, owner: User) -> None:
    run_stop(run=run, by=owner)
    run.refresh_from_db()
    run_resume(run=run, by=owner)
    run.refresh_from_db()
    assert (run.status, run.attempt) == (Status.QUEUED, 2)
    run_cancel(run=run, by=owner)
    run.refresh_from_db()
    with pytest.raises(RunError, match="cannot be resumed"):
        run_resume(run=run, by=owner)


def test_a_run_waits_for_what_another_makes_and_then_is_queued(
    run: Run, owner: User, project: Project, model: Artifact, tmp_path: Path
) -> None:
    merge = run_create(project=project, stage="merge", params={}, inputs={"model": model, "adapter": (run, "adapter")}, by=owner)
    assert merge.status == Status.WAITING
    run_release(merge)
    merge.refresh_from_db()
    assert merge.status == Status.WAITING
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "adapter_config.json").write_text("{}")
    artifact = artifact_register(project=project, kind="adapter", folder=folder, produced_by=run, role="adapter")
    run_claim(run.pk, "worker", "here")
    run_end(run.pk, Status.SUCCEEDED)
    merge.refresh_from_db()
    assert merge.status == Status.QUEUED
    assert merge.inputs.get(role="adapter").artifact == artifact


def test_what_ended_with_a_stopped_run_waits_for_it_again_when_it_goes_on(run: Run, owner: User, project: Project, model: Artifact) -> None:
    merge = run_create(project=project, stage="merge", params={}, inputs={"model": model, "adapter": (run, "adapter")}, by=owner)
    quantize = run_create(project=project, stage="quantize", params={}, inputs={"model": (merge, "model")}, by=owner)
    run_claim(run.pk, "worker", "here")
    run_end(run.pk, Status.STOPPED)
    for waiting in (merge, quantize):
        waiting.refresh_from_db()
        assert waiting.status == Status.STOPPED
    run.refresh_from_db()
    run_resume(run=run, by=owner)
    for waiting in (merge, quantize):
        waiting.refresh_from_db()
        assert waiting.status == Status.WAITING


def test_what_waits_for_a_run_that_failed_ends_and_says_why(run: Run, owner: User, project: Project, model: Artifact) -> None:
    merge = run_create(project=project, stage="merge", params={}, inputs={"model": model, "adapter": (run, "adapter")}, by=owner)
    run_claim(run.pk, "worker", "here")
    run_end(run.pk, Status.FAILED)
    merge.refresh_from_db()
    assert merge.status == Status.STOPPED
    assert "which failed" in merge.events.get(type="status").data["reason"]


def test_a_change_of_state_happens_once_and_leaves_one_event(run: Run) -> None:
    assert run_transition(run.pk, [Status.QUEUED], Status.STARTING)
    assert not run_transition(run.pk, [Status.QUEUED], Status.STARTING)
    assert [event.data["status"] for event in run.events.filter(type="status")] == ["STARTING"]


def test_a_rerun_keeps_inputs_and_seed_and_changes_what_was_asked(run: Run, owner: User) -> None:
    again = run_rerun(run=run, by=owner, params={"rank": 8})
    assert again.params == {**run.params, "rank": 8}
    assert again.seed == run.seed
    assert set(again.inputs.values_list("artifact", flat=True)) == set(run.inputs.values_list("artifact", flat=True))


def test_what_is_cleared_when_rerunning_goes_back_to_its_default(run: Run, owner: User, client_for: Callable[[User], Client]) -> None:
    Run.objects.filter(pk=run.pk).update(params={**run.params, "max_steps": 40, "rank": 8})
    answer = client_for(owner).post(reverse("runs:rerun", args=[run.project.slug, run.pk]), {"rank": "32"})  # type: ignore[union-attr]
    again = Run.objects.get(rerun_of=run)
    assert answer.status_code == 302
    assert (again.params["max_steps"], again.params["rank"]) == (None, 32)


def test_a_rerun_has_the_priority_that_was_chosen_or_else_that_of_the_run(
    run: Run, owner: User, client_for: Callable[[User], Client]
) -> None:
    Run.objects.filter(pk=run.pk).update(priority=Priority.LOW)
    client_for(owner).post(reverse("runs:rerun", args=[run.project.slug, run.pk]), {"rank": "8", "priority": "2"})  # type: ignore[union-attr]
    assert Run.objects.get(rerun_of=run).priority == Priority.HIGH
    run.refresh_from_db()
    assert run_rerun(run=run, by=owner).priority == Priority.LOW


def test_an_artifact_whose_move_was_cut_off_after_it_had_arrived_is_taken_as_it_is(run: Run, project: Project, tmp_path: Path) -> None:
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "a").write_text("1")
    (folder / "b").write_text("2")
    whole = manifest.write(folder, "adapter")
    made = artifact_register(project=project, kind="adapter", folder=folder, produced_by=run, role="adapter")
    Artifact.objects.filter(pk=made.pk).delete()  # it died before the row, and, between two disks, before the source was gone
    folder.mkdir()
    (folder / "b").write_text("2")
    (folder / manifest.MANIFEST_FILE).write_text(whole.model_dump_json())
    again = artifact_register(project=project, kind="adapter", folder=folder, produced_by=run, role="adapter")
    assert again.sha256 == whole.sha256


def test_launching_and_stopping_are_in_the_audit_log(run: Run, owner: User) -> None:
    run_stop(run=run, by=owner)
    actions = list(AuditEvent.objects.filter(actor=owner).values_list("action", flat=True))
    assert "run.create" in actions and "run.stop" in actions
