"""The pages of the quality gate: what they show, what a press does, and that they cost the same however many pairs there are."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from curation.models import Pair, PairStatus, QualityReport, Tag
from curation.selectors.quality import map_chart
from curation.services.gating import gate_start, report_take_in
from projects.models import Project
from retrieval.models import Chunk, chunk_id
from runs.artifacts import artifact_register
from runs.models import Run, RunInput
from tests.curation.conftest import make_document, text_with

pytestmark = pytest.mark.django_db

CHECK = {
    "group": "duplicates", "verdict": "fail", "number": 4.2, "unit": "%", "threshold": {"bound": "most", "warn": 0, "fail": 1},
    "says": "of the pairs ask what another asks.", "note": "", "items": [], "rows": 0,
}  # fmt: skip


@pytest.fixture
def make_report(project: Project, owner: Any) -> Callable[..., QualityReport]:
    """A report as a run leaves it: ``findings`` are (check, pair, other)."""

    def make(findings: list[tuple[str, Pair, Pair | None]], remedies: dict[str, str], passages: Sequence[Chunk] = ()) -> QualityReport:
        run = gate_start(project=project, by=owner, tree={"not": {"field": "status", "op": "is", "value": "REJECTED"}})
        folder = Path(settings.ARTIFACT_ROOT) / f"report-{Run.objects.count()}"
        folder.mkdir(parents=True)
        checks = [
            CHECK
            | {
                "key": key,
                "title": f"Check {key}",
                "rows": sum(one[0] == key for one in findings),
                "remedy": {"action": action, "label": f"Mend {key}"},
            }
            for key, action in remedies.items()
        ]
        size = {"band": "under 100", "says": "Enough to try."}
        report = {"pairs": Pair.objects.count(), "seconds": 1, "verdict": "fail", "size": size, "checks": checks}
        (folder / "report.json").write_text(json.dumps(report), "utf-8")
        lines = [
            {"check": key, "pair": str(pair.pk), "detail": "Alike", **({"other": str(other.pk)} if other else {})}
            for key, pair, other in findings
        ]
        (folder / "findings.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
        points = [{"pair": str(pair.pk), "x": 1.0, "y": 2.0, "cluster": 0} for pair in Pair.objects.all()[:50]]
        bare = [{"version": str(one.version_id), "ordinal": one.ordinal, "x": 3.0, "y": 4.0, "cluster": 0} for one in passages]
        clusters = [{"id": 0, "words": ["tuple", "list"], "pairs": len(points), "documents": 1, "bare": len(bare)}]
        (folder / "map.json").write_text(json.dumps({"points": points, "passages": bare, "clusters": clusters}), "utf-8")
        artifact = artifact_register(project=project, kind="quality-report", folder=folder, produced_by=run, role="report")
        Run.objects.filter(pk=run.pk).update(status="SUCCEEDED")
        return report_take_in(artifact)

    return make


def test_before_the_first_report_the_page_offers_to_make_one(client_for, project, engineer, viewer, make_pair):
    page = client_for(engineer).get(reverse("curation:quality", args=[project.slug]))
    assert b"There is nothing to check yet" in page.content
    make_pair("What?")
    url = reverse("curation:quality", args=[project.slug])
    assert b"Check these pairs" in client_for(engineer).get(url).content
    assert b"Check these pairs" not in client_for(viewer).get(url).content


def test_the_map_shows_what_documents_say_and_no_pair_does(client_for, project, viewer, make_pair, make_report):
    version = make_document(project, "a.md", text_with(3, "a"))
    chunks = [
        Chunk.objects.create(
            id=chunk_id(version.pk, ordinal), version=version, ordinal=ordinal, text=f"Of {ordinal}.\n" * 30, start=0, end=9
        )
        for ordinal in range(2)
    ]
    make_pair("What?")
    report = make_report([], {}, chunks)
    chunks[1].delete()
    *_, bare = map_chart(report)["series"]
    assert bare["name"] == "Passages without pairs" and bare["faint"]
    assert [text[:12] for text in bare["text"]] == ["Of 0. Of 0. ", "A passage th"] and max(map(len, bare["text"])) == 90
    page = client_for(viewer).get(reverse("curation:quality", args=[project.slug])).content.decode()
    assert "Passages without</th>" in page and page.count('<td class="num">2</td>') == 1


def test_the_page_shows_each_check_with_its_number_limit_and_remedy(client_for, project, reviewer, make_pair, make_report):
    one, other = make_pair("What is it?"), make_pair("What is it then?")
    report = make_report([("near_duplicates", other, one)], {"near_duplicates": "keep_best", "stale": "send_to_review"})
    page = client_for(reviewer).get(report.get_absolute_url()).content.decode()
    assert "4.2%" in page and "at most 0%, fails above 1%" in page and "Mend near_duplicates" in page
    assert "Failed" in page and "under 100" in page and "tuple, list" in page
    assert "Mend stale" not in page  # nothing is behind it
    found = (
        client_for(reviewer).get(reverse("curation:quality_findings", args=[project.slug, report.pk, "near_duplicates"])).content.decode()
    )
    assert "What is it then?" in found and "Alike" in found and "What is it?" in found


def test_a_viewer_sees_the_report_but_no_remedy(client_for, viewer, make_pair, make_report):
    one, other = make_pair("What is it?"), make_pair("What is it then?")
    report = make_report([("near_duplicates", other, one)], {"near_duplicates": "keep_best"})
    page = client_for(viewer).get(report.get_absolute_url()).content.decode()
    assert "Check near_duplicates" in page and "Mend near_duplicates" not in page


def test_one_press_keeps_the_best_of_the_duplicates_and_the_report_is_out_of_date(client_for, project, reviewer, make_pair, make_report):
    best = make_pair("What is it?", status=PairStatus.APPROVED)
    copies = [make_pair(f"What is it {n}?") for n in range(3)]
    report = make_report([("near_duplicates", copy, best) for copy in copies], {"near_duplicates": "keep_best"})
    client = client_for(reviewer)
    assert "Out of date" not in client.get(report.get_absolute_url()).content.decode()
    url = reverse("curation:quality_remedy", args=[project.slug, report.pk, "near_duplicates"])
    page = client.post(url, {"action": "keep_best"}, follow=True).content.decode()
    assert "3 pairs rejected" in page and "Out of date" in page
    best.refresh_from_db()
    assert best.status == PairStatus.APPROVED and Pair.objects.filter(status=PairStatus.REJECTED).count() == 3


def test_findings_are_sent_to_review_with_the_checks_name_as_their_tag(client_for, project, reviewer, make_pair, make_report):
    pair = make_pair("What?", status=PairStatus.APPROVED)
    report = make_report([("stale", pair, None)], {"stale": "send_to_review"})
    client_for(reviewer).post(reverse("curation:quality_remedy", args=[project.slug, report.pk, "stale"]), {"action": "send_to_review"})
    pair.refresh_from_db()
    assert pair.status == PairStatus.PENDING and [tag.name for tag in pair.tags.all()] == ["Check stale"]


def test_a_remedy_that_does_not_mend_that_check_changes_nothing(client_for, project, reviewer, make_pair, make_report):
    pair = make_pair("What?", status=PairStatus.APPROVED)
    report = make_report([("stale", pair, None)], {"stale": "send_to_review"})
    url = reverse("curation:quality_remedy", args=[project.slug, report.pk, "stale"])
    page = client_for(reviewer).post(url, {"action": "reject"}, follow=True).content.decode()
    assert "not what mends that check" in page
    pair.refresh_from_db()
    assert pair.status == PairStatus.APPROVED and not Tag.objects.exists()


def test_starting_a_check_without_a_pair_says_so_and_keeps_the_choice(client_for, project, engineer, make_pair):
    make_pair("Waits for review?")
    page = client_for(engineer).post(reverse("curation:quality_run", args=[project.slug]), {"pairs": "approved"})
    assert page.status_code == 422 and "nothing to check" in page.content.decode()
    assert not Run.objects.exists()


def test_starting_a_check_writes_the_pairs_out_and_the_page_shows_its_run(client_for, project, engineer, make_pair):
    make_pair("Approved?", status=PairStatus.APPROVED)
    make_pair("Waiting?")
    client = client_for(engineer)
    client.post(reverse("curation:quality_run", args=[project.slug]))
    run = Run.objects.get(stage="check_pairs")
    given = RunInput.objects.get(run=run, role="pairs").artifact
    assert given is not None and given.facts["pairs"] == 1 and run.created_by == engineer
    assert "Waiting for a worker" in client.get(reverse("curation:quality", args=[project.slug])).content.decode()


@pytest.mark.parametrize("name", ["quality", "findings"])
def test_the_number_of_queries_does_not_grow_with_the_pairs(name, client_for, project, reviewer, make_pair, make_report):
    def queries(pairs: int) -> int:
        made = [make_pair(f"Question {pairs} {number}?") for number in range(pairs)]
        report = make_report([("near_duplicates", pair, made[0]) for pair in made[1:]], {"near_duplicates": "keep_best"})
        url = (
            report.get_absolute_url()
            if name == "quality"
            else reverse("curation:quality_findings", args=[project.slug, report.pk, "near_duplicates"])
        )
        client = client_for(reviewer)
        client.get(url)
        with CaptureQueriesContext(connection) as caught:
            assert client.get(url).status_code == 200
        return len(caught)

    few = queries(3)
    many = queries(60)
    assert many <= few + 1, (few, many)  # the second report adds the table of reports
    assert many < 40


def test_many_pairs_are_written_out_by_a_worker_while_the_page_waits_for_the_run(
    client_for, project, engineer, make_pair, monkeypatch, django_capture_on_commit_callbacks
):
    from curation import tasks
    from curation.services import gating

    make_pair("Approved?", status=PairStatus.APPROVED)
    monkeypatch.setattr(gating, "AT_ONCE", 0)
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(tasks.curation_gate_start, "delay", lambda *args: asked.append(args))  # the broker, not the work
    client = client_for(engineer)
    with django_capture_on_commit_callbacks(execute=True):
        answer = client.post(reverse("curation:quality_run", args=[project.slug]))
    url = answer.headers["Location"]
    assert not Run.objects.exists() and "Writing the pairs out" in client.get(url).content.decode()
    assert client.get(url, headers={"HX-Request": "true"}).status_code == 204
    tasks.curation_gate_start(*asked[0])
    assert Run.objects.get().created_by == engineer
    assert client.get(url, headers={"HX-Request": "true"}).headers["HX-Redirect"] == reverse("curation:quality", args=[project.slug])
