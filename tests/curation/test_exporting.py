"""Pairs out and in again, through files that other programs read: nothing is lost, nothing runs."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from curation.models import Pair
from curation.services import EXPORTS, pair_import_start, pair_import_upload, pairs_export, pairs_take_in
from curation.services.exporting import pair_row
from engine.lib.pair_files import open_table, stored
from engine.lib.pair_formats import PairRow, RowError, detect, reader
from projects.models import AuditEvent, Project, User
from runs.artifacts import artifact_register
from runs.models import Artifact
from tests.curation.conftest import make_document, text_with
from tests.engine.test_pair_formats import everything, turns

pytestmark = pytest.mark.django_db
TABLES = [key for key in EXPORTS if key in ("csv", "excel", "parquet")]


def take_in(project: Project, rows: list[PairRow], folder: Path) -> list[PairRow]:
    """``rows`` as pairs of ``project``, and what is exported of them."""
    folder.mkdir()
    with open(folder / "pairs.jsonl", "wb") as file:
        for row in rows:
            try:
                file.write(stored(row))
            except RowError:
                continue  # what no database keeps comes in nowhere
    facts = {"origin": "imported", "made_by": "x"}
    pairs_take_in(artifact_register(project=project, kind="pairs", folder=folder, facts=facts, ready=False))
    return [pair_row(pair) for pair in Pair.objects.order_by("artifact_row").prefetch_related("tags")]


@pytest.fixture
def kept(project: Project, tmp_path: Path) -> list[PairRow]:
    """Every sort of pair there is, in the table."""
    version = make_document(project, "a.md", text_with(5, "a"))
    source = {"document": str(version.document_id), "version": str(version.pk), "page": 1, "start": 0, "end": 8, "evidence": "Sentence"}
    rows = [row for row in everything() if not row.sources]
    rows.append(PairRow(turns("With source?", "Yes."), sources=[source], tags=["x"], shape="definition"))
    kept = take_in(project, rows, tmp_path / "made")
    assert len(kept) > 30
    return kept


@pytest.fixture
def export(project: Project, owner: User, tmp_path: Path) -> Callable[[str], Path]:
    def make(key: str) -> Path:
        made = pairs_export(project=project, by=owner, pairs=Pair.objects.order_by("artifact_row"), format=EXPORTS[key], described="all")
        path = tmp_path / made.name
        path.write_bytes(b"".join(made.blocks()))
        assert path.stat().st_size == made.size
        return path

    return make


def read_back(path: Path) -> list[PairRow]:
    lines = list(open_table(path).lines)
    assert not [line.error for line in lines if line.error]
    read = reader(detect([line.record for line in lines if line.record]), {})
    return [read(line.record) for line in lines if line.record]


def expected(rows: list[PairRow], key: str) -> list[PairRow]:
    return [row for row in rows if row.rejected] if key == "preference" else rows


@pytest.mark.parametrize("key", EXPORTS)
def test_what_goes_out_comes_in_as_it_was(kept, export, key):
    found, wanted = read_back(export(key)), expected(kept, key)
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        one.tags, other.tags = sorted(one.tags), sorted(other.tags)
        assert one == other


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("key", ["messages", "csv", "excel", "parquet"])
def test_an_export_is_imported_by_a_run_with_nothing_lost(kept, export, project, owner, settings, tmp_path, key, supervised):
    settings.RUN_ROOT = tmp_path / "runs"
    path, before = export(key), set(Pair.objects.values_list("pk", flat=True))
    made = pair_import_upload(project=project, by=owner, file=SimpleUploadedFile(path.name, path.read_bytes()))
    run = pair_import_start(pair_import=made, by=owner)
    supervised(run)
    again = [pair_row(pair) for pair in Pair.objects.exclude(pk__in=before).order_by("artifact_row").prefetch_related("tags")]
    assert again == kept


# --- what others make of our files ---

SIMPLE = [
    PairRow(turns("What is =1+1?", "=2", system="Be brief."), topic="sums", tags=["a", "b"], language="en", extra={"source": "quiz"}),
    PairRow(turns("<b>Two</b>\r\nlines?", "-5 degrees, “quoted”", "And?", "Done."), difficulty="easy", extra={"source": "x"}),
    PairRow(turns("Which?", "Good."), rejected=turns("", "Bad.")[1:], fork=1),
]


@pytest.fixture
def simple(project: Project, tmp_path: Path) -> list[PairRow]:
    return take_in(project, SIMPLE, tmp_path / "made")


def load(kind: str, path: Path, tmp_path: Path) -> Any:
    import datasets

    datasets.disable_progress_bars()
    return datasets.load_dataset(kind, data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))


@pytest.mark.slow
@pytest.mark.parametrize("key", [key for key in EXPORTS if key != "excel"])
def test_the_datasets_library_loads_it_and_gives_it_back(simple, export, tmp_path, key):
    path = export(key)
    kind = key if key in ("csv", "parquet") else "json"
    loaded = load(kind, path, tmp_path)
    again = tmp_path / f"again{path.suffix}"
    {"csv": loaded.to_csv, "parquet": loaded.to_parquet, "json": loaded.to_json}[kind](again)
    assert read_back(again) == expected(simple, key) == expected(SIMPLE, key)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    template = (
        "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}</s>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
    )
    made = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"<unk>": 0, "</s>": 1}, unk_token="<unk>")))
    made.chat_template = template
    return made


@pytest.mark.slow
@pytest.mark.parametrize("key", ["messages", "prompt_completion", "preference", "parquet"])
def test_trl_knows_its_form_and_renders_it(simple, export, tmp_path, tokenizer, key):
    from trl.data_utils import is_conversational, maybe_apply_chat_template, maybe_extract_prompt

    rows = list(load("parquet" if key == "parquet" else "json", export(key), tmp_path))
    wanted = expected(SIMPLE, key)
    for row, pair in zip(rows, wanted, strict=True):
        assert is_conversational(row)
        rendered = maybe_apply_chat_template(maybe_extract_prompt(row), tokenizer)
        text = rendered.get("text") or rendered["prompt"] + rendered.get("completion", rendered.get("chosen", ""))
        assert text == "".join(f"<{turn['role']}>{turn['content']}</s>" for turn in pair.messages)
        if key == "preference":
            assert rendered["rejected"] == "Bad.</s>"


@pytest.mark.slow
def test_trl_knows_sharegpt(simple, export, tmp_path):
    from trl.data_utils import is_conversational_from_value, maybe_convert_to_chatml

    first = load("json", export("sharegpt"), tmp_path)[0]
    assert is_conversational_from_value(first)
    assert [turn["from"] for turn in first["conversations"]] == ["system", "human", "gpt"]
    assert [turn["content"] for turn in maybe_convert_to_chatml(first)["messages"]] == ["Be brief.", "What is =1+1?", "=2"]


# --- spreadsheets ---

DANGEROUS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "=cmd|'/c calc'!A0", "'=1", "#REF!"]


@pytest.fixture
def dangerous(project: Project, tmp_path: Path) -> list[PairRow]:
    rows = [PairRow(turns(f"{text} ?", text), topic="", extra={"=head": text, "note": text}, tags=[text.strip()]) for text in DANGEROUS]
    return take_in(project, rows, tmp_path / "made")


def test_no_cell_of_a_csv_file_begins_a_formula(dangerous, export):
    rows = list(csv.reader(io.StringIO(export("csv").read_text("utf-8-sig"), newline="")))
    cells = [cell for row in rows for cell in row]
    assert len(rows) == len(DANGEROUS) + 1 and any(cell == "'=1+1" for cell in cells)
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))]


def test_no_cell_of_a_workbook_is_a_formula_or_an_error(dangerous, export):
    sheet = openpyxl.load_workbook(export("excel")).active
    cells = [cell for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} == {"s"} and any(cell.value == "=1+1" for cell in cells)
    assert all(cell.quotePrefix for cell in cells if str(cell.value).startswith(("=", "+", "-", "@")))


def test_a_text_longer_than_a_cell_goes_on_in_further_columns(project, export, tmp_path):
    long = [PairRow(turns("Long?", "ä\r\n" * 30_000)), PairRow(turns("Short?", "x"))]
    take_in(project, long, tmp_path / "made")
    path = export("excel")
    sheet = openpyxl.load_workbook(path).active
    assert max(len(str(cell.value or "")) for row in sheet.iter_rows() for cell in row) <= 32_767
    assert read_back(path) == long


# --- the page ---


def test_the_page_offers_what_matches_the_table(client_for, viewer, simple, project):
    url = reverse("curation:pairs_export", args=[project.slug])
    page = client_for(viewer).get(url, {"q": "Which"})
    assert page.context["count"] == 1
    (link,) = [row["url"] for row in page.context["formats"] if row["format"].key == "messages"]
    answer = client_for(viewer).get(link)
    assert answer["Content-Disposition"] == f'attachment; filename="{project.slug}-pairs-messages.jsonl"'
    (line,) = b"".join(answer).decode().splitlines()
    assert json.loads(line)["messages"] == SIMPLE[2].messages
    assert AuditEvent.objects.get(action="pairs.export").after == {"format": "messages", "pairs": 1, "which": "search"}


def test_only_pairs_with_a_rejected_answer_are_preference_pairs(client_for, viewer, simple, project):
    page = client_for(viewer).get(reverse("curation:pairs_export", args=[project.slug]))
    assert {row["format"].key: row["count"] for row in page.context["formats"]} == {**dict.fromkeys(EXPORTS, 3), "preference": 1}


def test_an_unknown_format_is_asked_for_again(client_for, viewer, simple, project):
    assert client_for(viewer).get(reverse("curation:pairs_export", args=[project.slug]), {"as": "exe"}).status_code == 200


def test_another_projects_pairs_stay_there(client_for, outsider, simple):
    own = outsider.projects.get()
    page = client_for(outsider).get(reverse("curation:pairs_export", args=[own.slug]))
    assert page.context["count"] == 0
    assert Artifact.objects.count() == 1
