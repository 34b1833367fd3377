"""What the gate found in many pairs is mended by a worker: told of, stopped between two batches, and leading back to its report."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse

from curation.models import Chore, ChoreState, Finding, Pair, PairStatus, PairTag, QualityReport, Tag
from curation.services import remedies
from curation.services.chores import chore_stop
from curation.services.remedies import finding_remedy_begin
from projects.models import AuditEvent, Project, User
from tests.curation.chores_kit import at_half, ended, made_small
from tests.curation.conftest import report_of

pytestmark = pytest.mark.django_db(transaction=True)
CHECKS = {"near_duplicates": "keep_best", "empty": "reject", "stale": "send_to_review", "reviewed": "spot_check"}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the chores that workers were told of."""
    return made_small(monkeypatch)


@pytest.fixture
def nine(make_pair: Callable[..., Pair]) -> list[Pair]:
    return [make_pair(f"Question {number}?", status=PairStatus.APPROVED) for number in range(9)]


@pytest.fixture
def report(project: Project, nine: list[Pair]) -> QualityReport:
    """Every check found all of the nine; the duplicates are all of the first one."""
    made = report_of(project, "fail")
    checks = [
        {**made.report["checks"][0], "key": key, "title": key.capitalize(), "threshold": {"bound": "most", "warn": 0, "fail": 1}}
        | {"group": "duplicates", "note": "", "items": [], "rows": 9, "remedy": {"action": action, "label": f"Mend {key}"}}
        for key, action in CHECKS.items()
    ]
    QualityReport.objects.filter(pk=made.pk).update(report={**made.report, "checks": checks, "size": {"band": "", "says": ""}})
    for key in CHECKS:
        Finding.objects.bulk_create(Finding(report=made, check_key=key, pair=pair, other=nine[0].pk, detail="Alike") for pair in nine)
    made.refresh_from_db()
    return made


@pytest.fixture
def press(project: Project, report: QualityReport, client_for: Any, reviewer: User) -> Callable[..., str]:
    """Press what mends ``check``; the page that answers."""

    def pressed(check: str, action: str, by: User = reviewer) -> str:
        url = reverse("curation:quality_remedy", args=[project.slug, report.pk, check])
        return client_for(by).post(url, {"action": action}, follow=True).content.decode()

    return pressed


def now(status: PairStatus) -> int:
    return Pair.objects.filter(status=status).count()


@pytest.mark.parametrize(
    ("check", "action", "title", "rejected", "tagged", "said"),
    [
        ("empty", "reject", "Rejecting 9 pairs that “Empty” found", 9, 0, "9 pairs rejected."),
        ("near_duplicates", "keep_best", "Keeping the best of 9 pairs that “Near_duplicates” found", 8, 0, "8 pairs rejected."),
        ("stale", "send_to_review", "Sending 9 pairs that “Stale” found to review", 0, 9, "9 pairs sent to review."),
        ("empty", "send_to_review", "Sending 9 pairs that “Empty” found to review", 0, 9, "9 pairs sent to review."),
    ],
)
def test_what_mends_many_pairs_is_done_by_a_worker(
    press,
    project,
    report,
    reviewer,
    client_for,
    small,
    check,
    action,
    title,
    rejected,
    tagged,
    said,
):
    page = press(check, action)
    chore = Chore.objects.get()
    assert now(PairStatus.APPROVED) == 9 and small == [str(chore.pk)]
    assert title in page and "Waiting for a worker" in page and chore.by == reviewer
    assert ended(chore).state == ChoreState.SUCCEEDED and chore.message.startswith(said)
    assert (now(PairStatus.REJECTED), PairTag.objects.count()) == (rejected, tagged)
    assert now(PairStatus.PENDING) == tagged
    page = client_for(reviewer).get(reverse("curation:quality", args=[project.slug])).content.decode()
    assert said in page and f'href="{report.get_absolute_url()}"' in page and "See the report as it is now" in page


def test_the_history_tells_of_the_tag_that_a_remedy_puts_on(press, nine, reviewer):
    press("stale", "send_to_review")
    ended(Chore.objects.get())
    tag = Tag.objects.get(name="Stale")
    for pair in nine:
        told = sorted(((change.by, change.before, change.after) for change in pair.changes.all()), key=str)
        assert told == [(reviewer, {"status": "APPROVED"}, {"status": "PENDING"}), (reviewer, {"tags": []}, {"tags": [tag.pk]})]


def test_few_are_mended_while_the_person_waits(press, report, nine):
    Pair.objects.filter(pk__in=[pair.pk for pair in nine[:4]]).update(status=PairStatus.REJECTED)
    assert "5 pairs rejected. Check again" in press("empty", "reject")
    assert not Chore.objects.exists() and now(PairStatus.REJECTED) == 9
    assert "None was left to be rejected." in press("empty", "reject")


def test_a_spot_check_of_many_is_made_at_once(press, monkeypatch):
    monkeypatch.setattr("curation.services.remedies.SPOT_CHECK", 4)
    assert "4 pairs sent to review." in press("reviewed", "spot_check")
    drawn = set(PairTag.objects.values_list("pair_id", flat=True))
    press("reviewed", "spot_check")
    assert not Chore.objects.exists() and set(PairTag.objects.values_list("pair_id", flat=True)) == drawn and len(drawn) == 4


def test_a_double_press_begins_it_once(press):
    press("empty", "reject")
    press("empty", "reject")
    assert Chore.objects.count() == 1


def test_a_stop_between_two_batches_says_how_many_were_mended_and_tags_no_others(report, reviewer, monkeypatch):
    chore = finding_remedy_begin(report=report, by=reviewer, check="stale", action="send_to_review")
    assert isinstance(chore, Chore)
    at_half(monkeypatch, lambda: chore_stop(chore=chore, by=reviewer))
    assert ended(chore).state == ChoreState.STOPPED
    assert chore.message.startswith("Stopped after 4 of 9 pairs. 4 pairs sent to review.")
    tagged = set(PairTag.objects.filter(tag__name="Stale").values_list("pair_id", flat=True))
    assert tagged == set(Pair.objects.filter(status=PairStatus.PENDING).values_list("pk", flat=True)) and len(tagged) == 4
    assert AuditEvent.objects.get(action="quality.send_to_review").after == {"count": 4, "tag": "Stale"}


def test_a_stop_while_the_best_is_looked_for_rejects_nothing(press, reviewer, monkeypatch):
    press("near_duplicates", "keep_best")
    chore, whole = Chore.objects.get(), remedies.copies

    def stopped_meanwhile(findings: Any) -> Any:
        chore_stop(chore=chore, by=reviewer)
        threading.Event().wait(0.3)  # the heart hears of it
        return whole(findings)

    monkeypatch.setattr(remedies, "copies", stopped_meanwhile)
    assert ended(chore).state == ChoreState.STOPPED and chore.message == "Stopped. Nothing was made."
    assert now(PairStatus.APPROVED) == 9


def test_what_is_rejected_meanwhile_stays_rejected(report, reviewer, nine):
    chore = finding_remedy_begin(report=report, by=reviewer, check="stale", action="send_to_review")
    assert isinstance(chore, Chore)
    Pair.objects.filter(pk=nine[2].pk).update(status=PairStatus.REJECTED)
    Pair.objects.filter(pk=nine[3].pk).delete()
    assert ended(chore).state == ChoreState.SUCCEEDED
    assert (now(PairStatus.PENDING), now(PairStatus.REJECTED)) == (7, 1)


def test_one_line_of_the_log_names_the_count_and_the_report(press, report):
    press("empty", "reject")
    ended(Chore.objects.get())
    event = AuditEvent.objects.get(action="pairs.reject")
    assert event.target == f"empty of report {report.pk}" and event.after["count"] == 9


def test_who_may_not_decide_begins_nothing(press, viewer, annotator, engineer):
    for person in (viewer, annotator, engineer):
        press("empty", "reject", person)
    assert not Chore.objects.exists() and now(PairStatus.REJECTED) == 0


def test_without_script_a_stop_leads_back_to_the_gate(press, project, reviewer, client_for):
    press("empty", "reject")
    answer = client_for(reviewer).post(reverse("curation:chore_stop", args=[project.slug, Chore.objects.get().pk]))
    assert answer.headers["Location"] == reverse("curation:quality", args=[project.slug])
