"""Long work that pages are asked for: begun by a person, done once by a worker, watched, stopped, and told of however it ended."""

import io
import threading
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from curation.models import Assignment, Chore, ChoreState, DatasetVersion, Pair, PairChange, PairStatus, Tag
from curation.services import chores, deciding, pulse
from curation.services.bulk import Change, pairs_change_begin
from curation.services.chores import UNHEARD, chore_announce, chore_run, chore_stop, chores_reconcile
from curation.services.cutting import dataset_version_cut
from curation.services.dataset_files import version_zip
from curation.services.export_chores import KEPT, exports_expire
from curation.tasks import curation_chore, curation_chores_reconcile
from projects.models import AuditEvent, Membership, Project, User
from projects.registries import erase_copies
from projects.roles import Role
from projects.services import project_delete
from runs.artifacts import artifact_erase
from tests.curation.chores_kit import at_half, ended, made_small
from tests.curation.conftest import report_of

# A chore's pulse has a connection of its own: it sees what is written, not what a test's transaction holds back
pytestmark = pytest.mark.django_db(transaction=True)
SHARES = {"train": 75, "validation": 10, "test": 15, "seed": 7}
WAITING = PairStatus.PENDING


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the chores that workers were told of."""
    return made_small(monkeypatch)


@pytest.fixture
def eight(make_pair: Callable[..., Pair]) -> list[Pair]:
    return [make_pair(f"Question {number}?") for number in range(8)]


@pytest.fixture
def to(project: Project) -> Callable[..., str]:
    return lambda name, *args: reverse(f"curation:{name}", args=[project.slug, *args])


def begun(project: Project, by: User, action: str = "approve", value: str = "", **wanted: Any) -> Chore:
    """The chore that changes the pairs that match ``wanted``, those waiting for review by default."""
    pairs = Pair.objects.filter(project=project, **(wanted or {"status": WAITING}))
    made = pairs_change_begin(project=project, by=by, pairs=pairs, change=Change(action, value, "all that match"), back="/back/")
    assert isinstance(made, Chore)
    return made


def text_of(response: Any) -> str:
    return response.content.decode()


# --- beginning ---


def test_few_pairs_are_changed_at_once_and_many_by_a_worker(client_for, reviewer, to, eight, small):
    client = client_for(reviewer)
    client.post(to("pairs_bulk"), {"action": "approve", "ids": [str(pair.pk) for pair in eight[:5]]})
    assert Pair.objects.filter(status=PairStatus.APPROVED).count() == 5 and not Chore.objects.exists()
    page = text_of(client.post(f"{to('pairs_bulk')}?status=", {"action": "reject", "all": "1"}, follow=True))
    assert not Pair.objects.filter(status=PairStatus.REJECTED).exists()
    chore = Chore.objects.get()
    assert small == [str(chore.pk)] and "Rejecting 8 pairs" in page and "Waiting for a worker" in page
    assert ended(chore).state == ChoreState.SUCCEEDED
    assert Pair.objects.filter(status=PairStatus.REJECTED).count() == 8


def test_what_cannot_be_is_said_at_once_and_nothing_is_begun(client_for, reviewer, viewer, to, eight):
    for action, value in [("language", "d3"), ("difficulty", "brutal"), ("tag", "x" * 41), ("untag", "none"), ("assign", str(viewer.pk))]:
        client_for(reviewer).post(to("pairs_bulk"), {"action": action, action: value, "all": "1"})
    assert not Chore.objects.exists()


def test_a_double_click_begins_it_once(project, reviewer, eight):
    assert begun(project, reviewer) == begun(project, reviewer)
    assert begun(project, reviewer, "reject") != begun(project, reviewer)


# --- doing ---


def test_the_set_is_what_it_was_when_it_was_asked_for(project, reviewer, eight, make_pair):
    chore = begun(project, reviewer)
    late = make_pair("Too late?")
    Pair.objects.filter(pk=eight[0].pk).delete()
    assert ended(chore).message == "7 pairs approved."
    late.refresh_from_db()
    assert late.status == WAITING


def test_the_audit_log_has_one_line_that_names_the_count(project, reviewer, eight):
    ended(begun(project, reviewer))
    event = AuditEvent.objects.get(action="pairs.approve")
    assert (event.actor, event.target, event.after) == (reviewer, "all that match", {"count": 8, "status": "APPROVED"})
    assert PairChange.objects.filter(by=reviewer).count() == 8


def test_a_task_that_is_delivered_twice_does_it_once(project, reviewer, eight):
    chore = begun(project, reviewer)
    at_work = [threading.Thread(target=_as_a_worker, args=(chore.pk,)) for _ in range(3)]
    for thread in at_work:
        thread.start()
    for thread in at_work:
        thread.join()
    curation_chore(str(chore.pk))
    chore.refresh_from_db()
    assert (chore.state, chore.message) == (ChoreState.SUCCEEDED, "8 pairs approved.")
    assert AuditEvent.objects.filter(action="pairs.approve").count() == 1 and PairChange.objects.count() == 8


def _as_a_worker(pk: Any) -> None:
    chore_run(pk)
    connection.close()


@pytest.mark.parametrize(
    ("action", "value", "said"),
    [
        ("topic", "Pumps", "8 pairs now topic “Pumps”."),
        ("tag", "safe", "8 pairs tagged “safe”."),
        ("untag", "old", "Every one was no longer tagged “old” already."),
        ("assign", "", "8 pairs assigned to Annotator."),
        ("reopen", "", "Every one was back in review already."),
    ],
)
def test_every_bulk_action_is_done_by_a_worker_too(project, reviewer, annotator, eight, action, value, said):
    Tag.objects.create(project=project, name="old")
    value = str(annotator.pk) if action == "assign" else value
    assert ended(begun(project, reviewer, action, value)).message == said
    assert Assignment.objects.count() == (8 if action == "assign" else 0)


def test_a_stop_ends_it_between_two_batches_and_says_how_many_were_done(project, reviewer, eight, monkeypatch):
    chore = begun(project, reviewer)
    at_half(monkeypatch, lambda: chore_stop(chore=chore, by=reviewer))
    assert ended(chore).state == ChoreState.STOPPED
    assert chore.message == "Stopped after 4 of 8 pairs. 4 pairs approved."
    assert Pair.objects.filter(status=WAITING).count() == 4
    assert AuditEvent.objects.get(action="pairs.approve").after["count"] == 4
    assert AuditEvent.objects.filter(action="chore.stop", actor=reviewer).exists()


def test_one_that_nobody_has_taken_up_stops_at_once(project, reviewer, eight):
    chore = begun(project, reviewer)
    assert chore_stop(chore=chore, by=reviewer) and not chore_stop(chore=chore, by=reviewer)
    assert ended(chore).state == ChoreState.STOPPED and "Nothing was changed" in chore.message
    assert not Pair.objects.exclude(status=WAITING).exists()


def test_whoever_may_no_longer_has_nothing_done(project, reviewer, eight):
    chore = begun(project, reviewer)
    Membership.objects.filter(project=project, user=reviewer).update(role=Role.ANNOTATOR)
    assert ended(chore).state == ChoreState.FAILED and "may not do this" in chore.message
    assert not Pair.objects.exclude(status=WAITING).exists()


def test_a_fault_half_way_is_told_with_what_is_left_to_do(project, reviewer, eight, monkeypatch):
    chore, whole = begun(project, reviewer), deciding._set

    def breaking(some: Any, *args: Any, **kwargs: Any) -> int:
        if eight[-1].pk in some or Pair.objects.exclude(status=WAITING).count() >= 4:
            raise RuntimeError("The disk is full")
        return whole(some, *args, **kwargs)

    monkeypatch.setattr(deciding, "_set", breaking)
    assert ended(chore).state == ChoreState.FAILED
    done = Pair.objects.filter(status=PairStatus.APPROVED).count()
    assert f"About {done} of 8 pairs were done" in chore.message and "Choose the pairs again" in chore.message
    assert AuditEvent.objects.get(action="chore.fail").after == {"kind": "pairs", "done": done, "total": 8}


# --- workers that die, or hear nothing ---


def test_a_chore_whose_worker_died_is_lost_and_says_so(client_for, project, reviewer, to, eight):
    chore = begun(project, reviewer)
    at = timezone.now()
    Chore.objects.filter(pk=chore.pk).update(state=ChoreState.RUNNING, started_at=at, done=4, beat_at=at)
    curation_chores_reconcile()
    assert Chore.objects.get().state == ChoreState.RUNNING
    Chore.objects.filter(pk=chore.pk).update(beat_at=at - chores.SILENT)
    curation_chores_reconcile()
    chore.refresh_from_db()
    assert chore.state == ChoreState.LOST and "4 of 8 pairs" in chore.message and not chore.ids
    assert AuditEvent.objects.filter(action="chore.lose").count() == 1
    assert "Approving 8 pairs: lost" in text_of(client_for(reviewer).get(to("pairs")))
    curation_chores_reconcile()
    assert AuditEvent.objects.filter(action="chore.lose").count() == 1


def test_a_worker_that_was_only_thought_dead_changes_no_more_and_tells_how_far_it_came(project, reviewer, eight, monkeypatch):
    chore = begun(project, reviewer)
    at_half(monkeypatch, lambda: Chore.objects.filter(pk=chore.pk).update(state=ChoreState.LOST))
    assert ended(chore).state == ChoreState.STOPPED and chore.message.startswith("Stopped after 4 of 8")
    assert Pair.objects.filter(status=WAITING).count() == 4


def test_the_heart_beats_through_a_step_that_says_nothing(project, reviewer, eight, monkeypatch):
    chore, tick, beats = begun(project, reviewer), pulse.Pulse.tick, []

    def silent(self: pulse.Pulse, done: int, step: str = "") -> bool:
        beats.append(Chore.objects.get(pk=chore.pk).beat_at)
        threading.Event().wait(0.2)
        beats.append(Chore.objects.get(pk=chore.pk).beat_at)
        return tick(self, done, step)

    monkeypatch.setattr(pulse.Pulse, "tick", silent)
    ended(chore)
    assert len(beats) == 8 and all(before < after for before, after in zip(beats[::2], beats[1::2], strict=True))


def test_workers_are_told_again_of_what_nobody_took_up(project, reviewer, eight, small):
    chore = begun(project, reviewer)
    small.clear()
    chores_reconcile()
    assert small == []
    Chore.objects.filter(pk=chore.pk).update(created_at=timezone.now() - UNHEARD * 2)
    chores_reconcile()
    assert small == [str(chore.pk)]


def test_a_chore_waits_where_the_workers_cannot_be_reached(project, reviewer, eight, monkeypatch):
    def away(*args: Any, **kwargs: Any) -> None:
        raise ConnectionError("no redis")

    monkeypatch.setattr(curation_chore, "apply_async", away)
    chore = begun(project, reviewer)
    chore_announce(chore.pk)
    assert chore.state == ChoreState.QUEUED


# --- the page ---


def test_everybody_sees_what_is_at_work_and_only_who_asked_how_it_ended(client_for, project, reviewer, viewer, to, eight):
    chore = begun(project, reviewer)
    Chore.objects.filter(pk=chore.pk).update(state=ChoreState.RUNNING, started_at=timezone.now(), done=4, beat_at=timezone.now())
    mine, theirs = client_for(reviewer), client_for(viewer)
    strip = text_of(mine.get(to("chores")))
    assert "Approving 8 pairs" in strip and "50%" in strip and 'hx-trigger="every 1s"' in strip and to("chore_stop", chore.pk) in strip
    strip = text_of(theirs.get(to("chores")))
    assert "Asked for by Reviewer" in strip and to("chore_stop", chore.pk) not in strip
    Chore.objects.filter(pk=chore.pk).update(state=ChoreState.QUEUED, done=0)
    ended(chore)
    for page in ("pairs", "chores"):
        assert "8 pairs approved." in text_of(mine.get(to(page))) and "8 pairs approved." not in text_of(theirs.get(to(page)))
    strip = text_of(mine.get(to("chores")))
    assert "every 1s" not in strip and 'href="/back/"' in strip
    assert theirs.post(to("chore_seen", chore.pk)).status_code == 404
    assert "8 pairs approved." in text_of(mine.get(to("pairs")))
    mine.post(to("chore_seen", chore.pk), headers={"HX-Request": "true"})
    assert "8 pairs approved." not in text_of(mine.get(to("pairs")))


def test_what_is_at_work_stands_above_what_has_ended(client_for, project, reviewer, to, eight, monkeypatch):
    monkeypatch.setattr("curation.selectors.chores.MOST", 2)
    live = begun(project, reviewer, "topic", "Pumps")
    for action in ("approve", "reject", "reopen"):
        ended(begun(project, reviewer, action, pk__isnull=False))
    strip = text_of(client_for(reviewer).get(to("chores")))
    assert strip.index(live.title) < strip.index("Taking 8 pairs back to review") and "Approving" not in strip


def test_who_asked_stops_it_and_an_owner_and_nobody_else(client_for, project, owner, reviewer, engineer, to, eight):
    chore = begun(project, reviewer)
    assert client_for(engineer).post(to("chore_stop", chore.pk)).status_code == 403
    assert Chore.objects.get(pk=chore.pk).state == ChoreState.QUEUED
    strip = client_for(reviewer).post(to("chore_stop", chore.pk), headers={"HX-Request": "true"})
    assert strip.status_code == 200 and "Stopped before it began" in text_of(strip)
    other = begun(project, reviewer, "reject")
    assert client_for(owner).post(to("chore_stop", other.pk)).headers["Location"] == to("pairs")
    assert Chore.objects.get(pk=other.pk).state == ChoreState.STOPPED


def test_the_role_matrix_over_what_begins_a_chore(client_for, owner, member, to, eight, approved):
    may = {"viewer": set(), "annotator": set(), "reviewer": {"bulk"}, "engineer": {"cut"}, "owner": {"bulk", "cut"}}
    for role, allowed in may.items():
        client = client_for(owner if role == "owner" else member(role))
        for what, name, data in [("bulk", "pairs_bulk", {"action": "reject", "all": "1"}), ("cut", "dataset_cut", SHARES)]:
            before = Chore.objects.count()
            status = client.post(to(name), data).status_code
            assert (status, Chore.objects.count() - before) == ((302, 1) if what in allowed else (403, 0)), (role, what)


def test_another_projects_chores_are_not_found(client_for, project, reviewer, outsider, eight, to):
    chore = begun(project, reviewer)
    theirs = outsider.projects.get().slug
    client = client_for(outsider)
    for name in ("chore_stop", "chore_seen"):
        assert client.post(reverse(f"curation:{name}", args=[theirs, chore.pk])).status_code == 404
    assert client.get(reverse("curation:chore_file", args=[theirs, chore.pk])).status_code == 404
    assert client.get(to("chores")).status_code == 404


def test_the_strip_takes_the_same_queries_however_many_chores_and_pairs_there_are(client_for, project, reviewer, to, eight):
    client = client_for(reviewer)
    begun(project, reviewer)

    def queries() -> tuple[int, bool]:
        client.get(to("chores"))
        with CaptureQueriesContext(connection) as seen:
            client.get(to("chores"))
        return len(seen), any('"keys"' in one["sql"] for one in seen)

    few = queries()
    for action in ("reject", "reopen"):
        begun(project, reviewer, action)
    assert queries() == few and not few[1]


# --- cutting ---


def test_a_large_version_is_cut_by_a_worker_and_its_notice_leads_to_it(client_for, engineer, to, approved):
    client = client_for(engineer)
    page = text_of(client.post(to("dataset_cut"), SHARES | {"licence": "CC BY 4.0"}, follow=True))
    assert "Cutting a version from 120 pairs" in page and not DatasetVersion.objects.exists()
    chore = ended(Chore.objects.get())
    version = DatasetVersion.objects.get()
    assert (chore.state, chore.message, version.created_by) == (ChoreState.SUCCEEDED, "Version 1 is cut.", engineer)
    assert version.artifact.facts["licence"] == "CC BY 4.0" and chore.link == version.get_absolute_url()
    assert f'href="{chore.link}"' in text_of(client.get(to("datasets")))
    chore_run(chore.pk)
    assert DatasetVersion.objects.count() == 1


def test_a_cut_that_fails_keeps_what_was_entered(client_for, engineer, project, to, approved):
    client = client_for(engineer)
    client.post(to("dataset_cut"), SHARES | {"licence": "Ours alone", "train": 70, "test": 20})
    Pair.objects.filter(pk=approved[3].pk).update(answer=" ")
    chore = ended(Chore.objects.get())
    assert chore.state == ChoreState.FAILED and "empty answer" in chore.message and not DatasetVersion.objects.exists()
    assert "Back to what you entered" in text_of(client.get(to("datasets")))
    again = text_of(client.get(chore.link))
    assert "Ours alone" in again and 'value="70"' in again and "empty answer" in again
    assert "Ours alone" not in text_of(client.get(to("datasets")))


def test_the_gate_forbids_a_large_cut_while_the_person_waits(client_for, engineer, owner, project, to, approved):
    report_of(project, "fail")
    response = client_for(engineer).post(to("dataset_cut"), SHARES | {"licence": "Mine"})
    assert response.status_code == 422 and "gate failed" in text_of(response) and "Mine" in text_of(response)
    client_for(owner).post(to("dataset_cut"), SHARES | {"override_reason": "The customer waits."})
    ended(Chore.objects.get())
    assert DatasetVersion.objects.get().override_reason == "The customer waits."


def test_a_cut_that_is_stopped_leaves_nothing(project, client_for, engineer, to, approved, monkeypatch, settings):
    client_for(engineer).post(to("dataset_cut"), SHARES)
    chore = Chore.objects.get()
    tick = pulse.Pulse.tick

    def stopped(self: pulse.Pulse, done: int, step: str = "") -> bool:
        self.stopping = self.stopping or step == "Hashing the files"
        return tick(self, done, step)

    monkeypatch.setattr(pulse.Pulse, "tick", stopped)
    monkeypatch.setattr(pulse, "BEAT", 5)
    assert ended(chore).state == ChoreState.STOPPED and chore.message == "Stopped. Nothing was made."
    assert not DatasetVersion.objects.exists() and not any(settings.ARTIFACT_ROOT.iterdir())


# --- files ---


def written(client: Any, to: Callable[..., str], key: str = "csv") -> Chore:
    client.post(f"{to('pairs_export')}?status=PENDING&as={key}")
    return ended(Chore.objects.latest("created_at"))


def test_a_large_export_is_written_first_and_then_downloaded(client_for, viewer, to, eight, make_pair):
    make_pair("Approved?", status=PairStatus.APPROVED)
    client = client_for(viewer)
    page = text_of(client.get(to("pairs_export")))
    assert "Write 9 pairs as CSV" in page
    assert client.get(f"{to('pairs_export')}?as=csv").status_code == 302 and not Chore.objects.exists()
    chore = written(client, to)
    assert chore.state == ChoreState.SUCCEEDED and to("chore_file", chore.pk) in text_of(client.get(to("pairs_export")))
    answer = client.get(to("chore_file", chore.pk))
    lines = b"".join(answer).decode("utf-8-sig").splitlines()
    assert len(lines) == 9 and "attachment" in answer.headers["Content-Disposition"]
    assert AuditEvent.objects.get(action="pairs.export").after["pairs"] == 8


def test_a_table_is_half_done_when_its_columns_are_found(client_for, viewer, to, eight, monkeypatch):
    monkeypatch.setattr("curation.services.exporting.BATCH", 4)
    said, tick = [], pulse.Pulse.tick

    def heard(self: pulse.Pulse, done: int, step: str = "") -> bool:
        said.append((done, step))
        return tick(self, done, step)

    monkeypatch.setattr(pulse.Pulse, "tick", heard)
    written(client_for(viewer), to)
    assert said == [(2, "Finding the columns"), (4, "Finding the columns"), (6, "Writing the file"), (8, "Writing the file")]


def test_a_large_split_of_a_version_is_written_first(client_for, engineer, to, approved):
    client = client_for(engineer)
    client.post(to("dataset_cut"), SHARES)
    ended(Chore.objects.get())
    address = to("dataset_export", 1, "train", "alpaca")
    assert f'action="{address}"' in text_of(client.get(to("dataset", 1)))
    client.post(address)
    chore = ended(Chore.objects.get(kind="export"))
    version = DatasetVersion.objects.get()
    lines = b"".join(client.get(to("chore_file", chore.pk))).decode().splitlines()
    assert len(lines) == version.counts["train"] and chore.file.endswith("-train-alpaca.jsonl")


def test_a_large_version_is_packed_first_and_the_zip_is_that_of_a_small_one(client_for, viewer, engineer, project, to, approved):
    version = dataset_version_cut(project=project, by=engineer)
    client, address = client_for(viewer), to("dataset_zip", 1)
    assert f'action="{address}"' in text_of(client.get(to("dataset", 1)))
    assert client.get(address).status_code == 302 and not Chore.objects.exists()
    page = text_of(client.post(address, follow=True))
    assert "Packing version 1 as a zip" in page and "Waiting for a worker" in page
    chore = ended(Chore.objects.get())
    assert chore.state == ChoreState.SUCCEEDED and chore.total == sum(version.counts.values())
    assert to("chore_file", chore.pk) in text_of(client.get(to("dataset", 1)))
    answer = client.get(to("chore_file", chore.pk))
    assert answer.headers["Content-Type"] == "application/zip" and f"{project.slug}-v1.zip" in answer.headers["Content-Disposition"]
    whole = b"".join(answer)
    archive = zipfile.ZipFile(io.BytesIO(whole))
    assert archive.testzip() is None and archive.read("train.jsonl").count(b"\n") == version.counts["train"]
    at_once = version_zip(version=version, by=viewer)
    assert b"".join(at_once.blocks()) == whole
    downloads = AuditEvent.objects.filter(action="dataset.download", actor=viewer)
    assert [event.after for event in downloads] == [{"split": "all", "format": "zip"}] * 2


def test_packing_that_is_stopped_leaves_no_file(client_for, viewer, engineer, project, to, approved, monkeypatch):
    dataset_version_cut(project=project, by=engineer)
    client_for(viewer).post(to("dataset_zip", 1))
    chore, tick = Chore.objects.get(), pulse.Pulse.tick

    def stopped(self: pulse.Pulse, done: int, step: str = "") -> bool:
        assert step == "Packing the files" and chore.path.is_file()
        self.stopping = done > 0
        return tick(self, done, step)

    monkeypatch.setattr(pulse.Pulse, "tick", stopped)
    monkeypatch.setattr(pulse, "BEAT", 5)
    assert ended(chore).state == ChoreState.STOPPED and not chore.path.exists()
    assert not AuditEvent.objects.filter(action="dataset.download").exists()


def test_a_version_that_was_erased_meanwhile_says_so(client_for, viewer, engineer, project, to, approved):
    version = dataset_version_cut(project=project, by=engineer)
    client_for(viewer).post(to("dataset_zip", 1))
    artifact_erase(version.artifact)
    chore = ended(Chore.objects.get())
    assert chore.state == ChoreState.FAILED and "not on this machine any more" in chore.message and not chore.path.exists()


def test_a_file_is_kept_for_a_day(client_for, viewer, to, eight):
    client = client_for(viewer)
    chore = written(client, to)
    exports_expire()
    assert chore.path.is_file()
    Chore.objects.update(ended_at=timezone.now() - KEPT)
    exports_expire()
    assert not chore.path.exists()
    answer = client.get(to("chore_file", chore.pk), follow=True)
    assert "not kept any more" in text_of(answer)


def test_erasing_a_document_takes_the_files_that_quote_it(client_for, project, viewer, to, eight):
    kept = written(client_for(viewer), to)
    client_for(viewer).post(f"{to('pairs_export')}?as=messages")
    live = Chore.objects.get(state=ChoreState.QUEUED)
    erase_copies("document_version", project, [])
    assert not kept.path.exists()
    live.refresh_from_db()
    assert live.state == ChoreState.STOPPED and ended(live).file == ""


def test_a_file_that_ends_after_the_erasure_is_removed_by_its_worker(client_for, project, viewer, to, eight, monkeypatch):
    client_for(viewer).post(f"{to('pairs_export')}?as=messages")
    chore, whole = Chore.objects.get(), chores.KINDS["export"].work

    def erased_meanwhile(one: Chore, tick: Any) -> Any:
        said = whole(one, tick)
        assert one.path.is_file()
        erase_copies("document_version", project, [])
        return said

    monkeypatch.setitem(chores.KINDS, "export", chores.Kind(erased_meanwhile, "view", ()))
    assert ended(chore).state == ChoreState.STOPPED and not chore.path.exists() and chore.file == ""


def test_deleting_the_project_takes_its_chores_and_files(client_for, project, owner, viewer, to, eight):
    chore = written(client_for(viewer), to)
    project_delete(project=project, by=owner)
    assert not chore.path.exists() and not Chore.objects.exists()
