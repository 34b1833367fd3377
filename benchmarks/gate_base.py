"""Clean pairs for measuring the quality gate, each with its context and split.

From Python's own reference, cut by the real `extract_pairs`, whole paragraphs of it, and what the standard library says of its functions.
"""

import importlib
import inspect
import re
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.python_topics import topic_pairs
from curation.splitting import Item, groups_of, split_groups, strata_of
from engine.context import Context
from engine.events import EventWriter
from engine.spec import Spec
from engine.stages import extract_pairs
from retrieval.jsonl import read_rows

Line = dict[str, Any]
AROUND = 600  # characters of context before and after the evidence, as the studio writes them out
FRACTIONS = (0.75, 0.1, 0.15)
FEWEST_OF_TOPIC = 8
MODULES = """
    argparse ast asyncio base64 bisect calendar cmath codecs collections concurrent.futures configparser contextlib copy csv datetime decimal
    difflib dis email.message enum filecmp fileinput fnmatch fractions functools getpass glob gzip hashlib heapq hmac html http.client
    http.cookies imaplib importlib.util inspect io ipaddress itertools json keyword locale logging lzma mailbox math mimetypes
    multiprocessing operator os os.path pathlib pickle pkgutil platform plistlib poplib pprint queue random re sched secrets selectors
    shelve shlex shutil signal smtplib socket socketserver sqlite3 ssl stat statistics string struct subprocess symtable sys tarfile
    tempfile textwrap threading time timeit tokenize traceback types unicodedata unittest urllib.parse urllib.request uuid warnings wave
    weakref webbrowser xml.dom.minidom xml.etree.ElementTree zipfile zipimport zlib
""".split()


def clean_pairs(folder: Path) -> tuple[list[Line], list[Line]]:
    """(rows as in `pair-rows`, documents). No two share an answer: the reference says some things in two places."""
    from dslm_studio.demo import corpus
    from tests.materials import cut_chunks

    files = {path.name: path.read_bytes() for path in corpus.write(folder / "corpus")}
    chunks = cut_chunks(folder, files)
    listed = {row["version"]: row for row in read_rows(chunks / "documents.jsonl")}
    texts = {version: (chunks / row["text_file"]).read_text("utf-8") for version, row in listed.items() if row["status"] == "ok"}
    documented = _documented(listed, texts)
    rows, seen = [], set()
    for found in [*_extracted(folder, chunks), *_explained(listed, texts), *documented]:
        keys = {" ".join(found[part].lower().split()) for part in ("question", "answer")}
        if keys & seen:
            continue
        seen |= keys
        rows.append(_line(len(rows), found, texts[found["version"]]))
    _name_topics(rows, {row["version"]: Path(row["name"]).stem for row in listed.values()})
    drawn_on = {row["document"] for row in rows}
    documents = [
        {"id": row["id"], "version": row["version"], "name": row["name"], "characters": row["characters"], "chunks": row.get("chunks", 1)}
        for row in listed.values()
        if row["id"] in drawn_on
    ]
    groups = groups_of(Item(row["id"], (row["document"],)) for row in rows)
    topics = {row["id"]: row["topic"] for row in rows}
    splits = split_groups(strata_of(groups, topics.__getitem__), seed=7, fractions=FRACTIONS)
    split_of = {key: splits[group] for group, keys in groups.items() for key in keys}
    return [row | {"split": split_of[row["id"]]} for row in rows], documents


def _extracted(folder: Path, chunks: Path) -> list[Line]:
    run_dir = folder / "extract"
    run_dir.mkdir()
    ctx = Context(run_dir, Spec(stage="extract_pairs", inputs={"chunks": str(chunks)}), EventWriter(run_dir))
    extract_pairs.run(ctx, extract_pairs.Params(total=5_000, per_document=1_000, about="Python"))
    return list(read_rows(run_dir / "outputs" / "pairs" / "pairs.jsonl"))


def _explained(listed: dict[str, Line], texts: dict[str, str]) -> list[Line]:
    """Whole paragraphs with a question each, where they stand in their document word for word."""
    by_topic = {Path(row["name"]).stem: row for row in listed.values() if row["version"] in texts}
    found = []
    for topic, pairs in topic_pairs().items():
        row = by_topic.get(topic)
        for question, answer in pairs if row else []:
            assert row is not None
            if (start := texts[row["version"]].find(answer)) >= 0:
                place = {"document": row["id"], "version": row["version"], "page": 1, "start": start, "end": start + len(answer)}
                found.append({"question": question, "answer": answer, "shape": "explain", "evidence": answer, **place})
    return found


def _documented(listed: dict[str, Line], texts: dict[str, str]) -> list[Line]:
    """The first paragraph of what functions and classes of the standard library say of themselves; a module is a document."""
    found = []
    for name in MODULES:
        module = importlib.import_module(name)
        version = f"module-{name}"
        text = ""
        for key, thing in sorted(vars(module).items()):
            if key.startswith("_") or getattr(thing, "__module__", None) != name or not callable(thing):
                continue
            said = " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())
            if not 60 <= len(said) <= 500 or not re.match(r"[A-Z].*[.]$", said) or ">>>" in said or f"{key}(" in said:
                continue
            place = {"document": version, "version": version, "page": 1, "start": len(text), "end": len(text) + len(said)}
            text += said + "\n\n"
            question = f"What is `{name}.{key}` for?" if inspect.isclass(thing) else f"What does `{name}.{key}()` do?"
            found.append({"question": question, "answer": said, "shape": "signature", "evidence": said, **place})
        if text:
            texts[version] = text
            listed[version] = {"id": version, "version": version, "name": f"{name}.txt", "characters": len(text), "status": "ok"}
    return found


def _line(number: int, found: Line, text: str) -> Line:
    source = {name: found[name] for name in ("document", "version", "page", "start", "end", "evidence")}
    return {
        "id": f"base-{number}",
        "messages": [{"role": "user", "content": found["question"]}, {"role": "assistant", "content": found["answer"]}],
        "shape": found["shape"],
        "sources": [source],
        "document": found["document"],
        "context": text[max(0, found["start"] - AROUND) : found["end"] + AROUND],
        "status": "APPROVED",
        "decided": "person",
        "origin": "generated",
        "language": "en",
    }


def _name_topics(rows: list[Line], names: dict[str, str]) -> None:
    """The document's name as the topic, where it has enough pairs for one; the small ones together are one."""
    sizes = Counter(row["document"] for row in rows)
    for row in rows:
        version = row["sources"][0]["version"]
        row["topic"] = names[version] if sizes[row["document"]] >= FEWEST_OF_TOPIC else "short topics"
