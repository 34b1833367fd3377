"""Taking reports in."""

import json
from typing import Any

from django.db import transaction

from evaluation.figures import figure
from evaluation.models import Report
from projects import audit
from runs.artifacts import artifact_path
from runs.models import Artifact, RunInput

REPORT_FILE = "report.json"


@transaction.atomic
def report_take_in(*, artifact: Artifact) -> Report | None:
    """The ``Report`` of a finished evaluation. Idempotent: taken in again, it is the same row. None for one of no
    project.

    Raises ``ValueError`` when report.json is not what it should be.
    """
    if artifact.project is None:
        return None
    data = json.loads((artifact_path(artifact) / REPORT_FILE).read_text("utf-8"))
    if not isinstance(data, dict) or not isinstance(data.get("base"), dict):
        raise ValueError("report.json names no figures of a base model.")
    inputs = RunInput.objects.filter(run=artifact.produced_by_id).select_related("artifact") if artifact.produced_by_id else []
    by_role = {item.role: item.artifact for item in inputs}
    run = artifact.produced_by
    tuned = by_role.get("adapter") or by_role.get("soft_prompt") or (by_role.get("model") if "base" in by_role else None)
    report, new = Report.objects.update_or_create(
        artifact=artifact,
        defaults={
            "project": artifact.project,
            "model": by_role.get("base") or by_role.get("model"),
            "adapter": tuned,
            "title": (run.title.partition(": ")[2] or run.title) if run else "Evaluation",
            "pairs": int(data.get("pairs") or 0),
            "figures": data,
            **_columns(data),
        },
    )
    if new:
        audit.record(artifact.project, None, "report.take_in", f"{report.title} {report.pk}", after={"pairs": report.pairs})
    return report


def _columns(data: dict[str, Any]) -> dict[str, float | None]:
    found = {}
    for side in ("base", "tuned"):
        for name in ("loss", "token_f1", "general_loss"):
            measured = figure((data.get(side) or {}).get(name))
            found[f"{side}_{name}"] = measured.value if measured else None
    return found
