"""Sources that are no documents yet, cut by the real command."""

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def split(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """``split(kind, name, content)``: what the command answers, and the texts of its files under ``texts``."""

    def start(kind: str, name: str, content: bytes | str) -> dict[str, Any]:
        (source, folder) = (tmp_path / name, tmp_path / "out")
        source.write_bytes(content.encode() if isinstance(content, str) else content)
        folder.mkdir()
        command = [sys.executable, "-m", "engine.lib.source_split", kind, str(source), str(folder)]
        answer: dict[str, Any] = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout)
        return {**answer, "texts": {path.name: path.read_text("utf-8") for path in sorted(folder.iterdir())}}

    return start


WIKI = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/">
<siteinfo><sitename>Werkstatt</sitename></siteinfo>
<page><title>Ölfilter/Wechsel</title><ns>0</ns><revision><text>old</text></revision>
<revision><text>Der '''Filter''' sitzt [[Motorhaube|unter der Haube]].
{{Warnung|Motor abkühlen lassen}}
== Schritte ==
* Ablassen&lt;ref&gt;S. 3&lt;/ref&gt;
** langsam
# Wechseln
[[Datei:Filter.png|mini|Ein [[Filter]]]]
{| class="wikitable"
! Teil !! Nummer
|-
| Filter || 12
|}
[https://example.org Hersteller]</text></revision></page>
<page><title>Talk:X</title><ns>1</ns><revision><text>chatter</text></revision></page>
<page><title>Y</title><ns>0</ns><redirect title="X"/><revision><text>#REDIRECT [[X]]</text></revision></page>
</mediawiki>"""


def test_a_wiki_export_becomes_a_document_for_each_article(split):
    answer = split("media_wiki", "export.xml", WIKI)
    assert answer["files"] == ["Ölfilter Wechsel.md"]
    (text,) = answer["texts"].values()
    lines = [line for line in text.splitlines() if line.strip()]
    assert lines[:3] == ["# Ölfilter/Wechsel", "Der Filter sitzt unter der Haube.", "## Schritte"]
    assert "- Ablassen" in lines and "  - langsam" in lines and "- Wechseln" in lines and "Filter | 12" in lines
    assert not [word for word in ("abkühlen", "S. 3", "mini", "{|", "old", "chatter", "[[") if word in text]


def test_a_page_of_wiki_text_that_would_explode_is_refused(split):
    bomb = (
        "<!DOCTYPE x ["
        '<!ENTITY a "aaaaaaaaaaaaaaaa">'
        + "".join(f'<!ENTITY {chr(98 + n)} "{("&" + chr(97 + n) + ";") * 40}">' for n in range(8))
        + "]><mediawiki><page><title>x</title><revision><text>&i;</text></revision></page></mediawiki>"
    )
    assert "no whole XML export" in split("media_wiki", "x.xml", bomb)["problem"]["message"]


def test_pages_of_a_zip_are_documents_under_their_titles(split, tmp_path):
    with zipfile.ZipFile(tmp_path / "made.zip", "w") as archive:
        archive.writestr("SPACE/index.html", "<title>Index</title>")
        archive.writestr("SPACE/12.html", "<html><title>Space : How to <b>/../brake</title><p>Brake &amp; stop.</p>")
        archive.writestr("SPACE/13.html", "<title>Space : How to <b>/../brake</title><p>Again.</p>")
        archive.writestr("SPACE/attachments/1.png", "x")
        archive.writestr("../../evil.html", "<p>No title</p>")
    answer = split("html_zip", "space.zip", (tmp_path / "made.zip").read_bytes())
    assert answer["files"] == ["How to b .. brake.html", "How to b .. brake (2).html", "evil.html"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "log.csv",
            'Ticket,Subject,Author,Date,Text\n7,Brakes,Ann,2024-01-02,They squeak.\n8,Oil,Cy,,Where?\n7,,Bob,2024-01-03,"Clean\nthem."\n',
        ),
        (
            "log.json",
            json.dumps(
                [
                    {
                        "ticket": 7,
                        "subject": "Brakes",
                        "comments": [
                            {"author": {"name": "Ann"}, "created": "2024-01-02", "body": "They squeak."},
                            {"author": "Bob", "created": "2024-01-03", "body": "Clean\nthem."},
                        ],
                    },
                    {"ticket": 8, "subject": "Oil", "messages": [{"from": "Cy", "text": "Where?"}]},
                ]
            ),
        ),
        (
            "log.jsonl",
            "\n".join(
                json.dumps(row)
                for row in [
                    {"thread_ts": "7", "user": "Ann", "ts": "2024-01-02", "text": "They squeak.", "topic": "Brakes"},
                    {"thread_ts": "8", "user": "Cy", "text": "Where?", "topic": "Oil"},
                    {"thread_ts": "7", "user": "Bob", "ts": "2024-01-03", "text": "Clean\nthem."},
                ]
            ),
        ),
    ],
)
def test_messages_come_together_by_their_conversation(split, name, content):
    texts = split("conversations", name, content)["texts"]
    assert texts == {
        "log 7.md": "# 7: Brakes\n\n**Ann** (2024-01-02): They squeak.\n\n**Bob** (2024-01-03): Clean\nthem.\n",
        "log 8.md": "# 8: Oil\n\n**Cy**: Where?\n",
    }


def test_rows_of_a_query_are_sections(split):
    rows = "part;number;note\n" + "".join(f"Filter {n};{n};\n" for n in range(1, 502))
    answer = split("table_rows", "parts.csv", rows)
    assert answer["files"] == ["parts 1–500.md", "parts 501–501.md"]
    assert answer["texts"]["parts 501–501.md"] == "# parts\n\n## Filter 501\n\n- part: Filter 501\n- number: 501\n"


@pytest.mark.parametrize(
    ("kind", "name", "content", "words"),
    [
        ("media_wiki", "x.xml", "<mediawiki><page>", "no whole XML export"),
        ("media_wiki", "x.xml", "<mediawiki></mediawiki>", "No page with text"),
        ("html_zip", "x.zip", b"PK\x03\x04broken", "cannot be read"),
        ("conversations", "x.csv", "a,b\n1,2\n", "No messages were found"),
        ("table_rows", "x.csv", "a,b\n", "holds no rows"),
    ],
)
def test_what_cannot_be_read_says_why(split, kind, name, content, words):
    answer = split(kind, name, content)
    assert words in answer["problem"]["message"] and answer["problem"]["mend"] and not answer["texts"]
