"""Server time of the pages that show pairs, by the real views: `python -m benchmarks.curation pages [--pairs 100000] [--json FILE]`."""

import argparse
import json
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import report
from benchmarks.seeded_studio import project_with, studio

LIMIT = 200  # milliseconds
ROUNDS = 7


def addresses(project: Any) -> dict[str, str]:
    """What is asked for, by what it is called in the table of results."""
    from django.urls import reverse
    from django.utils.http import urlencode

    from curation.models import Pair

    def to(name: str, *args: object, **query: Any) -> str:
        path = reverse(f"curation:{name}", args=[project.slug, *args])
        return f"{path}?{urlencode(query)}" if query else path

    def tree(**group: Any) -> str:
        return json.dumps(group)

    pair = Pair.objects.filter(project=project).exclude(topic="")[777]
    last = Pair.objects.filter(project=project).count() // 25
    many = [{"field": "topic", "op": "is", "value": "topic 3"}, {"field": "answer_length", "op": "at_least", "value": 500}]
    some = [{"field": "status", "op": "is_not", "value": "REJECTED"}, {"any": [*many, {"field": "tag", "op": "is", "value": "tag 4"}]}]
    return {
        "table": to("pairs"),
        "table, last page": to("pairs", page=last),
        "table, by question": to("pairs", sort="question"),
        "table, by length, page 2,000": to("pairs", sort="-answer_length", page=min(2000, last)),
        "one status": to("pairs", status="APPROVED"),
        "topic and difficulty": to("pairs", topic="topic 3", difficulty="hard"),
        "a tag": to("pairs", tag="tag 4"),
        "without a tag": to("pairs", tag="none"),
        "AND and OR over five fields": to("pairs", f=tree(all=some)),
        "made by, as text": to("pairs", f=tree(all=[{"field": "made_by", "op": "contains", "value": "bench"}])),
        "in an imported column": to("pairs", f=tree(all=[{"field": "imported", "op": "contains", "value": "T-1"}])),
        "answered by nobody": to("pairs", f=tree(all=[{"field": "answered_by", "op": "empty"}])),
        "the answer of another pair": to("pairs", f=tree(all=[{"field": "same_answer", "op": "is", "value": True}])),
        "nothing matches": to("pairs", f=tree(all=[{"field": "collected", "op": "at_least", "value": 9}])),
        "search, a rare word": to("pairs", q="subgenerator"),
        "search, two words": to("pairs", q="garbage collection"),
        "search, a word in nearly all": to("pairs", q="the"),
        "search, in all and one status": to("pairs", q="python", status="APPROVED"),
        "search, two letters": to("pairs", q="zq"),
        "search, nothing found": to("pairs", q="xylophone"),
        "counts by topic": to("facets", field="topic"),
        "counts by tag, of the approved": to("facets", field="tag", status="APPROVED"),
        "counts by document, of a search": to("facets", field="document", q="attribute"),
        "filter builder": to("filter"),
        "one pair": to("pair", pair.pk),
        "similar by words": to("pair_similar", pair.pk),
    }


def measured(client: Any, address: str) -> tuple[float, float, int]:
    """Of several requests, after one that warms up: the median in milliseconds, that of processor time alone, and the queries of each."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as queries:
        status = client.get(address).status_code
    count = len(queries)  # before the next request forgets them
    if status != 200:
        raise SystemExit(f"{address} answered {status}")
    walls, works = [], []
    for _ in range(ROUNDS):
        wall, work = time.perf_counter(), time.process_time()
        client.get(address)
        walls.append((time.perf_counter() - wall) * 1000)
        works.append((time.process_time() - work) * 1000)
    return median(walls), median(works), count


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.curation pages")
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(argv)
    with studio():
        from django.test import Client

        project = project_with(options.pairs)
        client = Client()
        client.force_login(project.created_by)
        rows, works, queries = [], {}, {}
        for name, address in addresses(project).items():
            took, works[name], queries[name] = measured(client, address)
            rows.append(report.Row(name, "ms", took, None, "–", f"below {LIMIT}"))
            print(f"{took:7.1f} ms {works[name]:7.1f} ms of processor {queries[name]:4} queries  {name}", flush=True)
    print(report.table(rows))
    if options.json:
        extra = {"pairs": options.pairs, "rounds": ROUNDS, "processor_ms": works, "queries": queries}
        report.write(options.json, report.report("curation pages", rows, ("django",), extra))
