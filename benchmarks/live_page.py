"""What the page of a long run costs the server: `python -m benchmarks.live_page [--steps 100000] [--metrics 10] [--json FILE]`.

A training of so many steps that is under way, on SQLite in a folder of its own, with its events as an engine writes them; the real views
through Django's client.
"""

import argparse
import time
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.curation_pages import measured
from benchmarks.seeded_studio import studio

LIMIT = 1000  # milliseconds
NAMES = (
    "train_loss",
    "eval_loss",
    "general_loss",
    "learning_rate",
    "grad_norm",
    "tokens_per_second",
    "all_tokens_per_second",
    "memory_bytes",
)
EVERY = 500  # steps between two looks and checkpoints
AT_ONCE = 2000


def training(project: Any, owner: Any, steps: int, metrics: int) -> Any:
    """A run of ``steps`` steps with ``metrics`` metrics at each, a checkpoint and a sample every ``EVERY``."""
    import random

    from runs.models import MetricPoint, Run, RunEvent, Status
    from runs.rollups import points_store

    chance = random.Random(7)
    run = Run.objects.create(
        project=project, stage="sft", title="A long training", queue="gpu", created_by=owner, status=Status.RUNNING, params={"rank": 16},
    )  # fmt: skip
    names = [*NAMES, *(f"rewards_{number}" for number in range(max(0, metrics - len(NAMES))))][:metrics]
    seq = 0
    for begin in range(0, steps, AT_ONCE):
        points, events = [], []
        for step in range(begin, min(begin + AT_ONCE, steps)):
            values = {name: 2 + chance.gauss(0, 0.2) + 1000 / (step + 500) for name in names}
            points += [MetricPoint(run=run, attempt=1, metric=name, step=step, value=value) for name, value in values.items()]
            said = [("metric", {"step": step, "values": values}), ("progress", {"done": step, "total": steps, "unit": "steps"})]
            if step % EVERY == 0:
                said += [("checkpoint", {"step": step}), ("sample", {"title": f"After step {step}", "prompt": "Why?", "text": "So."})]
            for kind, data in said:
                seq += 1
                events.append(RunEvent(run=run, seq=seq, attempt=1, ts=time.time(), type=kind, data=data))
        points_store(points)
        RunEvent.objects.bulk_create(events, batch_size=500)
    Run.objects.filter(pk=run.pk).update(last_seq=seq)
    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--metrics", type=int, default=10)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with studio():
        from django.test import Client

        from projects.models import User
        from projects.services import project_create

        owner = User.objects.create_user("olivia@example.org", None, name="Olivia")
        project = project_create(name="Python reference", by=owner)
        runs = [training(project, owner, given.steps, given.metrics), training(project, owner, given.steps // 4, given.metrics)]
        client = Client()
        client.force_login(owner)
        compare = f"/p/{project.slug}/training/compare/?" + "&".join(f"run={run.pk}" for run in runs)
        rows = []
        for name, address in {
            "page of the run": runs[0].get_absolute_url(),
            "page of a run a quarter as long": runs[1].get_absolute_url(),
            "both compared": compare,
        }.items():
            wall, work, queries = measured(client, address)
            rows += [
                report.Row(f"{name}, by the clock", "ms", wall, None, "", f"at most {LIMIT}"),
                report.Row(f"{name}, processor time", "ms", work, None, ""),
                report.Row(f"{name}, queries", "", queries, None, ""),
            ]
        began = time.perf_counter()
        size = sum(len(block.encode()) for block in _file(runs[0]))
        rows.append(report.Row("all numbers as CSV", "s", time.perf_counter() - began, None, ""))
        rows.append(report.Row("all numbers as CSV", "MB", size / 1e6, None, ""))
    print(report.table(rows))
    if given.json:
        report.write(
            given.json, report.report("live_page", rows, ("django",), {"settings": {"steps": given.steps, "metrics": given.metrics}})
        )


def _file(run: Any) -> Any:
    from runs.metrics_file import metrics_csv, metrics_of

    return metrics_csv(run, metrics_of(run))


if __name__ == "__main__":
    main()
