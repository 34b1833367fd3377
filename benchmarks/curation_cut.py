"""Cutting a dataset version from 100,000 pairs, and comparing two: seconds, and how much memory it takes.

python -m benchmarks.curation cut [--pairs 100000] [--json FILE]
"""

import argparse
import json
import random
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.report import Row, report, table
from benchmarks.seeded_studio import project_with, studio

SHARES = (0.75, 0.1, 0.15)
REHEARSED = 5  # percent
KEPT = 20  # versions on the list


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.curation cut")
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(argv)
    with studio():
        rows, told = measure(options.pairs)
    print(table(rows))
    print(json.dumps(told))
    if options.json:
        options.json.write_text(json.dumps(report("curation cut", rows, ("django",), {"settings": told}), indent=1), "utf-8")


def measure(count: int) -> tuple[list[Row], dict[str, Any]]:
    from django.test import Client
    from django.urls import reverse

    from curation.comparing import compare
    from curation.gate import fingerprint
    from curation.models import Pair, PairTag
    from curation.services import dataset_version_cut
    from curation.services.rehearsing import Rehearsal
    from curation.services.tagging import tags_ensure
    from projects.models import User
    from runs.artifacts import artifact_path

    project = project_with(count)
    owner = User.objects.get()
    Pair.objects.filter(project=project).update(status="APPROVED")
    general = tags_ensure(project=project, names=["general"])["general"]
    tagged = list(Pair.objects.filter(project=project).order_by("question_hash")[: count // 10].values_list("pk", flat=True))
    Pair.objects.filter(pk__in=tagged).update(document_id=None, sources=[])
    PairTag.objects.bulk_create(PairTag(pair_id=pk, tag=general) for pk in tagged)
    sourced(project)
    memory = resident()
    first, cut_seconds = timed(
        lambda: dataset_version_cut(project=project, by=owner, fractions=SHARES, rehearsal=Rehearsal(general, REHEARSED))
    )
    grown = resident() - memory
    changed = random.Random(1).sample(list(Pair.objects.filter(project=project).values_list("pk", flat=True)), count // 50)
    Pair.objects.filter(pk__in=changed).update(topic="another topic")
    second = dataset_version_cut(project=project, by=owner, fractions=SHARES)
    found, compare_seconds = timed(lambda: compare(artifact_path(first.artifact), artifact_path(second.artifact)))
    _, looked = timed(lambda: fingerprint(Pair.objects.filter(project=project)))
    for seed in range(KEPT - 2):
        smaller = {"all": [{"field": "topic", "op": "is", "value": f"topic {seed}"}]}
        dataset_version_cut(project=project, by=owner, seed=seed, tree=smaller)
    client = Client()
    client.force_login(owner)
    pages = {
        f"page of {KEPT} versions": reverse("curation:datasets", args=[project.slug]),
        "page of a version": reverse("curation:dataset", args=[project.slug, 1]),
        "page of a comparison": reverse("curation:dataset_compare", args=[project.slug, 2, 1]),
    }
    rows = [
        Row("cut a version", "s", round(cut_seconds, 1), None, ""),
        Row("memory it takes beyond what was held", "MB", round(grown / 1e6), None, ""),
        Row("compare two versions", "s", round(compare_seconds, 1), None, ""),
        Row("tell whether the gate's report is out of date", "s", round(looked, 2), None, ""),
        *(Row(name, "ms", round(page_time(client, url)), None, "", "at most 200") for name, url in pages.items()),
    ]
    told = {
        "pairs": count,
        "counts": first.counts,
        "rehearsed": first.rehearsal,
        "topics": len(first.artifact.facts["topics"]),
        "balance_points": first.artifact.facts["balance"]["points"],
        "differences": found.counts,
        "bytes": first.artifact.bytes,
    }
    return rows, told


def sourced(project: Any) -> None:
    """Give each pair of a document a span of it, as generating does."""
    from curation.models import Pair

    for first in Pair.objects.filter(project=project).exclude(document_id=None).order_by().values_list("document_id", flat=True).distinct():
        place = {"document": str(first), "version": str(first), "page": 1, "start": 0, "end": 8, "evidence": "evidence"}
        Pair.objects.filter(project=project, document_id=first).update(sources=[place])


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    return work(), time.perf_counter() - started


def resident() -> int:
    """The most memory this process has had so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def page_time(client: Any, url: str) -> float:
    """Milliseconds of server time, the median of five once warm."""

    def ask() -> float:
        answer, seconds = timed(lambda: client.get(url))
        assert answer.status_code == 200, (url, answer.status_code)
        return 1000 * seconds

    ask()
    return statistics.median(ask() for _ in range(5))
