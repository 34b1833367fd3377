"""The quality gate over many pairs, start to page: writing them out, every check by the real command, taking in, the page.

python -m benchmarks.curation gate [--pairs 100000] [--passages 4000] [--json FILE]
"""

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.gate_passages import passages_seed
from benchmarks.seeded_studio import project_with, studio

NEAR_AIM, WHOLE_AIM, PAGE_AIM = 90, 300, 200  # seconds, seconds, milliseconds


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--passages", type=int, default=4_000, help="of the project's documents, none with a pair")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(argv)
    took: dict[str, float] = {}
    with studio() as home:
        from curation.models import Pair
        from curation.services.gating import gate_start, report_take_in
        from runs.artifacts import artifact_path, artifact_register
        from tests.engine.ingest_kit import MODEL

        project = project_with(options.pairs)
        passages_seed(project, options.passages, MODEL)
        with timed(took, "write"):
            run = gate_start(project=project, by=None, tree={"all": []})
        given = {one.role: str(artifact_path(one.artifact)) for one in run.inputs.select_related("artifact")}
        outcome = checked(home, given, took)
        artifact = artifact_register(
            project=project, kind="quality-report", folder=outcome.output("report"), produced_by=run, role="report"
        )
        with timed(took, "take_in"):
            made = report_take_in(artifact)
        took["page"] = page_milliseconds(project, made)
        phases = seconds_of_phases(outcome)
        near = phases["near_duplicates"]
        whole = took["write"] + took["check"] + took["take_in"]
        rows = [
            report.Row("near-duplicates", "s", near, None, "", f"under {NEAR_AIM}"),
            report.Row("whole gate: written out, checked, taken in", "s", whole, None, "", f"under {WHOLE_AIM}"),
            *(report.Row(f"  {name}", "s", took[name], None, "") for name in ("write", "check", "take_in")),
            *(report.Row(f"    {name}", "s", seconds, None, "") for name, seconds in longest(phases)),
            report.Row("page, the middle of 5", "ms", took["page"], None, "", f"under {PAGE_AIM}"),
        ]
        print(f"{Pair.objects.count():,} pairs, {options.passages:,} passages, {made.findings.count():,} findings\n\n{report.table(rows)}")
    if options.json:
        report.write(
            options.json,
            report.report(
                "curation gate", rows, ("scikit-learn", "numpy"), {"pairs": options.pairs, "passages": options.passages, "phases": phases}
            ),
        )
    raise SystemExit(near > NEAR_AIM or whole > WHOLE_AIM or took["page"] > PAGE_AIM)


@contextmanager
def timed(took: dict[str, float], name: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    took[name] = time.monotonic() - began


def checked(home: Path, inputs: dict[str, str], took: dict[str, float]) -> Any:
    """The stage by its real command, with the real embedding model."""
    from engine.spec import Spec
    from tests.engine.ingest_kit import embedding_server
    from tests.engine.stage_running import run_stage

    with embedding_server() as environment, timed(took, "check"):
        return run_stage(home / "check", Spec(stage="check_pairs", inputs=inputs, seed=7), **environment)


def seconds_of_phases(outcome: Any) -> dict[str, float]:
    """Phase → seconds, by the events of the run."""
    events = outcome.events
    begun = [*((event.data["name"], event.ts) for event in events if event.type == "phase"), ("end", events[-1].ts)]
    return {name: after - at for (name, at), (_, after) in pairwise(begun)}


def longest(phases: dict[str, float]) -> list[tuple[str, float]]:
    """The eight phases that took longest, and what passages cost: their check and the map."""
    ordered = sorted(phases.items(), key=lambda one: -one[1])
    return [one for number, one in enumerate(ordered) if number < 8 or one[0] in ("passages", "map")]


def page_milliseconds(project: Any, made: Any) -> float:
    """Server time of the report's page, signed in: the middle of five."""
    from django.test import Client

    client = Client()
    client.force_login(project.created_by)
    found = []
    for _ in range(6):
        began = time.monotonic()
        assert client.get(made.get_absolute_url()).status_code == 200
        found.append((time.monotonic() - began) * 1000)
    return sorted(found[1:])[2]
