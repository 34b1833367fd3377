"""The quality gate: looking at a set of pairs as a run, and taking in what it found."""

import json
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.db import transaction

from curation.chunks import chunks_ensure
from curation.filters import pairs_matching
from curation.gate import fingerprint
from curation.models import Finding, Pair, QualityReport
from curation.selecting import canonical
from curation.services.writing import PairError
from curation.services.writing_out import pair_rows
from curation.split_index import planned_split
from curation.splitting import SEED
from projects import audit
from projects.models import Project, User
from projects.services import project_touch
from retrieval.batches import batched
from retrieval.jsonl import Row, read_rows
from runs.artifacts import artifact_path
from runs.models import Artifact, Run
from runs.services import run_create

STAGE = "check_pairs"
AT_ONCE = 5_000  # pairs written out while a person waits
REPORT_FILE, FINDINGS_FILE = "report.json", "findings.jsonl"


def gate_begin(*, project: Project, by: User, tree: dict[str, Any] | None = None, params: Mapping[str, Any] | None = None) -> Run | None:
    """Have the pairs of a filter looked at, the approved ones by default. The run; None where so many are written out by a worker first.

    Raises ``FilterError`` for a tree that cannot be read, ``PairError`` when nothing matches, ``RunError`` for wrong parameters.
    """
    tree = canonical(tree)
    count = pairs_matching(project, tree).count()
    if not count:
        raise PairError("No pair matches, so there is nothing to check. Approve some, or choose other pairs.")
    if count <= AT_ONCE:
        return gate_start(project=project, by=by, tree=tree, params=params)
    from curation.tasks import curation_gate_start

    ids = project.pk, by.pk
    transaction.on_commit(lambda: curation_gate_start.delay(*ids, tree, dict(params or {})))
    return None


def gate_start(*, project: Project, by: User | None, tree: dict[str, Any] | None = None, params: Mapping[str, Any] | None = None) -> Run:
    """A run that looks at the pairs of a filter, the approved ones by default. Writes them out: some ten seconds for 100,000.

    Raises ``FilterError`` for a tree that cannot be read, ``RunError`` for wrong parameters.
    """
    tree = canonical(tree)
    pairs = pairs_matching(project, tree)
    facts = {"tree": tree, "fingerprint": fingerprint(pairs)}
    artifact = pair_rows(project, pairs, splits=planned_split(pairs, seed=SEED), facts=facts)
    inputs = {"pairs": artifact}
    if chunks := chunks_ensure(project):  # which passages no pair draws on
        inputs["chunks"] = chunks
    return run_create(project=project, stage=STAGE, params=params or {}, inputs=inputs, by=by, title="Check quality", seed=SEED)


def report_take_in(artifact: Artifact) -> QualityReport:
    """Bring a ``quality-report`` artifact into the tables, its findings in batches of one transaction each. Idempotent.

    Pages and dataset versions go by reports whose artifact is ready, which whoever takes in sets last: never by half of the findings.
    """
    project = artifact.project
    assert project is not None
    folder = artifact_path(artifact)
    report = json.loads((folder / REPORT_FILE).read_text("utf-8"))
    run = artifact.produced_by
    given = run.inputs.select_related("artifact").filter(role="pairs").first() if run else None
    facts = given.artifact.facts if given and given.artifact else {}
    made, new = QualityReport.objects.get_or_create(
        artifact=artifact,
        defaults={
            "project": project,
            "verdict": report["verdict"],
            "pairs": report["pairs"],
            "report": report,
            "tree": facts.get("tree", {}),
            "fingerprint": facts.get("fingerprint", ""),
            "created_by": run.created_by if run else None,
        },
    )
    if not new:  # a supervisor died half-way
        made.findings.all().delete()
    for some in batched(read_rows(folder / FINDINGS_FILE)):
        with transaction.atomic():
            Finding.objects.bulk_create(_findings(made, some))
    after = {"verdict": made.verdict, "pairs": made.pairs, "findings": artifact.facts.get("findings")}
    audit.record(project, made.created_by, "quality.report", f"report {made.pk}", after=after)
    project_touch(project)
    return made


def _findings(report: QualityReport, rows: Iterable[Row]) -> list[Finding]:
    """Those of pairs that are still there."""
    rows = list(rows)
    there = set(Pair.objects.filter(project=report.project, pk__in={row["pair"] for row in rows}).values_list("pk", flat=True))
    found = []
    for row in rows:
        if (pair := UUID(row["pair"])) in there:
            other = _uuid(row.get("other", ""))
            detail = row["detail"] if other or not row.get("other") else f"{row['detail']}: {row['other']}"
            found.append(Finding(report=report, check_key=row["check"], pair_id=pair, other=other, detail=detail[:500]))
    return found


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
