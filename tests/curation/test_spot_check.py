"""A spot check tells what share of the pairs drawn was good, once people have looked at them."""

import pytest
from django.urls import reverse

from curation.models import Finding, Pair, PairStatus, PairTag, QualityReport
from curation.selectors.spot_check import SPOT_CHECK_TAG, spot_check_of, wilson
from curation.services.deciding import pair_approve, pair_reject, pair_review, pairs_decide_bulk
from curation.services.remedies import finding_remedy_begin
from tests.curation.conftest import report_of

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    # of Newcombe (Statistics in Medicine 17, 1998, table I) the score method, rounded to four places
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_interval_is_wilsons_as_it_was_published(hits, of, low, high):
    assert wilson(hits, of) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_nothing_seen_says_nothing():
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.fixture
def drawn(project, reviewer, make_pair, monkeypatch) -> list[Pair]:
    """Ten of twelve pairs that a rule approved, two of them edited before, drawn for a spot check; they wait for review."""
    monkeypatch.setattr("curation.services.remedies.SPOT_CHECK", 10)
    for number in range(12):
        make_pair(f"Question {number}?", status=PairStatus.APPROVED, decided_by_rule="rule")
    for pair in Pair.objects.all()[:2]:
        pair_review(pair=pair, by=reviewer, decision=PairStatus.APPROVED, question=pair.question, answer="Mended long ago.")
    report = report_of(project, "warn")
    check = {
        "key": "reviewed",
        "title": "Looked at by a person",
        "remedy": {"action": "spot_check", "label": "Draw"},
        "items": [],
        "note": "",
    }
    check |= {"group": "accuracy", "threshold": {"bound": "least", "warn": 20, "fail": None}, "number": 3, "unit": "%", "rows": 12}
    checks = [check | {"says": "of the pairs were decided on by a person.", "verdict": "warn"}]
    QualityReport.objects.filter(pk=report.pk).update(report={**report.report, "checks": checks, "size": {"band": "", "says": ""}})
    report.refresh_from_db()
    Finding.objects.bulk_create(Finding(report=report, check_key="reviewed", pair=pair, detail="x") for pair in Pair.objects.all())
    assert spot_check_of(project) is None
    finding_remedy_begin(report=report, by=reviewer, check="reviewed", action="spot_check")
    return list(Pair.objects.filter(tags__name=SPOT_CHECK_TAG).order_by("created_at"))


def decide(pairs: list[Pair], by) -> None:
    """Six approved as they are, one after an edit, one rejected; the ninth waits, the tenth a rule approves."""
    for pair in pairs[:6]:
        pair_approve(pair=pair, by=by)
    pair_review(pair=pairs[6], by=by, decision=PairStatus.APPROVED, question=pairs[6].question, answer="A better answer.")
    pair_reject(pair=pairs[7], by=by)
    Pair.objects.filter(pk=pairs[9].pk).update(status=PairStatus.APPROVED, decided_by_rule="rule")


def test_what_reviewers_found_is_counted_with_its_interval(project, reviewer, drawn):
    before = spot_check_of(project)
    assert before is not None and (before.drawn, before.decided, before.interval) == (10, 0, (0.0, 100.0))
    decide(drawn, reviewer)
    spot = spot_check_of(project)
    assert spot is not None and (spot.approved, spot.edited, spot.rejected, spot.waiting) == (6, 1, 1, 2)
    assert spot.good == 75 and [round(one) for one in spot.interval] == [41, 93]


def test_the_page_tells_the_share_and_leads_to_what_still_waits(client_for, project, reviewer, drawn):
    client, url = client_for(reviewer), reverse("curation:quality", args=[project.slug])
    page = client.get(url).content.decode()
    assert "10 drawn, 0 decided." in page and "10 still wait" in page and "95% interval" not in page
    decide(drawn, reviewer)
    page = client.get(url).content.decode()
    assert "10 drawn, 8 decided: 6 approved as they were, 1 after an edit, 1 rejected." in page
    assert '<span class="strong num">75%</span>' in page and "between 41% and 93%" in page
    assert client.get(spot_check_of(project).waiting_url).context["page"].paginator.count == 1


def test_a_tag_taken_off_takes_its_pair_out(project, reviewer, drawn):
    decide(drawn, reviewer)
    PairTag.objects.filter(pair=drawn[7]).delete()
    spot = spot_check_of(project)
    assert spot is not None and (spot.drawn, spot.rejected) == (9, 0)
    PairTag.objects.all().delete()
    assert spot_check_of(project) is None


def test_approving_all_at_once_counts_as_a_decision(project, reviewer, drawn):
    pairs_decide_bulk(project=project, by=reviewer, pairs=Pair.objects.filter(status=PairStatus.PENDING), status=PairStatus.APPROVED)
    spot = spot_check_of(project)
    assert spot is not None and spot.approved == 10
