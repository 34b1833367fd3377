"""The stage by its real command: whatever a file holds, good rows are kept and bad ones named by their line."""

import json
import resource
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from engine import manifest
from engine.lib.pair_files import Options, open_table
from tests.engine.stage_running import Outcome

GOOD = {"messages": [{"role": "user", "content": "Wo ist der Ölfilter?"}, {"role": "assistant", "content": "Unter der Haube – links."}]}
SPOKEN = [turn["content"] for turn in GOOD["messages"]]


@pytest.fixture
def take(engine_run: Callable[..., Outcome], tmp_path: Path) -> Callable[..., Outcome]:
    counter = iter(range(100))

    def start(name: str, content: bytes | Path, expect: int = 0, **params: Any) -> Outcome:
        folder = tmp_path / f"file-{next(counter)}"
        folder.mkdir()
        place = folder / f"table{Path(name).suffix}"
        if isinstance(content, Path):
            content.rename(place)
        else:
            place.write_bytes(content)
        manifest.write(folder, "table-file")
        return engine_run("import_pairs", {"name": name, **params}, {"file": folder}, expect=expect)

    return start


def pairs(outcome: Outcome) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (outcome.output("pairs") / "pairs.jsonl").read_text("utf-8").splitlines()]


def spoken(outcome: Outcome) -> list[list[str]]:
    return [[turn["content"] for turn in pair["messages"]] for pair in pairs(outcome)]


def errors(outcome: Outcome) -> list[tuple[int, str]]:
    rows = [json.loads(line) for line in (outcome.output("report") / "errors.jsonl").read_text("utf-8").splitlines()]
    return [(row["line"], row["message"]) for row in rows]


def report(outcome: Outcome) -> dict[str, Any]:
    return json.loads((outcome.output("report") / "report.json").read_text("utf-8"))


def line(value: Any = GOOD, encoding: str = "utf-8") -> bytes:
    return (json.dumps(value, ensure_ascii=False) + "\n").encode(encoding)


def test_broken_lines_are_named_and_the_others_kept(take):
    bad = [
        b"{broken\n",
        b"[1, 2]\n",
        b'{"messages": "no"}\n',
        b'{"messages": [{"role": "user", "content": "' + b"\xe9" + b'"}]}\n',
        b'{"a":' * 20_000 + b"\n",
        b'{"messages": [{"role": "user", "content": "half \\ud800"}, {"role": "assistant", "content": "x"}]}\n',
        b'{"messages": [{"role": "user", "content": "nul \\u0000"}, {"role": "assistant", "content": "x"}]}\n',
        b'{"x": 1e999, "messages": []}\n',
    ]
    content = b"".join(line() + one for one in bad) + b"\n\n" + line().rstrip()
    outcome = take("a.jsonl", content)
    assert spoken(outcome) == [SPOKEN] * (len(bad) + 1)
    assert [number for number, _ in errors(outcome)] == [2, 4, 6, 8, 10, 12, 14, 16]
    assert all(message for _, message in errors(outcome))
    assert pairs(outcome)[-1]["line"] == 19
    facts = manifest.read(outcome.output("pairs")).facts
    assert facts == {"origin": "imported", "made_by": "a.jsonl", "pairs": 9}
    (warning,) = outcome.of("warning")
    assert warning["code"] == "rows_left_out" and "8 of 17 rows" in warning["message"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv"])
def test_encodings_are_found_out(take, name, encoding):
    text = {"a.jsonl": json.dumps(GOOD, ensure_ascii=False) + "\n", "a.json": json.dumps([GOOD], ensure_ascii=False, indent=1)}.get(
        name, "question;answer\r\n" + ";".join(SPOKEN) + "\r\n"
    )
    assert spoken(take(name, (text * 1).encode(encoding))) == [SPOKEN]


def test_latin_1_and_an_encoding_that_only_a_person_can_know(take):
    assert spoken(take("a.csv", "question,answer\nÜber?,Größe\n".encode("latin-1"))) == [["Über?", "Größe"]]
    russian = "question,answer\nЧто?,Ответ\n".encode("cp1251")
    assert spoken(take("a.csv", russian)) != [["Что?", "Ответ"]]
    assert spoken(take("a.csv", russian, encoding="cp1251")) == [["Что?", "Ответ"]]


def test_one_mis_encoded_line_does_not_make_the_file_another(take):
    content = b"".join(line({**GOOD, "number": number}) for number in range(200)) + line(GOOD, "cp1252") + line()
    outcome = take("a.jsonl", content)
    assert len(pairs(outcome)) == 201 and errors(outcome)[0][0] == 201


def test_an_open_quote_costs_its_line_and_not_the_rest(take):
    rows = "".join(f'"Q{number}, yes?","A ""{number}""\nin two lines"\n' for number in range(500))
    outcome = take("a.csv", f'question,answer\n"open,x\n{rows}"also open'.encode())
    assert spoken(outcome) == [[f"Q{number}, yes?", f'A "{number}"\nin two lines'] for number in range(500)]
    assert errors(outcome) == [
        (2, "a text in quotes goes on after its closing quote; quotes inside a text are doubled"),
        (1003, "a quote is opened and not closed"),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_found_out(take, delimiter):
    text = "".join(delimiter.join(cells) + "\n" for cells in [["id", "question", "answer"], ["1", "a b?", "c. d"], ["2", "e: f?", "g"]])
    outcome = take("a.txt", text.encode())
    assert spoken(outcome) == [["a b?", "c. d"], ["e: f?", "g"]] and report(outcome)["delimiter"] == delimiter


def test_a_broken_record_of_an_array_costs_itself(take):
    records = [json.dumps({**GOOD, "n": number}) for number in range(2_000)]
    records[700] = records[700].replace('"n": 700', '"n": ,')
    records[1500] = records[1500][:60] + "}"
    for text in ("[" + ",".join(records) + "]", "[\n  " + ",\n  ".join(records) + "\n]\n"):
        outcome = take("a.json", text.encode())
        assert {pair["extra"]["n"] for pair in pairs(outcome)} == set(range(2_000)) - {700, 1500}
        assert len(errors(outcome)) == 2
    assert [number for number, _ in errors(outcome)] == [702, 1502]


@pytest.mark.parametrize(
    ("text", "count", "bad"),
    [
        (json.dumps({"version": 1, "data": [GOOD, GOOD]}), 2, 0),
        (json.dumps(GOOD), 1, 0),
        (json.dumps(GOOD) + "\n" + json.dumps(GOOD), 2, 0),
        (json.dumps([GOOD, GOOD])[:-1], 2, 1),
        ("[" + json.dumps(GOOD) + ", 5, null, " + json.dumps(GOOD) + "]", 2, 2),
    ],
)
def test_json_comes_in_several_shapes(take, text, count, bad):
    outcome = take("a.json", text.encode())
    assert (len(pairs(outcome)), len(errors(outcome))) == (count, bad)


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.xlsx", b"PK\x03\x04broken", "damaged"),
        ("a.parquet", b"PAR1" + b"\x00" * 100, "unreadable"),
        ("a.jsonl", b"\n\n", "no_rows"),
        ("a.csv", b"question,answer\n", "no_rows"),
    ],
)
def test_a_file_that_holds_nothing_readable_says_so(take, name, content, code):
    (error,) = take(name, content, expect=20).of("error")
    assert error["code"] == code and error["mend"]


def test_a_sheet_that_is_not_there_is_named(take, tmp_path):
    book = openpyxl.Workbook()
    book.save(tmp_path / "x.xlsx")
    (error,) = take("x.xlsx", tmp_path / "x.xlsx", expect=20, sheet="Fragen").of("error")
    assert "There is no sheet “Fragen”" in error["message"] and "Sheet" in error["mend"]


def test_excel_keeps_types_and_reads_the_sheet_asked_for(take, tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["nothing", "here"])
    sheet = book.create_sheet("Fragen")
    for row in [[None], ["Question", "Answer", "Score", "Formula"], ["Was?", 42, 1.5, "=1+1"], [None, None], ["Leer?", None, 2, ""]]:
        sheet.append(row)
    book.save(tmp_path / "x.xlsx")
    outcome = take("x.xlsx", tmp_path / "x.xlsx", sheet="Fragen")
    (pair,) = pairs(outcome)
    assert spoken(outcome) == [["Was?", "42"]] and pair["extra"] == {"Score": 1.5}  # a formula nobody has calculated has no value
    assert errors(outcome) == [(5, "the answer is empty")]


def test_a_zip_bomb_is_not_unpacked(take, tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "x")
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * (550 * 2**20))
    outcome = take("bomb.xlsx", tmp_path / "bomb.xlsx", expect=20)
    assert outcome.of("error")[0]["code"] == "zip_bomb"


def test_a_dry_run_makes_a_report_and_no_pairs(take):
    outcome = take("a.jsonl", line() + b"x\n", dry_run=True)
    assert not outcome.output("pairs").exists()
    assert {name: report(outcome)[name] for name in ("format", "read", "good", "bad", "dry_run")} == {
        "format": "messages",
        "read": 2,
        "good": 1,
        "bad": 1,
        "dry_run": True,
    }


def test_nothing_in_a_file_is_more_than_text(take):
    evil = ["<script>alert(1)</script>", "=cmd|'/c calc'!A0", "{{ 7*7 }}", "\u202eevil", "'; DROP TABLE pairs; --"]
    outcome = take("a.csv", ("question,answer\n" + "".join(f'"{text}","{text}"\n' for text in evil)).encode())
    assert spoken(outcome) == [[text, text] for text in evil]


def test_a_line_without_end_takes_no_memory(tmp_path):
    """Half a gigabyte without a line end, then a good row: what is read of it at a time is a few megabytes."""
    path = tmp_path / "huge.jsonl"
    with open(path, "wb") as file:
        for _ in range(512):
            file.write(b"x" * 2**20)
        file.write(b"\n" + line())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    lines = list(open_table(path, Options(encoding="utf-8")).lines)
    assert [(one.number, bool(one.record)) for one in lines] == [(1, False), (2, True)]
    assert "longer than 4 million characters" in lines[0].error
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < 100  # MB


@pytest.mark.slow
def test_a_hundred_thousand_rows_with_mistakes_among_them(take):
    content = b"".join(line({**GOOD, "id": number}) if number % 1000 else b"broken\n" for number in range(100_000))
    outcome = take("big.jsonl", content)
    assert (report(outcome)["good"], report(outcome)["bad"]) == (99_900, 100)
    assert [number for number, _ in errors(outcome)] == list(range(1, 100_000, 1000))
