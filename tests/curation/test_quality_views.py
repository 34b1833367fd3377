"""The pages of the quality gate: what they show, what a press does, and that they cost the same however many pairs there are."""

import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from curation.models import Chore, ChoreState, Pair, PairStatus, QualityReport, Tag
from curation.selectors.quality import map_chart
from curation.services import gating
from curation.services.chores import chore_stop
from curation.services.gating import gate_start, report_take_in
from projects.models import Project
from retrieval.models import Chunk, chunk_id
from runs.artifacts import artifact_register
from runs.models import Artifact, Run, RunInput
from tests.curation.chores_kit import ended, made_small
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


@pytest.fixture
def many(make_pair: Callable[..., Pair], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Six approved pairs, which are many; the ids of the chores that workers were told of."""
    for number in range(6):
        make_pair(f"Approved {number}?", status=PairStatus.APPROVED)
    return made_small(monkeypatch)


@pytest.mark.django_db(transaction=True)
def test_many_pairs_are_written_out_by_a_worker_and_the_page_leads_to_the_run(client_for, project, engineer, many):
    client, url = client_for(engineer), reverse("curation:quality", args=[project.slug])
    page = client.post(reverse("curation:quality_run", args=[project.slug]), follow=True).content.decode()
    chore = Chore.objects.get()
    assert many == [str(chore.pk)] and not Run.objects.exists()
    assert "Writing out 6 pairs for the quality gate" in page and "Waiting for a worker" in page and "Check these pairs" not in page
    assert ended(chore).state == ChoreState.SUCCEEDED and Run.objects.get().created_by == engineer
    page = client.get(url).content.decode()
    assert "The check has begun." in page and "See how far it is" in page and f"/runs/{Run.objects.get().pk}/" in page


@pytest.mark.django_db(transaction=True)
def test_a_look_whose_writing_out_fails_says_so_and_is_tried_again_with_what_was_chosen(
    client_for, project, engineer, many, monkeypatch, caplog
):
    client, url = client_for(engineer), reverse("curation:quality", args=[project.slug])
    asked = {"pairs": "kept", "context_tokens": "2048", "model": ""}
    client.post(reverse("curation:quality_run", args=[project.slug]), asked)

    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError("No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(gating, "pair_rows", full)
        chore = ended(Chore.objects.get())
    assert chore.state == ChoreState.FAILED and not Run.objects.exists() and "No space left" in caplog.text
    page = client.get(url).content.decode()
    assert "Something went wrong. Nothing was made." in page and f'href="{url}?again=1"' in page and "every 1s" not in page
    answer = client.get(url, {"again": 1})
    form = answer.context["form"]
    assert "Check these pairs" in answer.content.decode()
    assert {name: str(form[name].value()) for name in asked} == asked
    client.post(reverse("curation:quality_run", args=[project.slug]), asked)
    assert ended(Chore.objects.exclude(pk=chore.pk).get()).state == ChoreState.SUCCEEDED
    assert Run.objects.get().params["context_tokens"] == 2048


def test_beside_a_report_the_form_is_open_when_it_is_tried_again(client_for, project, engineer, viewer, make_pair, make_report):
    make_pair("What?")
    make_report([], {"stale": "send_to_review"})
    url = reverse("curation:quality", args=[project.slug])
    again, usual = (client_for(engineer).get(url, data).content.decode() for data in ({"again": 1}, {}))
    assert "<dialog" in usual and 'id="gate-run"' in usual and 'id="gate-run"' not in again
    assert again.count("Check these pairs") == usual.count("Check these pairs") == 1
    assert "Check these pairs" not in client_for(viewer).get(url, {"again": 1}).content.decode()


@pytest.mark.django_db(transaction=True)
def test_pairs_that_are_gone_when_the_worker_comes_are_said(client_for, project, engineer, many):
    client_for(engineer).post(reverse("curation:quality_run", args=[project.slug]))
    Pair.objects.all().delete()
    chore = ended(Chore.objects.get())
    assert chore.state == ChoreState.FAILED and "nothing to check" in chore.message and not Run.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_look_is_stopped_before_its_pairs_are_written_out(client_for, project, engineer, many, monkeypatch):
    client_for(engineer).post(reverse("curation:quality_run", args=[project.slug]))
    chore, whole = Chore.objects.get(), gating.planned_split

    def stopped_meanwhile(*args: Any, **kwargs: Any) -> Any:
        chore_stop(chore=chore, by=engineer)
        threading.Event().wait(0.3)  # the heart hears of it
        return whole(*args, **kwargs)

    monkeypatch.setattr(gating, "planned_split", stopped_meanwhile)
    assert ended(chore).state == ChoreState.STOPPED and not Run.objects.exists() and not Artifact.objects.exists()


def test_the_pairs_of_an_address_are_checked_and_named(client_for, project, engineer, make_pair):
    make_pair("Approved?", status=PairStatus.APPROVED)
    tree = {"all": [{"field": "topic", "op": "is", "value": "Pumps"}]}
    client, url = client_for(engineer), reverse("curation:quality_run", args=[project.slug])
    page = client.post(url, {"f": json.dumps(tree)})
    assert page.status_code == 422 and "nothing to check" in page.content.decode() and "Topic is Pumps" in page.content.decode()
    make_pair("Of pumps?", topic="Pumps")
    client.post(url, {"f": json.dumps(tree)})
    assert RunInput.objects.get(role="pairs").artifact.facts["tree"] == tree
    assert "cut short" in client.post(url, {"f": '{"all": ['}).content.decode()


# --- what mends it ---


def test_what_is_to_be_paraphrased_is_what_the_check_found(client_for, project, engineer, make_pair, make_report):
    found, other = make_pair("How do I start?"), make_pair("What is it?")
    make_pair("Approved?", status=PairStatus.APPROVED)
    report = make_report([("openings", found, None)], {"openings": "augment", "documents": "generate"})
    client = client_for(engineer)
    groups = client.get(reverse("curation:quality", args=[project.slug])).context["groups"]
    links = {check["key"]: check["href"] for group in groups for check in group["checks"]}
    assert links["documents"] == reverse("curation:pairs_generate", args=[project.slug])
    page = client.get(links["openings"])
    assert page.context["count"] == 1 and "that the table" in page.content.decode()
    make_report([("openings", other, None)], {"openings": "augment"})
    groups = client.get(report.get_absolute_url()).context["groups"]
    earlier = next(check["href"] for group in groups for check in group["checks"] if check["key"] == "openings")
    assert earlier == reverse("curation:pairs_augment", args=[project.slug])  # findings in filters are those of the newest
