"""A small real data set on every machine: question-answer pairs cut from Python's own reference (`pydoc_data.topics`).

For benchmarks and tests only. The product's pairs come from its own generator.
"""

import json
import random
import re
import textwrap
from pathlib import Path
from typing import Any

from engine import manifest

SPLITS = ("train", "validation", "test")


def topic_pairs() -> dict[str, list[tuple[str, str]]]:
    """Topic → its (question, answer) pairs. An answer is one paragraph of the reference; its question names the section it is from."""
    from pydoc_data.topics import topics

    found: dict[str, list[tuple[str, str]]] = {}
    for key in sorted(topics):
        heading, pairs = key, []
        blocks = re.split(r"\n\s*\n", topics[key])
        for block in blocks:
            lines = block.strip("\n").split("\n")
            if len(lines) == 2 and set(lines[1]) <= set("*=-~^") and lines[1]:
                heading = lines[0].strip()
                continue
            text = " ".join(textwrap.dedent(block).split())
            if not 120 <= len(text) <= 600 or not re.match(r"[A-Z\"]", text) or "::=" in text or ">>>" in text:
                continue
            subject = " ".join(text.split()[:7]).rstrip(",.;:")
            pairs.append((f"Python reference, {heading}: explain “{subject}”.", text))
        if pairs:
            found[key] = pairs
    return found


def write_dataset(folder: Path, *, train: int = 400, validation: int = 32, test: int = 75, seed: int = 0) -> Path:
    """Write a `dataset` artifact to ``folder`` with that many pairs a split; no topic is in two splits. Returns ``folder``."""
    pairs = topic_pairs()
    keys = sorted(pairs)
    random.Random(seed).shuffle(keys)
    wanted = {"test": test, "validation": validation, "train": train}
    folder.mkdir(parents=True, exist_ok=True)
    rows: dict[str, list[dict[str, Any]]] = {split: [] for split in SPLITS}
    for split in ("test", "validation", "train"):
        while keys and len(rows[split]) < wanted[split]:
            key = keys.pop()
            for number, (question, answer) in enumerate(pairs[key][: max(8, wanted[split] // 10)]):
                messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
                rows[split].append({"id": f"{key}-{number}", "messages": messages, "sources": [], "shape": "explain"})
    for split in SPLITS:
        chosen = rows[split][: wanted[split]]
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in chosen)
        (folder / f"{split}.jsonl").write_text(text, "utf-8")
        rows[split] = chosen
    card = {"name": "Python reference", "counts": {split: len(rows[split]) for split in SPLITS}}
    (folder / "card.json").write_text(json.dumps(card, indent=1), "utf-8")
    manifest.write(folder, "dataset", facts=card)
    return folder
