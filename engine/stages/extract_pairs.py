"""Question and answer pairs cut from documents by rules, with no model."""

from collections import Counter
from pathlib import Path
from typing import Literal, get_args

from pydantic import Field

from engine.context import Context
from engine.exits import InputError, Stopped
from engine.lib.jsonl import write_lines
from engine.lib.pair_rows import PAIRS_FILE
from engine.lib.passages import chunks_of, documents_of
from engine.registry import StageParams, stage

ShapeName = Literal[
    "change", "enumeration", "comparison", "condition", "term", "equivalence", "purpose", "default", "reason",
    "signature", "definition", "error", "role", "manner", "obligation", "note",
]  # fmt: skip
ALL_SHAPES: list[ShapeName] = list(get_args(ShapeName))


class Params(StageParams):
    total: int = Field(600, ge=1, le=100_000, title="Most pairs", description="The best ones are kept.")
    per_document: int = Field(
        50, ge=1, le=10_000, title="Most pairs of one document", description="So that a long document does not take over."
    )
    about: str = Field(
        "",
        max_length=60,
        title="Subject",
        description="Said in questions that name no topic of their own, as in “In Python, what is …?”. Empty: nothing is added.",
    )
    minimum_characters: int = Field(
        45, ge=20, le=1000, title="Shortest answer", description="In characters.", json_schema_extra={"advanced": True}
    )
    maximum_characters: int = Field(
        400, ge=60, le=4000, title="Longest answer", description="In characters.", json_schema_extra={"advanced": True}
    )
    shapes: list[ShapeName] = Field(
        ALL_SHAPES,
        min_length=1,
        title="Kinds of question",
        description="Which patterns are looked for.",
        json_schema_extra={"advanced": True},
    )


@stage(
    key="extract_pairs",
    title="Cut questions from documents",
    group="data",
    queue="default",
    consumes={"chunks": "chunks"},
    produces={"pairs": "pairs"},
)
def run(ctx: Context, params: Params) -> None:
    """Find sentences that answer a question, and ask it. Answers are exact quotes; no model takes part, so nothing is invented."""
    from engine.lib.pair_selection import Offer, select
    from engine.lib.questions import candidates_of

    if params.minimum_characters >= params.maximum_characters:
        raise InputError("params", "The shortest answer is longer than the longest.", where="minimum_characters", mend="Make it smaller.")
    folder = ctx.inputs["chunks"]
    documents = documents_of(folder)
    chunks = chunks_by_version(folder)
    offers: list[Offer] = []
    with ctx.phase("find", "Finding questions"):
        for number, row in enumerate(documents):
            if ctx.stop_requested:
                raise Stopped
            ctx.progress(number, len(documents), "documents")
            text = read_text(folder / row["text_file"])
            found = candidates_of(
                text,
                row["title"],
                minimum=params.minimum_characters,
                maximum=params.maximum_characters,
                shapes=set(params.shapes),
                about=params.about,
            )
            places = chunks[row["version"]]
            offers += [Offer(row["version"], one, len(text)) for one in found if holder(places, one.start, one.end) is not None]
        ctx.progress(len(documents), len(documents), "documents")
    with ctx.phase("select", "Choosing the best"):
        kept = select(offers, total=params.total, per_document=params.per_document, seed=ctx.seed)
    if not kept:
        mend = "Add documents with whole sentences, or allow shorter and longer answers and more kinds of question."
        raise InputError("no_pairs", "No sentence of these documents answers a question that could be asked.", where="chunks", mend=mend)
    rows = []
    names = {row["version"]: row for row in documents}
    for offer in kept:
        row, one = names[offer.version], offer.candidate
        text = read_text(folder / row["text_file"])
        chunk = holder(chunks[offer.version], one.start, one.end)
        assert chunk is not None
        page = sum(1 for start in row["page_starts"] if start <= one.start) or 1
        rows.append(
            {
                "question": one.question,
                "answer": one.answer,
                "shape": one.shape,
                "document": row["id"],
                "version": offer.version,
                "chunk_ordinal": chunk["ordinal"],
                "page": page,
                "start": one.start,
                "end": one.end,
                "evidence": text[one.start : one.end],
            }
        )
    made = ctx.work / "pairs"
    made.mkdir(exist_ok=True)
    write_lines(made / PAIRS_FILE, rows)
    shapes = Counter(row["shape"] for row in rows)
    facts = {
        "pairs": len(rows),
        "candidates": len(offers),
        "documents": len({row["document"] for row in rows}),
        "shapes": dict(shapes.most_common()),
    }
    for row in rows[:: max(1, len(rows) // 5)][:5]:
        ctx.sample(row["shape"], row["question"], row["answer"])
    ctx.save("pairs", made, kind="pairs", facts=facts)
    ctx.finish(**facts)


_texts: dict[Path, str] = {}


def read_text(path: Path) -> str:
    """A document's text; the last one stays in memory, since pairs come sorted by document."""
    if path not in _texts:
        _texts.clear()
        with open(path, encoding="utf-8", newline="") as file:
            _texts[path] = file.read()
    return _texts[path]


def chunks_by_version(folder: Path) -> dict[str, list[dict[str, int]]]:
    """Version → its chunks' places, in order."""
    found: dict[str, list[dict[str, int]]] = {}
    for row in chunks_of(folder):
        found.setdefault(row["version"], []).append({"ordinal": row["ordinal"], "start": row["start"], "end": row["end"]})
    return found


def holder(chunks: list[dict[str, int]], start: int, end: int) -> dict[str, int] | None:
    """The chunk that holds the whole span."""
    return next((chunk for chunk in chunks if chunk["start"] <= start and end <= chunk["end"]), None)
