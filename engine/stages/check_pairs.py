"""The quality gate: every check over every pair, each with its number and the rows behind it."""

import json
import os
import time
from typing import Any

from pydantic import Field

from engine import manifest
from engine.context import Context
from engine.exits import InputError, Stopped
from engine.lib.jsonl import read_lines
from engine.registry import StageParams, stage

EMBED_BATCH = 64
AGAIN = "Check the pairs again."


class Params(StageParams):
    context_tokens: int = Field(1024, ge=64, le=131_072, title="Longest text", description="Tokens that training reads of one pair.")
    embed_most: int = Field(
        4_000,
        ge=0,
        le=1_000_000,
        title="Pairs compared by meaning",
        description="Of more pairs so many are drawn at random, since embedding takes longest. 0: words alone.",
        json_schema_extra={"advanced": True},
    )


@stage(
    key="check_pairs",
    title="Check the quality of pairs",
    group="data",
    queue="default",
    consumes={"pairs": "pair-rows", "chunks": "chunks?", "model": "hf-model?"},
    produces={"report": "quality-report"},
    requires=("sklearn", "jinja2", "phonenumbers"),
    endpoints=("embeddings",),
)
def run(ctx: Context, params: Params) -> None:
    """Look for duplicates, leaks, unsupported answers, broken formats, personal data, gaps and sameness. Nothing is changed."""
    from engine.lib.quality.registry import all_checks, judged, size_band, worst
    from engine.lib.quality.topic_map import map_of

    began = time.monotonic()
    material = read(ctx, params)
    embed(ctx, params, material)
    folder = ctx.work / "report"
    folder.mkdir(exist_ok=True)
    checks = []
    with open(folder / "findings.jsonl", "w", encoding="utf-8", newline="\n") as file:
        for number, (rule, check) in enumerate(all_checks(), start=1):
            stop_if_asked(ctx)
            with ctx.phase(rule.key, rule.title):
                ctx.progress(0, len(material.rows), "pairs")
                begun = time.monotonic()
                found = check(material, rule)
                told = judged(rule, found)
                for one in found.findings:
                    line = {"check": rule.key, "pair": one.row.id, "detail": one.detail, "other": one.other}
                    file.write(json.dumps({name: value for name, value in line.items() if value}, ensure_ascii=False) + "\n")
                ctx.progress(len(material.rows), len(material.rows), "pairs")
            ctx.metric(number, **{f"{rule.key}_seconds": time.monotonic() - begun, f"{rule.key}_rows": told["rows"]})
            checks.append(told)
    with ctx.phase("map", "Drawing the map"):
        (folder / "map.json").write_text(json.dumps(map_of(material), ensure_ascii=False), "utf-8")
    report = {
        "pairs": len(material.rows),
        "seconds": round(time.monotonic() - began, 1),
        "verdict": worst([one["verdict"] for one in checks]),
        "size": size_band(len(material.rows)),
        "checks": checks,
    }
    (folder / "report.json").write_text(json.dumps(report, ensure_ascii=False, indent=1), "utf-8")
    for name, words in (("fail", "fails"), ("warn", "warns")):
        for told in checks:
            if told["verdict"] == name:
                ctx.log(f"“{told['title']}” {words}: {told['number']} {told['unit']} {told['says']}")
    facts = {"pairs": report["pairs"], "verdict": report["verdict"], "findings": sum(one["rows"] for one in checks)}
    ctx.save("report", folder, kind="quality-report", facts=facts)
    ctx.finish(**facts)


def read(ctx: Context, params: Params) -> Any:
    """The rows, documents, passages and tokenizer of the input. Raises ``InputError`` for a file that cannot be read, or without a pair."""
    from engine.lib.quality.material import Material, Row
    from engine.lib.quality.passages import passages_in

    folder = ctx.inputs["pairs"]

    def tell(done: float, total: float) -> None:
        stop_if_asked(ctx)
        ctx.progress(done, total, "pairs")

    with ctx.phase("read", "Reading the pairs"):
        rows = []
        for number, line in enumerate(read_lines(folder / "pairs.jsonl", code="pairs", mend=AGAIN), start=1):
            try:
                rows.append(Row.from_dict(line))
            except ValueError as error:
                where = f"pairs.jsonl, line {number}"
                raise InputError("pairs", f"This line is no pair: {error}.", where=where, mend=AGAIN) from error
        listed = folder / "documents.jsonl"
        documents = list(read_lines(listed, code="pairs", mend=AGAIN)) if listed.is_file() else []
        passages = passages_in(ctx.inputs["chunks"]) if "chunks" in ctx.inputs else []
    if not rows:
        raise InputError("no_pairs", "There are no pairs to check.", where="pairs.jsonl", mend="Generate, import or write some.")
    return Material(
        rows=rows,
        documents=documents,
        passages=passages,
        seed=ctx.seed,
        context_tokens=params.context_tokens,
        tell=tell,
        **tokenizer(ctx),
    )


def tokenizer(ctx: Context) -> dict[str, Any]:
    """``tokenizer`` and ``model``, its name, of the model to be trained where one is given: its template and its tokens count then."""
    if "model" not in ctx.inputs:
        return {}
    from engine.lib.models import load_tokenizer

    with ctx.phase("tokenizer", "Loading the model's tokenizer"):
        name = manifest.read(ctx.inputs["model"]).facts.get("name")
        return {"tokenizer": load_tokenizer(ctx.inputs["model"]), "model": str(name or "the model")}


def embed(ctx: Context, params: Params, material: Any) -> None:
    """Vectors of the pairs, or of as many as were asked for. Without a model that answers, the gate goes on by words alone and says so."""
    import random

    from engine import endpoint
    from engine.lib.quality.passages import vectors_in

    server = endpoint.Endpoint(*(os.environ.get(f"STUDIO_EMBEDDINGS_{name}", "") for name in ("URL", "TOKEN", "MODEL")))
    if not server.url or not params.embed_most:
        return
    count = len(material.rows)
    chosen = sorted(random.Random(ctx.seed).sample(range(count), params.embed_most)) if count > params.embed_most else list(range(count))
    texts = [*(material.rows[number].prompt or " " for number in chosen), *(material.rows[number].answer or " " for number in chosen)]
    with ctx.phase("embed", "Embedding the pairs"):
        try:
            vectors = embedded(ctx, server, texts)
        except endpoint.EndpointError as error:
            ctx.warn(error.code, f"Pairs are compared by their words alone: {error.message}", where="embeddings", mend=error.mend)
            return
    material.asked, material.said, material.embedded = vectors[: len(chosen)], vectors[len(chosen) :], chosen
    if material.passages:
        material.passage_vectors = vectors_in(ctx.inputs["chunks"], server.model)


def embedded(ctx: Context, server: Any, texts: list[str]) -> Any:
    """A unit-length row a text. The same text is embedded once; texts of like length share a batch, so that little is spent on padding."""
    import numpy as np

    from engine import endpoint

    once = sorted(set(texts), key=lambda text: (len(text), text))
    made: list[Any] = []
    for begin in range(0, len(once), EMBED_BATCH):
        stop_if_asked(ctx)
        ctx.progress(begin, len(once), "texts")
        made += list(endpoint.embed(server, once[begin : begin + EMBED_BATCH], batch=EMBED_BATCH))
    ctx.progress(len(once), len(once), "texts")
    places = {text: place for place, text in enumerate(once)}
    return np.asarray(made, dtype=np.float32)[[places[text] for text in texts]]


def stop_if_asked(ctx: Context) -> None:
    if ctx.stop_requested:
        raise Stopped
