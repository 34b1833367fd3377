"""What is worth telling about documents that could be read: the same text twice, one document inside another."""

import hashlib
from typing import Any

PARAGRAPH_FROM = 80  # characters; shorter paragraphs are alike by chance
OVERLAP_FROM = 0.8  # share of a document's paragraphs that stand in another one


def text_hash(text: str) -> str:
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()


def batch_findings(texts: dict[str, str], names: dict[str, str]) -> dict[str, list[dict[str, Any]]]:
    """Version → findings about its text beside the others of the batch, in the order of ``texts``."""
    found: dict[str, list[dict[str, Any]]] = {version: [] for version in texts}
    first_with: dict[str, str] = {}
    paragraphs: dict[str, dict[int, None]] = {}
    holders: dict[int, set[str]] = {}
    for version, text in texts.items():
        first = first_with.setdefault(text_hash(text), version)
        if first != version:
            message = f"The same text as “{names[first]}”."
            found[version].append({"code": "duplicate", "message": message, "of": first})
            continue
        long_ones = (" ".join(part.split()) for part in text.split("\n\n"))
        paragraphs[version] = {hash(part): None for part in long_ones if len(part) >= PARAGRAPH_FROM}
        for part in paragraphs[version]:
            holders.setdefault(part, set()).add(version)
    for version, parts in paragraphs.items():
        shared: dict[str, int] = {}
        for part in parts:
            for other in holders[part] - {version}:
                shared[other] = shared.get(other, 0) + 1
        if not shared:
            continue
        other, number = max(shared.items(), key=lambda pair: (pair[1], pair[0]))
        # of two that hold nearly the same, only the shorter one lies inside the other
        if number >= OVERLAP_FROM * len(parts) and len(parts) <= len(paragraphs[other]):
            message = f"{number} of its {len(parts)} longer paragraphs also stand in “{names[other]}”."
            found[version].append({"code": "overlap", "message": message, "of": other})
    return found
