"""How long a file of pairs takes from its upload to the table of pairs, and back out again.

    python -m benchmarks.curation import [--pairs 100000] [--kinds jsonl csv xlsx parquet] [--json FILE]

The upload goes through the page, the run through the engine's real command, as a worker starts it; SQLite, everything on one machine.
"""

import argparse
import logging
import time
from pathlib import Path
from typing import Any

from benchmarks.python_topics import topic_pairs
from benchmarks.report import Row, report, table, write
from benchmarks.seeded_studio import studio

LIMIT = 60  # seconds from the upload to the table
FORMATS = {"jsonl": "messages", "csv": "csv", "xlsx": "excel", "parquet": "parquet"}


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.curation import", description=__doc__)
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--kinds", nargs="+", choices=FORMATS, default=list(FORMATS))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args(argv)
    rows: list[Row] = []
    with studio() as home:
        logging.getLogger("runs.doorbell").setLevel(logging.WARNING)  # nobody listens to bells here
        files = write_files(home, arguments.pairs, arguments.kinds)
        for kind, path in files.items():
            rows += measure(kind, path, arguments.pairs)
    print(table(rows))
    if arguments.json:
        write(arguments.json, report("curation import", rows, ("django", "openpyxl", "pyarrow"), {"pairs": arguments.pairs}))


def write_files(home: Path, count: int, kinds: list[str]) -> dict[str, Path]:
    """A file of each kind with ``count`` pairs of the Python reference, with topic, tags, language and a column of their own."""
    from curation.services import EXPORTS
    from engine.lib.pair_rows import PairRow

    texts = [(topic, *both) for topic, pairs in topic_pairs().items() for both in pairs]

    def row(number: int) -> PairRow:
        topic, question, answer = texts[number % len(texts)]
        turns = [{"role": "user", "content": f"{question} ({number})"}, {"role": "assistant", "content": answer}]
        return PairRow(turns, topic=topic[:100], tags=[f"tag {number % 12}"], language="en", extra={"ticket": f"T-{number}"})

    files = {}
    for kind in kinds:
        files[kind] = home / f"pairs.{kind}"
        with open(files[kind], "wb") as file:
            EXPORTS[FORMATS[kind]].write(file, lambda: ((row(number), {}) for number in range(count)))
    return files


def measure(kind: str, path: Path, count: int) -> list[Row]:
    """A project of its own: upload, look, import; then the same pairs exported."""
    from django.test import Client
    from django.urls import reverse

    from curation.models import Chore, Pair, PairImport
    from curation.services.chores import chore_run
    from projects.models import User
    from projects.services import project_create
    from runs.supervising import supervise

    owner = User.objects.create_user(f"{kind}@example.org", None, name=kind)
    project = project_create(name=f"Import of {kind}", by=owner)
    client = Client()
    client.force_login(owner)
    began = time.perf_counter()
    with open(path, "rb") as file:
        answer: Any = client.post(reverse("curation:import_new", args=[project.slug]), {"file": file}).json()
    assert answer["ok"], answer
    uploaded = time.perf_counter()
    assert client.get(answer["url"]).status_code == 200
    looked = time.perf_counter()
    client.post(answer["url"], {"action": "start", "format": "auto", "header": "on"})
    made = PairImport.objects.get(project=project)
    assert made.run is not None
    supervise(made.run.pk)
    ended = time.perf_counter()
    made.run.refresh_from_db()
    found = Pair.objects.filter(project=project).count()
    assert (made.run.status, found) == ("SUCCEEDED", count), (made.run.error, found)
    assert made.run.summary["bad"] == 0
    exported = time.perf_counter()
    file = client.post(f"{reverse('curation:pairs_export', args=[project.slug])}?as={FORMATS[kind]}")
    if chore := Chore.objects.filter(project=project, kind="export").first():  # so many are written by a worker
        chore_run(chore.pk)
        file = client.get(reverse("curation:chore_file", args=[project.slug, chore.pk]))
    assert sum(map(len, file)) > 0
    out = time.perf_counter() - exported
    name = f"{kind}, {count:,} pairs, {path.stat().st_size / 1e6:.0f} MB"
    return [
        Row(f"{name}: upload", "s", uploaded - began, None, ""),
        Row(f"{name}: first 20 rows shown", "s", looked - uploaded, None, ""),
        Row(f"{name}: from upload to table", "s", ended - began, None, "", f"under {LIMIT}"),
        Row(f"{name}: export", "s", out, None, ""),
    ]
