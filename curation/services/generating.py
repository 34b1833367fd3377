"""Pairs made from documents by a run: by rules, or by a model with a look at the first ten."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Avg

from catalogue.writers import Writer, writer_find
from curation.chunks import chunks_ensure
from curation.documents import chunks_facts
from curation.services.writing import PairError
from projects import audit
from projects.models import Project, User
from retrieval.models import Chunk
from runs.models import Artifact, Run
from runs.services import run_create

RULES, MODEL = "extract_pairs", "generate_pairs"
PREVIEW = 10  # pairs to look at before the rest is made
PROMPT_TOKENS = 280  # of the instructions around a passage
PASSAGE_TOKENS = 250  # where the chunks were not counted
PAIR_TOKENS = 130  # of a question, an answer and a quote
PASSED = 0.7  # share of a capable model's answers that pass the checks; the preview tells the real one

NO_DOCUMENTS = "There are no documents to make pairs from. Upload some, and let them be read first."


@dataclass(frozen=True)
class Estimate:
    """What a generating run would take: passages there are, calls, tokens read and written, money (0 where nothing has a price)."""

    passages: int
    calls: int
    tokens_in: int
    tokens_out: int
    cost: float


def pairs_generate(*, project: Project, by: User | None, params: Mapping[str, Any] | None = None) -> Run:
    """A run that cuts pairs from the documents by rules. Raises ``PairError`` without documents, ``RunError`` for wrong parameters."""
    return run_create(
        project=project, stage=RULES, params=params or {}, inputs={"chunks": _chunks(project)}, by=by, title="Generate pairs"
    )  # fmt: skip


def pairs_write(*, project: Project, by: User, writer: str, params: Mapping[str, Any], preview: int = PREVIEW) -> Run:
    """A run in which a model writes pairs: the first ``preview`` of them, to be looked at, or all with 0.

    ``writer``: the key of one of ``catalogue.writers``. Raises ``PairError`` without documents or for a model that is not there,
    ``RunError`` for wrong parameters.
    """
    found = writer_ensure(project, writer)
    settings = {**params, **asked_of(found), "preview": preview}
    title = f"Preview: pairs by {found.name}" if preview else f"Pairs by {found.name}"
    inputs = {"chunks": _chunks(project)}
    run = run_create(project=project, stage=MODEL, params=settings, inputs=inputs, by=by, title=title[:120])
    note_sending(run, found, by)
    return run


def pairs_write_rest(*, preview: Run, by: User) -> Run:
    """The rest after a look at the first ten: with the same settings, without asking anything twice, those ten among them.

    Raises ``PairError`` when the preview has made nothing, or its model or passages are not there any more.
    """
    project = preview.project
    assert project is not None
    ten = preview_pairs(preview)
    chunks = next((item.artifact for item in preview.inputs.select_related("artifact") if item.role == "chunks"), None)
    if ten is None or chunks is None or not chunks.ready:
        raise PairError("The preview is not complete, or its passages were deleted. Make another preview.")
    found = writer_ensure(project, str(preview.params.get("endpoint", "")))
    settings = {**preview.params, **asked_of(found), "preview": 0}
    inputs = {"chunks": chunks, "preview": ten}
    title = f"Pairs by {found.name}"[:120]
    run = run_create(project=project, stage=MODEL, params=settings, inputs=inputs, by=by, title=title, seed=preview.seed)
    note_sending(run, found, by)
    return run


def preview_pairs(run: Run) -> Artifact | None:
    """What a preview has made, None while it has not."""
    return run.outputs.filter(kind="pairs", ready=True).order_by("-attempt").first()


def generation_estimate(project: Project, writer: Writer | None, params: Mapping[str, Any]) -> Estimate | None:
    """What writing ``params["total"]`` pairs would take, within the budget in ``params``; None without documents."""
    facts = chunks_facts(project)
    if facts is None:
        return None
    total, kinds = int(params.get("total") or 200), list(params.get("kinds") or ["factual"])
    verified = ("unanswerable" in kinds) / len(kinds)
    calls = total / PASSED * (1 / int(params.get("per_call") or 1) + int(params.get("evolve") or 0) / 2 + verified)
    calls = max(1, min(round(calls), int(params.get("max_calls") or 10**9)))
    current = Chunk.objects.filter(version__document__project=project)
    passage = current.aggregate(mean=Avg("tokens"))["mean"] or PASSAGE_TOKENS
    reading, writing = round(calls * (PROMPT_TOKENS + passage)), round(calls * PAIR_TOKENS)
    cost = (reading * writer.price_in + writing * writer.price_out) / 1e6 if writer else 0.0
    return Estimate(facts["chunks"], calls, reading, writing, cost)


def rest_estimate(preview: Run, facts: Mapping[str, Any]) -> Estimate:
    """What the rest would take, going by what the preview took; ``facts`` are those of what it made."""
    made, total = max(1, int(facts["pairs"])), int(preview.params["total"])
    times = max(0, total - made) / made
    calls, reading, writing = (round(times * int(facts[name])) for name in ("calls", "tokens_in", "tokens_out"))
    return Estimate(0, calls, reading, writing, times * float(facts["cost"]))


def writer_ensure(project: Project, key: str) -> Writer:
    """The model of that key. Raises ``PairError``."""
    found = writer_find(project, key)
    if found is None:
        raise PairError("This model is not there any more. Choose another.", {"writer": "Choose a model."})
    return found


def asked_of(writer: Writer) -> dict[str, Any]:
    """The parameters by which a stage asks this model."""
    return {"endpoint": writer.key, "writer": writer.name[:120], "price_in": writer.price_in, "price_out": writer.price_out}


def note_sending(run: Run, writer: Writer, by: User) -> None:
    """Record that passages of this project go to another machine."""
    if not writer.here:
        audit.record(run.project, by, "data.send", f"run {run.pk}", after={"to": writer.host, "what": run.title})


def _chunks(project: Project) -> Artifact:
    chunks = chunks_ensure(project)
    if chunks is None:
        raise PairError(NO_DOCUMENTS)
    return chunks
