"""The quality gate: looking at a set of pairs as a run, and taking in what it found."""

import json
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.urls import reverse

from curation.chunks import chunks_ensure
from curation.filters import FilterError, pairs_matching
from curation.gate import fingerprint
from curation.models import Chore, ChoreState, Finding, Pair, QualityReport
from curation.selecting import canonical
from curation.selectors.bases import bases_of
from curation.services import chores
from curation.services.chores import Ended, chore_kind
from curation.services.chosen import Tick, go_on, unwatched
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
from runs.services import RunError, run_create

KIND = "gate"
STAGE = "check_pairs"
REPORT_FILE, FINDINGS_FILE = "report.json", "findings.jsonl"


def gate_begin(
    *,
    project: Project,
    by: User,
    tree: dict[str, Any] | None = None,
    params: Mapping[str, Any] | None = None,
    model: str = "",
    typed: Mapping[str, str] | None = None,
) -> Run | Chore:
    """Have the pairs of a filter looked at, as ``gate_start`` does: the run; where they are many, the chore that writes them out first.

    ``typed`` is what stood in the form, kept for another try. Raises as ``gate_start`` does.
    """
    tree = canonical(tree)
    count = pairs_matching(project, tree).count()
    if count <= chores.AT_ONCE:
        return gate_start(project=project, by=by, tree=tree, params=params, model=model)
    return chores.chore_begin(
        project=project,
        by=by,
        kind=KIND,
        title=f"Writing out {count:,} pairs for the quality gate",
        params={"look": {"tree": tree, "params": dict(params or {}), "model": model}, "typed": dict(typed or {})},
        link=f"{reverse('curation:quality', args=[project.slug])}?again=1",
        link_words="Back to what you chose",
    )


def gate_typed(project: Project, by: User) -> dict[str, str] | None:
    """What ``by`` chose last for a look that came to nothing; None where there is no such."""
    failed = [ChoreState.FAILED, ChoreState.STOPPED, ChoreState.LOST]
    last = Chore.objects.filter(project=project, by=by, kind=KIND, state__in=failed).order_by("-created_at").first()
    return last.params["typed"] if last else None


@chore_kind(KIND, can="build", told=(PairError, FilterError, RunError))
def _work(chore: Chore, tick: Tick) -> Ended:
    gate_start(project=chore.project, by=chore.by, tick=tick, **chore.params["look"])
    return Ended("The check has begun.", reverse("curation:quality", args=[chore.project.slug]), "See how far it is")


def gate_start(
    *,
    project: Project,
    by: User | None,
    tree: dict[str, Any] | None = None,
    params: Mapping[str, Any] | None = None,
    model: str = "",
    tick: Tick = unwatched,
) -> Run:
    """A run that looks at the pairs of a filter, the approved ones by default. Writes them out: some ten seconds for 100,000.

    ``model`` is the id of the `hf-model` to be trained, whose chat template and tokenizer count then.
    Raises ``FilterError`` for a tree that cannot be read, ``PairError`` when nothing matches or the model is gone, ``RunError`` for wrong
    parameters; ``Stopped`` when ``tick``, told of each step, wants an end.
    """
    tree = canonical(tree)
    pairs = pairs_matching(project, tree)
    if not pairs.exists():
        raise PairError("No pair matches, so there is nothing to check. Approve some, or choose other pairs.")
    inputs = {"model": _model(project, model)} if model else {}
    go_on(tick, 0, "Splitting as a version would be")
    facts = {"tree": tree, "fingerprint": fingerprint(pairs)}
    splits = planned_split(pairs, seed=SEED)
    go_on(tick, 0, "Writing the pairs out")  # after this it is checked
    inputs["pairs"] = pair_rows(project, pairs, splits=splits, facts=facts)
    if chunks := chunks_ensure(project):  # which passages no pair draws on
        inputs["chunks"] = chunks
    return run_create(project=project, stage=STAGE, params=params or {}, inputs=inputs, by=by, title="Check quality", seed=SEED)


def _model(project: Project, pk: str) -> Artifact:
    found = next((one for one in bases_of(project) if one.key == pk), None)
    if found is None:
        raise PairError("The model is not on this machine any more. Choose another, or none.")
    return found.artifact


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
