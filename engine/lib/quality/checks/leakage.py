"""What a test would be asked that the model was trained on: between the splits, and of the public benchmark."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from engine.lib.quality.material import Material
from engine.lib.quality.registry import Finding, Found, Rule, check, share
from engine.lib.quality.tokens import Tokens

GRAM = 4  # words in a row
SHORT = 8  # a question of fewer words has to be there as a whole


@check("split_leaks")
def split_leaks(material: Material, rule: Rule) -> Found:
    """The share of the rows held out, in %, whose like is trained on: the same words, nearly the same, or a variant of one pair."""
    rows = material.rows
    held_out = sum(row.split in ("validation", "test") for row in rows)
    if not held_out:
        return Found(None, note="There are too few documents to hold any out.")
    findings: dict[int, Finding] = {}
    for first, second, how in _like(material):
        one, other = rows[first].split, rows[second].split
        if one == other or "train" not in (one, other):
            continue
        out, trained = (first, second) if other == "train" else (second, first)
        detail = f"{how} as a pair that is trained on; this one is for {'testing' if rows[out].split == 'test' else 'validation'}"
        findings.setdefault(out, Finding(rows[out], detail, rows[trained].id))
    return Found(share(len(findings), held_out), list(findings.values()))


def _like(material: Material) -> Iterator[tuple[int, int, str]]:
    by_prompt: dict[str, list[int]] = defaultdict(list)
    for number, prompt in enumerate(material.prompts):
        by_prompt[prompt].append(number)
    for group in by_prompt.values():
        # a row held out is compared with one that is trained on: one is enough, whatever the size of the group
        trained = next((number for number in group if material.rows[number].split == "train"), None)
        yield from ((number, trained, "The same question") for number in group if trained is not None and number != trained)
    yield from ((first, second, "Nearly the same words") for first, second, _ in material.near)
    places = {row.id: number for number, row in enumerate(material.rows)}
    for number, row in enumerate(material.rows):
        if row.parent in places:
            yield number, places[row.parent], "A variant of the same pair"


@check("benchmark_leaks")
def benchmark_leaks(material: Material, rule: Rule) -> Found:
    """The share of rows, in %, that hold a question of the benchmark which measures general skill."""
    from engine.lib.mmlu import questions

    stems = [question.text.split("\n")[0].split("(A)")[0].strip() for question in questions(seed=0)]
    tokens = Tokens.of([*stems, *(row.text for row in material.rows)])
    hashes, owners = tokens.grams(GRAM)
    lengths = (tokens.starts[1:] - tokens.starts[:-1]).tolist()
    count = len(stems)
    by_gram: dict[int, set[int]] = defaultdict(set)
    for gram, stem in zip(hashes[owners < count].tolist(), owners[owners < count].tolist(), strict=True):
        by_gram[gram].add(stem)
    sizes = Counter(stem for held in by_gram.values() for stem in held)
    hits: dict[tuple[int, int], set[int]] = defaultdict(set)
    for gram, owner in _known(hashes, owners, count, by_gram):
        for stem in by_gram[gram]:
            hits[owner, stem].add(gram)
    findings: dict[int, Finding] = {}
    for (owner, stem), grams in hits.items():
        needed = 1.0 if lengths[stem] < SHORT else float(rule.settings["overlap"])
        if len(grams) >= needed * sizes[stem]:
            row = material.rows[owner - count]
            findings.setdefault(owner, Finding(row, "Holds a question of the MMLU benchmark", stems[stem][:300]))
    return Found(share(len(findings), len(material.rows)), list(findings.values()))


def _known(hashes: "object", owners: "object", count: int, by_gram: dict[int, set[int]]) -> Iterator[tuple[int, int]]:
    """(gram, text) of the rows' grams that a benchmark question has, too."""
    import numpy as np

    of_rows = np.asarray(owners) >= count
    grams, texts = np.asarray(hashes)[of_rows], np.asarray(owners)[of_rows]
    both = np.isin(grams, np.array(list(by_gram), np.uint64))
    yield from zip(grams[both].tolist(), texts[both].tolist(), strict=True)
