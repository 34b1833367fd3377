"""Who is next: priorities, turns between projects, caps and devices; and that no crowd of workers breaks any of it."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from projects.models import AuditEvent, Project, User
from runs.environment import engine_environment
from runs.models import Priority, Run, Status
from runs.queueing import Queued, line_up, places
from runs.services import RunError, queue_move_up, run_claim, run_end, run_prioritise
from tests.materials import ROOT
from tests.postgres import postgres
from tests.runs import claiming

LOW, NORMAL, HIGH = Priority
DAY = datetime(2026, 1, 1, tzinfo=UTC)


def queued(name: str, project: str | None, age: int = 0, priority: int = NORMAL) -> Queued:
    return Queued(name, project, priority, DAY - timedelta(minutes=age))


def order(runs: list[Queued], working: dict[Any, int] | None = None, served: dict[Any, datetime] | None = None, cap: int = 0) -> list[Any]:
    return [place.run for place in line_up(runs, working or {}, served or {}, cap)]


def test_a_higher_priority_goes_first_whatever_its_age() -> None:
    assert order([queued("old", "a", 9), queued("urgent", "a", 0, HIGH), queued("idle", "a", 99, LOW)]) == ["urgent", "old", "idle"]


def test_the_project_with_the_fewest_at_work_goes_first_among_equals() -> None:
    assert order([queued("busy", "a", 9), queued("quiet", "b", 1)], working={"a": 1}) == ["quiet", "busy"]
    assert order([queued("busy", "a", 9, HIGH), queued("quiet", "b", 1)], working={"a": 1}) == ["busy", "quiet"]


def test_then_the_one_that_was_served_longest_ago_and_then_the_older_run() -> None:
    runs = [queued("lately", "a", 9), queued("long ago", "b", 1)]
    assert order(runs, served={"a": DAY, "b": DAY - timedelta(hours=1)}) == ["long ago", "lately"]
    assert order(runs, served={"a": DAY}) == ["long ago", "lately"], "never served is longest ago"
    assert order(runs) == ["lately", "long ago"]


def test_projects_take_turns_however_many_runs_one_of_them_queues() -> None:
    many = [queued(f"a{number}", "a", 50 - number) for number in range(4)]
    assert order([*many, queued("b0", "b", 2), queued("b1", "b", 1)]) == ["a0", "b0", "a1", "b1", "a2", "a3"]


def test_a_project_at_its_cap_stands_last_and_is_held_but_the_studios_own_runs_are_not() -> None:
    runs = [queued("a0", "a", 9, HIGH), queued("b0", "b", 1), queued("own0", None, 5), queued("own1", None, 4)]
    found = line_up(runs, {"a": 1, None: 3}, {}, cap=1)
    assert [(place.run, place.held) for place in found] == [("b0", False), ("own0", False), ("own1", False), ("a0", True)]


def test_a_long_line_is_ordered_quickly() -> None:
    import time

    runs = [queued(str(number), f"p{number % 40}", number, number % 3) for number in range(2000)]
    began = time.process_time()
    assert len(order(runs)) == 2000
    assert time.process_time() - began < 2


# --- on the database ---


@pytest.fixture
def made(project: Project) -> Callable[..., Run]:
    def make(**fields: Any) -> Run:
        return Run.objects.create(**{"project": project, "stage": "sft", "title": "Train", "queue": "gpu", **fields})

    return make


@pytest.fixture
def other(outsider: User) -> Project:
    return outsider.projects.get()


@pytest.mark.django_db
def test_a_slot_goes_to_whose_turn_it_is_and_to_no_other(made: Callable[..., Run], settings: Any) -> None:
    first, urgent = made(), made(priority=HIGH)
    assert not run_claim(first.pk, "worker", "here")
    assert run_claim(urgent.pk, "worker", "here")
    assert not run_claim(first.pk, "worker", "here"), "the slot is taken"
    run_end(urgent.pk, Status.SUCCEEDED)
    assert run_claim(first.pk, "worker", "here")


@pytest.mark.django_db
def test_with_two_slots_the_second_in_line_may_begin_before_the_first(made: Callable[..., Run], settings: Any) -> None:
    settings.GPU_SLOTS = 2
    runs = [made(), made(), made()]
    assert not run_claim(runs[2].pk, "worker", "here")
    assert run_claim(runs[1].pk, "worker", "here")
    assert run_claim(runs[0].pk, "worker", "here")
    assert not run_claim(runs[2].pk, "worker", "here")


@pytest.mark.django_db
def test_a_project_has_no_more_at_work_than_it_may_on_any_machine(made: Callable[..., Run], other: Project, settings: Any) -> None:
    settings.PROJECT_RUNS_AT_ONCE, settings.GPU_SLOTS = 1, 4
    mine, second, theirs = made(), made(priority=HIGH), made(project=other)
    assert run_claim(second.pk, "worker", "here")
    assert not run_claim(mine.pk, "worker", "there")
    assert run_claim(theirs.pk, "worker", "here")


@pytest.mark.django_db
def test_the_project_that_was_served_gives_way(made: Callable[..., Run], other: Project) -> None:
    mine, again, theirs = made(), made(), made(project=other)
    assert run_claim(mine.pk, "worker", "here")
    run_end(mine.pk, Status.SUCCEEDED)
    assert [place.run for place in places()] == [theirs.pk, again.pk]


@pytest.mark.django_db
def test_the_workers_are_told_of_the_first_alone(made: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr("runs.services.run_enqueue", lambda run, expires=None: told.append(run.pk))
    made(priority=LOW)
    urgent = made(priority=HIGH)
    queue_move_up("gpu")
    assert told == [urgent.pk]


@pytest.mark.django_db
def test_each_run_has_a_gpu_of_its_own_and_sees_no_other(made: Callable[..., Run], settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    settings.GPU_SLOTS = 2
    runs = [made(), made(), made()]
    assert run_claim(runs[0].pk, "worker", "here") and run_claim(runs[1].pk, "worker", "here")
    seen = [engine_environment(Run.objects.get(pk=run.pk))["CUDA_VISIBLE_DEVICES"] for run in runs[:2]]
    assert seen == ["2", "5"]
    run_end(runs[0].pk, Status.SUCCEEDED)
    assert run_claim(runs[2].pk, "worker", "here")
    assert Run.objects.get(pk=runs[2].pk).device == "2", "the one that became free"


@pytest.mark.django_db
def test_a_run_in_several_processes_has_a_slot_and_a_gpu_for_each_and_nobody_passes_it(
    made: Callable[..., Run], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2")
    settings.GPU_SLOTS = 3
    runs = [made(), made(), made(params={"processes": 2}), made()]
    assert all(run_claim(run.pk, "worker", "here") for run in runs[:2])
    assert not run_claim(runs[2].pk, "worker", "here"), "one slot is free, it takes two"
    assert not run_claim(runs[3].pk, "worker", "here"), "or the one before it would never find two"
    run_end(runs[0].pk, Status.SUCCEEDED)
    assert run_claim(runs[2].pk, "worker", "here")
    assert Run.objects.get(pk=runs[2].pk).device == "0,2"
    assert not run_claim(runs[3].pk, "worker", "here")


@pytest.mark.django_db
def test_one_that_asks_for_more_processes_than_there_are_slots_takes_them_all(made: Callable[..., Run]) -> None:
    assert run_claim(made(params={"processes": 8}).pk, "worker", "here")


@pytest.mark.django_db
def test_without_a_gpu_no_device_is_named(made: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("runs.queueing.probes.gpus", list)
    run = made()
    assert run_claim(run.pk, "worker", "here")
    run.refresh_from_db()
    assert run.device == ""
    assert "CUDA_VISIBLE_DEVICES" not in engine_environment(run)


@pytest.mark.django_db
def test_a_priority_is_changed_while_it_waits_recorded_and_refused_later(made: Callable[..., Run], owner: User) -> None:
    run = made()
    run_prioritise(run=run, priority=HIGH, by=owner)
    run.refresh_from_db()
    assert run.priority == HIGH
    entry = AuditEvent.objects.get(action="run.prioritise")
    assert (entry.actor, entry.before, entry.after) == (owner, {"priority": 1}, {"priority": 2})
    assert run.events.get(type="log").data["message"] == "Its priority is high now"
    assert run_claim(run.pk, "worker", "here")
    with pytest.raises(RunError, match="begun"):
        run_prioritise(run=run, priority=LOW, by=owner)
    run.refresh_from_db()
    assert run.priority == HIGH


@pytest.mark.django_db
def test_the_page_says_why_it_waits_and_takes_another_priority(
    made: Callable[..., Run], project: Project, engineer: User, other: Project, client_for: Callable[[User], Client], settings: Any
) -> None:
    made(), made(project=other, title="A secret of theirs")
    run = made(priority=LOW)
    client = client_for(engineer)
    page = client.get(run.get_absolute_url()).content.decode()
    assert "Number 3 in the queue: 2 others begin before it" in page
    assert "A secret of theirs" not in page
    assert client.post(reverse("runs:priority", args=[project.slug, run.pk]), {"priority": "2"}).status_code == 302
    part = client.get(reverse("runs:queue", args=[project.slug, run.pk])).content.decode()
    assert "It is the next to begin" in part and "<html" not in part
    settings.PROJECT_RUNS_AT_ONCE = 1
    assert run_claim(run.pk, "worker", "here")
    held = made()
    assert "This project may have one such run at work at a time" in client.get(held.get_absolute_url()).content.decode()
    assert client.get(reverse("runs:queue", args=[project.slug, run.pk])).headers["HX-Refresh"] == "true"
    assert client.post(reverse("runs:priority", args=[project.slug, held.pk]), {"priority": "9"}).status_code == 302
    assert Run.objects.get(pk=held.pk).priority == NORMAL


@pytest.mark.django_db
def test_the_list_gives_every_place_in_the_same_number_of_queries(
    made: Callable[..., Run], project: Project, viewer: User, client_for: Callable[[User], Client]
) -> None:
    client, address = client_for(viewer), reverse("runs:list", args=[project.slug])
    made()
    client.get(address)
    with CaptureQueriesContext(connection) as few:
        assert "Number 1 in the queue" in client.get(address).content.decode()
    for _ in range(9):
        made()
    with CaptureQueriesContext(connection) as many:
        assert "Number 10 in the queue" in client.get(address).content.decode()
    assert len(many) == len(few)


# --- a crowd of workers ---


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """(vendor, address) of an empty database."""
    if request.param == "sqlite":
        yield "sqlite", f"sqlite:///{tmp_path / 'studio.sqlite3'}"
        return
    with postgres() as url:
        yield "postgresql", url


def at_once(worked: list[dict[str, Any]], of: Callable[[dict[str, Any]], object]) -> Counter[object]:
    """Of each group of runs, how many worked at the same moment at most."""
    most: Counter[object] = Counter()
    for one in worked:
        beside = [two for two in worked if of(two) == of(one) and two["from"] <= one["from"] < two["to"]]
        most[of(one)] = max(most[of(one)], len(beside))
    return most


@pytest.mark.slow
def test_many_workers_of_two_machines_never_break_slots_caps_or_devices(database: tuple[str, str], tmp_path: Path) -> None:
    vendor, url = database
    environment = os.environ | {"DATABASE_URL": url, "STUDIO_HOME": str(tmp_path), "DJANGO_SETTINGS_MODULE": "tests.settings"}
    environment.pop("PYTEST_XDIST_WORKER", None)
    done = subprocess.run(
        [sys.executable, "-m", "tests.runs.claiming"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=400
    )
    assert done.returncode == 0, done.stderr[-4000:]
    seen = json.loads(done.stdout.splitlines()[-1])
    assert (seen["database"], seen["failed"]) == (vendor, [])
    assert len(seen["claimed"]) == len(set(seen["claimed"])) == claiming.PROJECTS * claiming.RUNS, "each began, and once"
    assert set(at_once(seen["worked"], lambda run: run["host"]).values()) <= {1, claiming.SLOTS}
    assert set(at_once(seen["worked"], lambda run: run["project"]).values()) == {claiming.CAP}
    assert set(at_once(seen["worked"], lambda run: (run["host"], run["device"])).values()) == {1}
    assert {run["device"] for run in seen["worked"]} == {"0", "1"}
