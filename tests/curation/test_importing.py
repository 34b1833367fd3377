"""From an uploaded file to pairs in the table, by the real run."""

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from curation.import_settings import ImportSettings
from curation.models import Origin, Pair, PairImport, PairStatus
from curation.peeking import peek
from curation.selectors import imports as selectors
from curation.services import (
    PairImportError,
    pair_import_remove,
    pair_import_set,
    pair_import_start,
    pair_import_try,
    pair_import_upload,
)
from projects.models import AuditEvent, Project, User
from runs.artifacts import artifact_path
from runs.models import Run, Status
from tests.curation.conftest import make_document, text_with

pytestmark = pytest.mark.django_db(transaction=True)
ROWS = [
    {
        "messages": [{"role": "user", "content": f"Question {number}?"}, {"role": "assistant", "content": f"Answer {number}."}],
        "tags": ["safety", f"part {number % 2}"],
        "topic": "brakes",
        "language": "en",
        "difficulty": "hard",
        "ticket": {"id": number},
    }
    for number in range(1, 6)
]


def lines(*rows: Any) -> bytes:
    return b"".join((row if isinstance(row, bytes) else json.dumps(row).encode()) + b"\n" for row in rows)


@pytest.fixture(autouse=True)
def places(tmp_path: Path, settings: Any) -> None:
    settings.RUN_ROOT = tmp_path / "runs"


@pytest.fixture
def upload(project: Project, owner: User) -> Callable[..., PairImport]:
    def make(name: str, content: bytes, **chosen: Any) -> PairImport:
        made = pair_import_upload(project=project, by=owner, file=SimpleUploadedFile(name, content))
        pair_import_set(pair_import=made, settings=ImportSettings(**chosen))
        return made

    return make


# --- the run ---


def test_good_rows_come_in_with_all_they_bring_and_bad_ones_are_named(upload, owner, supervised):
    made = upload("faq.jsonl", lines(*ROWS[:2], b"{broken", *ROWS[2:], {"messages": []}))
    run = supervised(pair_import_start(pair_import=made, by=owner))
    assert run.status == Status.SUCCEEDED, run.error
    assert Pair.objects.count() == 5
    pair = Pair.objects.get(question="Question 3?")
    assert (pair.status, pair.origin, pair.made_by) == (PairStatus.PENDING, Origin.IMPORTED, "faq.jsonl, line 4")
    assert (pair.topic, pair.language, pair.difficulty, pair.extra) == ("brakes", "en", "hard", {"ticket": {"id": 3}})
    assert sorted(tag.name for tag in pair.tags.all()) == ["part 1", "safety"]
    assert pair.created_by == owner
    report = selectors.report_of(run)
    assert report is not None
    assert (report.format, report.read, report.good, report.bad) == ("messages", 7, 5, 2)
    assert [(row.line, row.column) for row in selectors.bad_rows(run)] == [(3, ""), (7, "messages")]
    made.refresh_from_db()
    assert selectors.state_of(made) == {"status": "SUCCEEDED", "label": "5 pairs, 2 left out"}


def test_a_dry_run_tells_the_same_and_leaves_the_table_alone(upload, owner, supervised):
    made = upload("faq.jsonl", lines(*ROWS, b"nonsense"))
    run = supervised(pair_import_try(pair_import=made, by=owner))
    report = selectors.report_of(run)
    assert report is not None and (report.good, report.bad) == (5, 1)
    assert report.values["tags"] == {"safety": 5, "part 1": 3, "part 0": 2}
    assert not Pair.objects.exists()
    assert selectors.state_of(PairImport.objects.select_related("run", "dry_run").get())["label"] == "Tried"


def test_columns_go_where_the_mapping_says(upload, owner, supervised):
    table = (
        'Nr;Frage;Antwort;Bereich\n1;Was ist ein Ölfilter?;Er reinigt Öl; immer.;Motor\n2;Wann wechseln?;"Jährlich; oder früher.";Motor\n'
    )
    mapping = {"Nr": "extra", "Frage": "question", "Antwort": "answer", "Bereich": "topic"}
    made = upload("fragen.csv", table.encode("cp1252"), format="columns", mapping=mapping)
    run = supervised(pair_import_start(pair_import=made, by=owner))
    (pair,) = Pair.objects.all()
    assert (pair.question, pair.answer, pair.topic, pair.extra) == ("Wann wechseln?", "Jährlich; oder früher.", "Motor", {"Nr": "2"})
    (bad,) = selectors.bad_rows(run)
    assert (bad.line, "5 cells where the table has 4 columns" in bad.message) == (2, True)


def test_preference_rows_bring_their_rejected_answer(upload, owner, supervised):
    made = upload("dpo.jsonl", lines({"prompt": "Q?", "chosen": "Good.", "rejected": "Bad."}))
    supervised(pair_import_start(pair_import=made, by=owner))
    pair = Pair.objects.get()
    assert (pair.answer, pair.rejected, pair.fork) == ("Good.", [{"role": "assistant", "content": "Bad."}], 1)


def test_sources_hold_where_their_document_is_here_and_are_kept_aside_where_it_is_not(upload, owner, project, supervised):
    version = make_document(project, "a.md", text_with(3, "a"))
    here = {"document": str(version.document_id), "version": str(version.pk), "page": 1, "start": 0, "end": 8, "evidence": "Sentence"}
    other = {**here, "version": str(version.document_id)}
    broken = {**here, "version": "no id", "start": "x"}
    made = upload("with-sources.jsonl", lines(*({**ROWS[place], "sources": [one]} for place, one in enumerate([here, other, broken]))))
    supervised(pair_import_start(pair_import=made, by=owner))
    one, two, three = Pair.objects.order_by("artifact_row")
    assert one.sources == [here] and one.version_id == version.pk and "sources" not in one.extra
    assert two.sources == [] and two.extra["sources"] == [other]
    assert three.sources == [] and three.extra["sources"] == [broken]


def test_the_same_question_twice_comes_in_twice(upload, owner, supervised):
    supervised(pair_import_start(pair_import=upload("twice.jsonl", lines(ROWS[0], ROWS[0])), by=owner))
    assert Pair.objects.filter(question="Question 1?").count() == 2


def test_a_file_without_a_single_good_row_ends_in_a_report_and_may_be_tried_again(upload, owner, supervised):
    made = upload("wrong.jsonl", lines({"text": "no pair"}), format="messages")
    run = supervised(pair_import_start(pair_import=made, by=owner))
    assert (run.status, Pair.objects.count()) == (Status.SUCCEEDED, 0)
    made = selectors.imports_of(made.project).get()
    pair_import_set(pair_import=made, settings=ImportSettings(format="columns", mapping={"text": "question"}))
    assert pair_import_start(pair_import=made, by=owner).pk != run.pk


def test_a_file_is_imported_once(upload, owner, supervised):
    made = upload("faq.jsonl", lines(*ROWS))
    supervised(pair_import_start(pair_import=made, by=owner))
    made = selectors.imports_of(made.project).get()
    with pytest.raises(PairImportError, match="imported already"):
        pair_import_start(pair_import=made, by=owner)


def test_of_two_people_who_start_at_once_one_is_first(upload, owner):
    made = upload("faq.jsonl", lines(*ROWS))
    stale = PairImport.objects.get()
    pair_import_start(pair_import=made, by=owner)
    with pytest.raises(PairImportError, match="at the same moment"):
        pair_import_start(pair_import=stale, by=owner)
    assert Run.objects.filter(stage="import_pairs").count() == 1


# --- again ---


@pytest.fixture
def imported(upload, owner, supervised) -> PairImport:
    """Five rows of a table, the second of them read as "Reisst nicht" by a wrong encoding, imported by a run that has ended."""
    table = "Frage;Antwort\n" + "".join(f"Frage {n}?;{'Reißt nicht' if n == 2 else f'Antwort {n}'}\n" for n in range(1, 6))
    mapping = {"Frage": "question", "Antwort": "answer"}
    made = upload("fragen.csv", table.encode(), format="columns", mapping=mapping, encoding="cp1252")
    supervised(pair_import_start(pair_import=made, by=owner))
    return selectors.imports_of(made.project).get()


def test_a_run_that_imported_is_begun_again_on_the_page_of_its_file(client_for, engineer, imported):
    client, run = client_for(engineer), imported.run
    page, rerun = client.get(run.get_absolute_url()), reverse("runs:rerun", args=[run.project.slug, run.pk])
    again = f"{imported.get_absolute_url()}?again=1"
    assert f'href="{again}"' in page.content.decode() and "Rerun with changes" not in page.content.decode()
    for answer in (client.get(rerun), client.post(rerun, {"format": "columns"})):
        assert answer.headers["Location"] == again
    assert Run.objects.filter(stage="import_pairs").count() == 1
    page = client.get(again).content.decode()
    assert "This file is imported." in page and "cp1252" in page and "Import again</button>" in page
    assert "Import again</button>" not in client.get(imported.get_absolute_url()).content.decode()


def test_other_runs_are_rerun_with_changes_as_before(client_for, engineer, project):
    run = Run.objects.create(project=project, stage="extract_pairs", title="Cut", status=Status.SUCCEEDED, created_by=engineer)
    assert "Rerun with changes" in client_for(engineer).get(run.get_absolute_url()).content.decode()
    assert client_for(engineer).get(reverse("runs:rerun", args=[project.slug, run.pk])).status_code == 200


def test_a_run_whose_file_was_removed_leads_to_where_files_are_imported(client_for, engineer, owner, imported):
    run = imported.run
    pair_import_remove(pair_import=imported, by=owner)
    answer = client_for(engineer).get(reverse("runs:rerun", args=[run.project.slug, run.pk]))
    assert answer.headers["Location"] == reverse("curation:imports", args=[run.project.slug])


def test_importing_again_with_the_same_settings_brings_nothing_in_and_touches_nothing(client_for, engineer, imported, supervised):
    decided = Pair.objects.get(question="Frage 3?")
    Pair.objects.filter(pk=decided.pk).update(status=PairStatus.APPROVED, answer="Mended by hand")
    before = list(Pair.objects.order_by("pk").values())
    client, url = client_for(engineer), imported.get_absolute_url()
    assert client.post(url, {"action": "start", "encoding": "cp1252", "header": "on", "again": "1"}).status_code == 302
    imported.refresh_from_db()
    assert supervised(imported.run).status == Status.SUCCEEDED
    assert list(Pair.objects.order_by("pk").values()) == before
    assert "0 of 5 pairs are new in the table" in client.get(url).content.decode()


def test_rows_that_read_differently_come_in_beside_the_earlier_ones_and_only_they(client_for, engineer, imported, supervised):
    assert Pair.objects.get(question="Frage 2?").answer == "ReiÃŸt nicht"
    client, url = client_for(engineer), imported.get_absolute_url()
    for _ in range(2):
        client.post(url, {"action": "start", "encoding": "utf-8", "header": "on", "again": "1"})
        imported.refresh_from_db()
        supervised(imported.run)
    answers = list(Pair.objects.filter(question="Frage 2?").order_by("created_at").values_list("answer", flat=True))
    assert answers == ["ReiÃŸt nicht", "Reißt nicht"] and Pair.objects.count() == 6


def test_trying_again_leaves_the_table_alone_and_the_settings_open(client_for, engineer, imported, supervised):
    client, url = client_for(engineer), imported.get_absolute_url()
    answer = client.post(url, {"action": "try", "encoding": "utf-8", "header": "on", "again": "1"})
    assert answer.headers["Location"] == f"{url}?again=1"
    imported.refresh_from_db()
    supervised(imported.dry_run)
    page = client.get(f"{url}?again=1").content.decode()
    assert "has brought nothing into the table" in page and "Import again</button>" in page and Pair.objects.count() == 5
    assert 'id="run-outputs"' in page  # where run-stream.js opens the buttons again that the trial had closed
    assert "Try again" in client.get(imported.dry_run.get_absolute_url()).content.decode()


def test_importing_again_takes_a_press_on_the_page_that_says_what_it_does(client_for, engineer, imported):
    page = client_for(engineer).post(imported.get_absolute_url(), {"action": "start"})
    assert page.status_code == 422 and "imported already" in page.content.decode()
    assert Run.objects.filter(stage="import_pairs").count() == 1


def test_an_import_that_ended_half_way_brings_in_the_rest(upload, owner, supervised):
    made = upload("faq.jsonl", lines(*ROWS, ROWS[0]))
    first = supervised(pair_import_start(pair_import=made, by=owner))
    Pair.objects.filter(artifact_row__gt=2).delete()  # the supervisor died while it took the rows in
    Run.objects.filter(pk=first.pk).update(status=Status.FAILED)
    made = selectors.imports_of(made.project).get()
    supervised(pair_import_start(pair_import=made, by=owner))
    found = Pair.objects.order_by("artifact_row", "created_at").values_list("made_by", flat=True)
    assert sorted(found) == [f"faq.jsonl, line {number}" for number in range(1, 7)]


def test_the_same_file_uploaded_again_is_another_file(upload, owner, supervised):
    for _ in range(2):
        supervised(pair_import_start(pair_import=upload("faq.jsonl", lines(*ROWS)), by=owner))
    assert Pair.objects.count() == 10


# --- uploads ---


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/"), content)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("pairs.pdf", b"%PDF-1.7", "holds no pairs"),
        ("pairs.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "holds no pairs"),
        ("pairs.jsonl", b"", "is empty"),
        ("pairs.jsonl", gzip.compress(b"{}", mtime=0), "its content is a gzip archive"),
        ("pairs.csv", b"\x00\x01\x02\x00\x00\xff" * 50, "its content is binary data"),
        ("pairs.parquet", b"question,answer", "its content is text"),
        ("pairs.xlsx", b"question,answer", "damaged"),
        ("pairs.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "password"),
        ("pairs.xlsx", zipped(**{"word__document.xml": b"x"}), "another kind of zip"),
        ("bomb.xlsx", zipped(**{"xl__sharedStrings.xml": b"\x00" * (600 * 2**20)}), "would unpack to 600 MB"),
        ("x" * 300 + ".csv", b"question,answer", "longer than 255 bytes"),
    ],
)
def test_what_is_no_file_of_pairs_is_refused_with_the_reason(project, owner, name, content, words):
    with pytest.raises(PairImportError, match=words) as caught:
        file = SimpleUploadedFile("x", content)
        file._name = name  # as a browser may send it: Django would shorten it
        pair_import_upload(project=project, by=owner, file=file)
    assert caught.value.mend
    assert not PairImport.objects.exists() and not list(Path(django_settings.ARTIFACT_ROOT).glob("table-file*/*"))


@pytest.mark.parametrize("name", ["artifact.json", "table.json", "=cmd.json", "<script>alert(1)</script>.json"])
def test_a_file_of_any_name_is_kept_as_it_came(upload, owner, client_for, name, supervised):
    content = json.dumps(ROWS).encode()
    made = upload(name, content)
    assert selectors.table_file(made).read_bytes() == content
    supervised(pair_import_start(pair_import=made, by=owner))
    assert Pair.objects.filter(made_by=f"{made.name}, line 1").count() == 5
    page = client_for(owner).get(made.get_absolute_url()).content.decode()
    assert "<script>alert" not in page


def test_removing_an_upload_takes_the_file_and_leaves_the_pairs(upload, owner, supervised):
    made = upload("faq.jsonl", lines(*ROWS))
    supervised(pair_import_start(pair_import=made, by=owner))
    made = selectors.imports_of(made.project).get()
    pair_import_remove(pair_import=made, by=owner)
    assert not artifact_path(made.artifact).exists()
    assert (PairImport.objects.count(), Pair.objects.count()) == (0, 5)
    assert list(AuditEvent.objects.filter(action__startswith="import.").values_list("action", flat=True)) == [
        "import.remove",
        "import.upload",
    ]


# --- looking ---


def test_a_peek_shows_twenty_rows_and_what_they_become(upload):
    made = upload("faq.csv", b"question,answer\n" + b"".join(f"Q{n}?,A{n}\n".encode() for n in range(30)))
    seen = selectors.peek_of(made, ImportSettings())
    assert (seen.format, seen.delimiter, seen.encoding, len(seen.lines)) == ("columns", ",", "utf-8", 20)
    rows = seen.read_as("columns", {})
    assert rows[0].pair is not None and (rows[0].number, rows[0].pair.question, rows[0].pair.answer) == (2, "Q0?", "A0")
    wrong = seen.read_as("messages", {})
    assert wrong[0].error and wrong[0].column == "messages"


@pytest.mark.parametrize(("name", "content"), [("x.parquet", b"PAR1broken"), ("x.xlsx", zipped(**{"xl__workbook.xml": b"<broken"}))])
def test_a_broken_file_says_so_and_breaks_nothing(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    seen = peek(tmp_path / name, {})
    assert "cannot be read" in seen.problem and seen.mend


# --- pages ---


def test_an_engineer_uploads_looks_and_imports(client_for, engineer, project, supervised):
    client = client_for(engineer)
    file = SimpleUploadedFile("faq.csv", "question,answer,Abteilung\nWas?,=1+1,Einkauf\n<script>x</script>,ä,\n".encode())
    answer = client.post(reverse("curation:import_new", args=[project.slug]), {"file": file}).json()
    assert answer["ok"], answer
    page = client.get(answer["url"])
    assert page.status_code == 200
    text = page.content.decode()
    assert "&lt;script&gt;x&lt;/script&gt;" in text and "<script>x" not in text
    changed = {
        "format": "columns",
        "header": "on",
        "column-1": "question",
        "field-1": "question",
        "column-2": "answer",
        "field-2": "answer",
        "column-3": "Abteilung",
        "field-3": "topic",
    }
    page = client.post(answer["url"], {**changed, "action": "look"})
    assert page.context["lines"][0].pair.topic == "Einkauf"
    assert client.post(answer["url"], {**changed, "action": "start"}).status_code == 302
    made = PairImport.objects.get()
    supervised(made.run)
    assert Pair.objects.get(question="Was?").topic == "Einkauf"
    page = client.get(answer["url"])
    assert page.context["imported"] and page.context["report"].good == 2
    assert "faq.csv" in client.get(reverse("curation:imports", args=[project.slug])).content.decode()


def test_a_refused_upload_answers_in_words(client_for, engineer, project):
    url = reverse("curation:import_new", args=[project.slug])
    answer = client_for(engineer).post(url, {"file": SimpleUploadedFile("a.pdf", b"%PDF")}).json()
    assert (answer["ok"], "holds no pairs" in answer["message"], bool(answer["mend"])) == (False, True, True)
    assert client_for(engineer).post(url).status_code == 400


def test_rows_left_out_can_be_downloaded_without_running_anything(client_for, engineer, upload, supervised):
    made = upload("faq.jsonl", lines(ROWS[0], b"=cmd|calc"))
    supervised(pair_import_start(pair_import=made, by=engineer))
    answer = client_for(engineer).get(reverse("curation:import_errors", args=[made.project.slug, made.pk]))
    heads, row = b"".join(answer.streaming_content).decode().splitlines()
    assert heads == "line,column,what is wrong,text"
    assert row.startswith("2,,") and row.endswith("'=cmd|calc")


def test_an_import_of_another_project_is_not_found(client_for, upload, outsider):
    made = upload("faq.jsonl", lines(*ROWS))
    other = outsider.projects.get()
    assert client_for(outsider).get(reverse("curation:import", args=[other.slug, made.pk])).status_code == 404


def test_the_list_costs_the_same_queries_however_long(client_for, owner, upload, django_assert_max_num_queries):
    for number in range(12):
        upload(f"{number}.jsonl", lines(ROWS[0]))
    client = client_for(owner)
    with django_assert_max_num_queries(35):
        client.get(reverse("curation:imports", args=[PairImport.objects.first().project.slug]))
