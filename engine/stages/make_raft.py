"""RAFT rows: a question together with the passage that answers it among passages that do not, and an answer that quotes the right one."""

import random
from typing import Any, Literal

from pydantic import Field, JsonValue

from engine.context import Context
from engine.exits import InputError
from engine.lib.jsonl import read_lines
from engine.lib.made_pairs import MadePairs
from engine.lib.pair_rows import PairRow
from engine.lib.support import support
from engine.registry import StageParams, stage

ANSWERS_TOO = 0.8  # support from which a passage counts as answering
NOT_THERE = "The passages do not answer this."
WITHOUT: dict[str, JsonValue] = {
    "say_so": "The answer says that the passages do not answer it",
    "know_it": "The answer is given all the same, from memory",
}


class Params(StageParams):
    distractors: int = Field(3, ge=1, le=15, title="Distractors", description="Passages in each row that do not answer the question.")
    oracle_share: float = Field(
        0.8, ge=0, le=1, title="Share with the right passage", description="Of the rows, 0 to 1; the others hold distractors alone."
    )
    without: Literal["say_so", "know_it"] = Field(
        "say_so",
        title="Where the right passage is missing",
        description="What the model learns then.",
        json_schema_extra={"labels": WITHOUT},
    )
    not_there: str = Field(
        NOT_THERE,
        min_length=3,
        max_length=400,
        title="What it says then",
        description="In your documents' language.",
        json_schema_extra={"advanced": True},
    )


@stage(
    key="make_raft",
    title="Put questions among distractors",
    group="data",
    queue="default",
    consumes={"contexts": "contexts"},
    produces={"pairs": "pairs"},
)
def run(ctx: Context, params: Params) -> None:
    """Each row shows the question with numbered passages, as search will bring them; its answer quotes the one that holds it. Such rows
    teach a model to use what was found and to leave the rest."""
    lines = list(read_lines(ctx.inputs["contexts"] / "contexts.jsonl", code="contexts", mend="Have the passages gathered again."))
    if not lines:
        raise InputError("no_contexts", "No question came with its passages.", where="contexts", mend="Choose pairs that have a source.")
    made = MadePairs(ctx, len(lines))
    with_oracle = _drawn(len(lines), params.oracle_share, ctx.seed)
    with ctx.phase("raft", "Putting questions among distractors"):
        for number, line in enumerate(lines):
            if ctx.stop_requested:
                break
            if not fitting(line):
                made.rejected["no distractors"] += 1
                continue
            made.keep(row_of(line, params, oracle=number in with_oracle, rng=random.Random(f"{ctx.seed} {number}")))
            if number % 200 == 0:
                made.tell()
        made.tell()
    facts = made.facts("augmented", "make_raft") | {"with_oracle": sum(row.shape != "unanswerable" for row in made.rows)}
    made.hand_over(facts, complete=not ctx.stop_requested, nothing="Let more documents be read, so that there are passages to choose from.")


def _drawn(count: int, share: float, seed: int) -> set[int]:
    """Which of ``count`` rows hold the right passage: exactly the share of them, rounded."""
    return set(random.Random(seed).sample(range(count), round(count * share)))


def fitting(line: dict[str, Any]) -> list[dict[str, Any]]:
    """The distractors that do not answer the question themselves."""
    return [passage for passage in line["distractors"] if support(line["answer"], passage["text"]) < ANSWERS_TOO]


def row_of(line: dict[str, Any], params: Params, *, oracle: bool, rng: random.Random) -> PairRow:
    """A line of ``contexts.jsonl`` as a pair: passages in an order drawn by ``rng``, the question below them."""
    passages = fitting(line)[: params.distractors]
    if oracle:
        passages = [*passages, line["oracle"]]
    rng.shuffle(passages)
    shown = "\n\n".join(f"[{number}] {' '.join(passage['text'].split())}" for number, passage in enumerate(passages, start=1))
    evidence = line.get("evidence") or line["oracle"]
    if oracle:
        place = 1 + next(at for at, passage in enumerate(passages) if passage is line["oracle"])
        answer = quoting(line["answer"], evidence.get("evidence", ""), place)
    else:
        answer = params.not_there if params.without == "say_so" else line["answer"]
    turns = [{"role": "user", "content": f"{shown}\n\n{line['question']}"}, {"role": "assistant", "content": answer}]
    source = {
        **{name: evidence.get(name) for name in ("document", "version", "page", "start", "end")},
        "evidence": evidence.get("evidence"),
    }
    shape = "raft" if oracle or params.without == "know_it" else "unanswerable"
    return PairRow(
        messages=turns, shape=shape, sources=[source], parent=line["pair"], tags=["raft"], extra={"distractors": len(passages) - oracle}
    )


def quoting(answer: str, evidence: str, place: int) -> str:
    """The answer with its quote and the number of its passage: “…” [2]."""
    quote = " ".join(evidence.split())
    if " ".join(answer.split()) == quote or not quote:
        return f"“{quote or answer}” [{place}]"
    return f"{answer.rstrip()}\n\n“{quote}” [{place}]"
