"""What watching over a training costs: `python -m benchmarks.supervising [--steps 100] [--json FILE]`.

A real training by the real command (LoRA on SmolLM2-135M) under the real supervisor, which starts it, brings each of its events into the
database, rings Redis and takes in what comes of it. Measured: processor time of the supervisor beside that of the engine.
"""

import argparse
import os
import resource
import shutil
import time
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.live_fanout import servers
from benchmarks.python_topics import write_dataset
from benchmarks.seeded_studio import studio

PACKAGES = ("django", "redis", "torch", "transformers", "peft")


def computed(who: int) -> float:
    """Processor seconds so far, of this process (``RUSAGE_SELF``) or of those it waited for (``RUSAGE_CHILDREN``)."""
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def training(home: Path, steps: int) -> Any:
    """A queued run of so many steps."""
    from projects.models import User
    from projects.services import project_create
    from runs.artifacts import artifact_register
    from runs.services import run_create
    from tests.materials import base_model_folder

    owner = User.objects.create_user("olivia@example.org", None, name="Olivia")
    project = project_create(name="Python reference", by=owner)
    shutil.copytree(base_model_folder(), home / "model", copy_function=os.link)
    rows = write_dataset(home / "rows", train=128, validation=8, test=8)
    params = {"batch_size": 4, "max_steps": steps, "epochs": 50, "max_length": 256, "general_rows": 4, "eval_rows": 4}
    inputs = {
        "model": artifact_register(project=None, kind="hf-model", folder=home / "model"),
        "dataset": artifact_register(project=project, kind="dataset", folder=rows),
    }
    return run_create(project=project, stage="sft", params=params, inputs=inputs, by=owner)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--json", type=Path, help="write the result there as well")
    given = parser.parse_args()
    with studio() as home, servers(home):
        from runs.supervising import supervise

        run = training(home, given.steps)
        before, of_others, begun = computed(resource.RUSAGE_SELF), computed(resource.RUSAGE_CHILDREN), time.monotonic()
        supervise(run.pk)
        seconds = time.monotonic() - begun
        ours = computed(resource.RUSAGE_SELF) - before
        engine = computed(resource.RUSAGE_CHILDREN) - of_others
        run.refresh_from_db()
        events = run.events.count()
    rows = [
        report.Row("processor time", "s", ours, engine, "the engine itself", "at most 0.01"),
        report.Row("share of the run's time", "s", ours, seconds, "the whole run by the clock", "at most 0.01"),
    ]
    print(report.table(rows))
    print(f"\n{run.status}: {given.steps} steps, {events} events, {seconds:.0f} s")
    if given.json:
        report.write(given.json, report.report("supervising", rows, PACKAGES, {"steps": given.steps, "events": events, "seconds": seconds}))


if __name__ == "__main__":
    main()
