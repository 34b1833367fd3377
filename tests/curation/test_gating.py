"""Starting the gate and taking in what it found; remedies as services."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from curation.errors import PairError
from curation.gate import last_gate
from curation.models import Finding, Pair, PairStatus, QualityReport
from curation.services.gating import gate_begin, gate_start, report_take_in
from curation.services.remedies import SPOT_CHECK, finding_remedy_begin
from curation.split_index import planned_split
from projects.models import AuditEvent
from runs.artifacts import artifact_path, artifact_register
from runs.models import Artifact, RunInput

pytestmark = pytest.mark.django_db


def report_artifact(
    project, findings: list[dict[str, Any]], run=None, remedies: dict[str, str] | None = None, ready: bool = True
) -> Artifact:
    folder = Path(settings.ARTIFACT_ROOT) / f"made-{Artifact.objects.count()}"
    folder.mkdir(parents=True)
    checks = [
        {
            "key": key,
            "group": "g",
            "title": key,
            "verdict": "fail",
            "number": 1,
            "unit": "%",
            "threshold": {},
            "says": "",
            "rows": 1,
            "remedy": {"action": action},
        }
        for key, action in (remedies or {}).items()
    ]
    (folder / "report.json").write_text(json.dumps({"pairs": Pair.objects.count(), "verdict": "warn", "checks": checks}), "utf-8")
    (folder / "findings.jsonl").write_text("".join(json.dumps(one) + "\n" for one in findings), "utf-8")
    return artifact_register(project=project, kind="quality-report", folder=folder, produced_by=run, role="report", ready=ready)


def test_the_gate_looks_at_the_approved_pairs_and_knows_later_whether_they_are_the_same(project, owner, approved, make_pair):
    make_pair("Waiting?")
    run = gate_start(project=project, by=owner)
    assert [one.role for one in run.inputs.all()] == ["pairs"]  # nothing was read, so there are no passages
    given = RunInput.objects.get(run=run, role="pairs").artifact
    rows = [json.loads(line) for line in (artifact_path(given) / "pairs.jsonl").read_text("utf-8").splitlines()]
    assert len(rows) == 120 and {row["split"] for row in rows} == {"train", "validation", "test"}
    by_document: dict[str, set[str]] = {}
    for row in rows:
        by_document.setdefault(row["document"], set()).add(row["split"])
    assert all(len(splits) == 1 for splits in by_document.values())
    report_take_in(report_artifact(project, [], run))
    pairs = Pair.objects.filter(project=project, status=PairStatus.APPROVED)
    assert last_gate(project, pairs).current
    Pair.objects.filter(pk=approved[0].pk).update(status=PairStatus.REJECTED)
    assert not last_gate(project, pairs).current


def test_the_split_is_foretold_as_cutting_would_make_it(project, owner, approved):
    from curation.services import dataset_version_cut

    version = dataset_version_cut(project=project, by=owner)
    cut = {
        json.loads(line)["id"]: split
        for split in version.counts
        for line in (artifact_path(version.artifact) / f"{split}.jsonl").read_text("utf-8").splitlines()
    }
    assert planned_split(Pair.objects.filter(project=project), seed=7) == cut


def test_a_few_documents_are_too_few_to_foretell_a_split(project, make_pair):
    make_pair("One?")
    assert planned_split(Pair.objects.filter(project=project), seed=7) is None


def test_nothing_to_look_at_is_said_before_a_run_is_made(project, owner):
    with pytest.raises(PairError, match="nothing to check"):
        gate_begin(project=project, by=owner)


def test_a_report_is_taken_in_once_and_leaves_out_pairs_that_are_gone(project, make_pair):
    pair, other = make_pair("One?"), make_pair("Two?")
    gone = {"check": "stale", "pair": "00000000-0000-4000-8000-000000000000", "detail": "Old"}
    lines = [{"check": "near_duplicates", "pair": str(pair.pk), "other": str(other.pk), "detail": "Alike"}, gone]
    lines.append({"check": "benchmark_leaks", "pair": str(pair.pk), "other": "What is two plus two?", "detail": "Holds a question"})
    artifact = report_artifact(project, lines)
    for _ in range(2):
        report_take_in(artifact)
    assert QualityReport.objects.count() == 1
    found = list(Finding.objects.values_list("check_key", "pair_id", "other", "detail"))
    assert found == [
        ("near_duplicates", pair.pk, other.pk, "Alike"),
        ("benchmark_leaks", pair.pk, None, "Holds a question: What is two plus two?"),
    ]


def test_a_report_counts_once_all_of_it_is_in(project, make_pair):
    make_pair("One?")
    artifact = report_artifact(project, [], ready=False)
    report_take_in(artifact)
    assert last_gate(project, Pair.objects.all()).report is None
    Artifact.objects.filter(pk=artifact.pk).update(ready=True)
    assert last_gate(project, Pair.objects.all()).report is not None


def test_of_each_group_the_best_is_kept_whichever_was_called_the_copy(project, owner, make_pair):
    old, by_rule = make_pair("A?"), make_pair("A!", status=PairStatus.APPROVED, decided_by_rule="rule")
    best = make_pair("A.", status=PairStatus.APPROVED)
    alone, twin = make_pair("B?", "A longer answer."), make_pair("B!", "Short.")
    lines = [
        {"check": "near_duplicates", "pair": str(a.pk), "other": str(b.pk), "detail": "x"}
        for a, b in ((by_rule, old), (best, by_rule), (alone, twin))
    ]
    report = report_take_in(report_artifact(project, lines, remedies={"near_duplicates": "keep_best"}))
    said = finding_remedy_begin(report=report, by=owner, check="near_duplicates", action="keep_best")
    assert str(said).startswith("3 pairs rejected.")
    kept = set(Pair.objects.exclude(status=PairStatus.REJECTED).values_list("pk", flat=True))
    assert kept == {best.pk, alone.pk}
    again = finding_remedy_begin(report=report, by=owner, check="near_duplicates", action="keep_best")
    assert again == "None was left to be rejected."  # once is enough
    assert AuditEvent.objects.filter(action="pairs.reject").exists()


def test_a_spot_check_draws_fifty_and_sends_them_to_review_with_a_tag(project, owner, approved):
    lines = [{"check": "reviewed", "pair": str(pair.pk), "detail": "Approved by rule"} for pair in approved]
    report = report_take_in(report_artifact(project, lines, remedies={"reviewed": "spot_check"}))
    said = finding_remedy_begin(report=report, by=owner, check="reviewed", action="spot_check")
    assert str(said).startswith(f"{SPOT_CHECK} pairs sent to review.")
    drawn = Pair.objects.filter(tags__name="Spot check")
    assert drawn.count() == SPOT_CHECK and set(drawn.values_list("status", flat=True)) == {PairStatus.PENDING}


def test_what_was_rejected_stays_rejected_when_findings_are_sent_to_review(project, owner, make_pair):
    gone, there = make_pair("A?", status=PairStatus.REJECTED), make_pair("B?", status=PairStatus.APPROVED)
    lines = [{"check": "stale", "pair": str(pair.pk), "detail": "Old"} for pair in (gone, there)]
    report = report_take_in(report_artifact(project, lines, remedies={"stale": "send_to_review"}))
    finding_remedy_begin(report=report, by=owner, check="stale", action="send_to_review")
    assert [Pair.objects.get(pk=pair.pk).status for pair in (gone, there)] == [PairStatus.REJECTED, PairStatus.PENDING]


@pytest.mark.parametrize(("check", "action"), [("stale", "reject"), ("stale", "explode"), ("nothing", "reject")])
def test_an_action_that_is_not_the_checks_own_is_refused(project, owner, make_pair, check, action):
    report = report_take_in(report_artifact(project, [], remedies={"stale": "send_to_review"}))
    with pytest.raises(PairError):
        finding_remedy_begin(report=report, by=owner, check=check, action=action)


def test_what_would_be_rejected_may_be_looked_at_instead(project, owner, make_pair):
    pair = make_pair("A?", status=PairStatus.APPROVED)
    report = report_take_in(
        report_artifact(project, [{"check": "empty", "pair": str(pair.pk), "detail": "x"}], remedies={"empty": "reject"})
    )
    finding_remedy_begin(report=report, by=owner, check="empty", action="send_to_review")
    pair.refresh_from_db()
    assert pair.status == PairStatus.PENDING
