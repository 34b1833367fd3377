"""The next pair of the queue, with 20 annotators at work on 100,000 pairs: milliseconds `response_next` takes meanwhile.

    python -m benchmarks.curation queue [--pairs 100000] [--seconds 20] [--pace 0.5] [--json FILE]

Each annotator takes a pair, saves a draft and submits it once every ``pace`` seconds, faster than anybody reads; then the same
without any pause. Processor time stands beside the time by the clock, which other work on the machine makes longer. One has answered
20,000 pairs before anybody else began, and a tag is assigned to two of them, so that every way through the queue is taken.
"""

import argparse
import json
import multiprocessing
import random
import threading
import time
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from benchmarks.report import Row, report, table
from benchmarks.seeded_studio import project_with, studio

PEOPLE, OVERLAP, AHEAD, AIM = 20, 2, 20_000, 30
PROCESSES = 1  # of the web server: what the launcher starts


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.curation queue")
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--pace", type=float, default=0.5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(argv)
    with studio():
        prepare(options.pairs)
        paced = measure(options.seconds, options.pace)
        flat_out = measure(options.seconds / 2, 0)
    rows = [*rows_of(paced, f"one every {options.pace} s each", f"under {AIM}"), *rows_of(flat_out, "without any pause", "")]
    print(table(rows))
    if options.json:
        content = report("curation queue", rows, ("django", "psycopg"), {"settings": vars(options) | {"json": None}})
        options.json.write_text(json.dumps(content, indent=1), "utf-8")


def rows_of(times: list[tuple[float, float]], how: str, limit: str) -> list[Row]:
    """``times``: (by the clock, of the processor) of each."""
    rows = []
    for what, values, aim in zip(("next", "next, processor time"), zip(*times, strict=True), (limit, ""), strict=True):
        cuts = quantiles(values, n=100)
        figures = {"median": median(values), "95th percentile": cuts[94], "99th percentile": cuts[98], "longest": max(values)}
        rows += [Row(f"{what}, {name}, {how}", "ms", value, None, "", aim) for name, value in figures.items()]
    return [*rows, Row(f"pairs taken, {how}", "", len(times), None, "")]


def prepare(count: int) -> None:
    """The pairs, all waiting, twenty people, what one of them did before, and a tag assigned to two."""
    from curation.models import Assignment, CollectionSettings, Pair, PairStatus, PairTag, Response, ResponseState
    from projects.models import Membership, User

    project = project_with(count)
    CollectionSettings.objects.create(project=project, overlap=OVERLAP)
    Pair.objects.update(status=PairStatus.PENDING, responses_left=OVERLAP)
    people = User.objects.bulk_create(User(email=f"person{number}@example.org", name=f"Person {number}") for number in range(PEOPLE))
    Membership.objects.bulk_create(Membership(project=project, user=user, role="annotator") for user in people)
    before = list(Pair.objects.order_by("created_at").values_list("pk", flat=True)[: min(AHEAD, count // 5)])
    for first in range(0, len(before), 1000):
        some = before[first : first + 1000]
        Response.objects.bulk_create(
            Response(pair_id=pk, user=people[0], state=ResponseState.SUBMITTED, messages=[], pair_revision=1) for pk in some
        )
        Pair.objects.filter(pk__in=some).update(responses_left=OVERLAP - 1, collected=1)
    tag = project.tags.last()
    for user in people[-2:]:
        Assignment.objects.create(project=project, user=user, tag=tag)
    print(f"{count:,} pairs, {len(before):,} begun, {PairTag.objects.filter(tag=tag).count():,} with the assigned tag")


def measure(seconds: float, pace: float) -> list[tuple[float, float]]:
    """Milliseconds of each `response_next`, of everybody together."""
    from django.db import connections

    connections.close_all()
    ours, theirs = zip(*(multiprocessing.Pipe(duplex=False) for _ in range(PROCESSES)), strict=True)
    at_work = [
        multiprocessing.get_context("spawn").Process(target=annotators, args=(number, seconds, pace, line))
        for number, line in enumerate(theirs)
    ]
    for process in at_work:
        process.start()
    times = [taken for line in ours for taken in line.recv()]
    for process in at_work:
        process.join()
    return times


def annotators(process: int, seconds: float, pace: float, line: Any) -> None:
    import django

    django.setup()
    times: list[tuple[float, float]] = []
    until = time.monotonic() + seconds + 2  # whoever starts first waits for nobody: the first two seconds do not count
    threads = [threading.Thread(target=work, args=(number, until, seconds, pace, times)) for number in range(process, PEOPLE, PROCESSES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    line.send(times)


def work(number: int, until: float, seconds: float, pace: float, times: list[tuple[float, float]]) -> None:
    from django.db import connection

    from curation.services.collecting import response_next
    from curation.services.responding import Said, response_save, response_submit
    from projects.models import Project, User

    project, user = Project.objects.get(), User.objects.get(email=f"person{number}@example.org")
    chance = random.Random(number)
    time.sleep(chance.random() * pace)
    while time.monotonic() < until:
        start, spent = time.perf_counter(), time.thread_time()
        response = response_next(project=project, by=user)
        taken = (time.perf_counter() - start) * 1000, (time.thread_time() - spent) * 1000
        if time.monotonic() > until - seconds:
            times.append(taken)
        if response is None:
            break
        said = Said(response.pair.question, f"{response.answer} Checked by {user}.", verdict="good")
        response = response_save(response=response, said=said, revision=response.revision)
        response_submit(response=response, said=said, revision=response.revision)
        time.sleep(max(0.0, pace * (0.5 + chance.random()) - (time.perf_counter() - start)) if pace else 0)
    connection.close()
