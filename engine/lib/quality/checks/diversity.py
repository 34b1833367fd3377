"""Whether questions and answers differ enough that a model learns the subject and not a turn of phrase."""

import math
import random
from collections import Counter, defaultdict

from engine.lib.quality.material import Material, Row
from engine.lib.quality.registry import Finding, Found, Rule, check, share
from engine.lib.quality.tokens import words
from engine.lib.support import STOP_WORDS

FEWEST = 20  # rows; below that any share is chance
OPENING = 3  # words
SAMPLE = 1_000  # questions: the share of different word pairs falls with their number, so it is taken of as many each time
NEAR = 0.1  # answers within this share of the median length count as of one length


@check("openings")
def openings(material: Material, rule: Rule) -> Found:
    """The share of questions that begin with the same three words as most, in %."""
    if len(material.rows) < FEWEST:
        return Found(None, note=f"Fewer than {FEWEST} pairs say nothing about variety.")
    by_opening: dict[str, list[Row]] = defaultdict(list)
    for row in material.rows:
        by_opening[" ".join(words(row.question[:200])[:OPENING])].append(row)
    opening, rows = max(by_opening.items(), key=lambda one: len(one[1]))
    number = share(len(rows), len(material.rows))
    items = [f"“{one} …” ({len(found):,} pairs)" for one, found in sorted(by_opening.items(), key=lambda one: -len(one[1]))[:5]]
    findings = [Finding(row, f"Begins “{opening} …”") for row in rows] if rule.verdict(number) != "pass" else []
    return Found(number, findings, items)


@check("phrasings")
def phrasings(material: Material, rule: Rule) -> Found:
    """How many ways of asking there are: questions without the words of their subject, counted as if all were equally frequent.

    The number is the perplexity of the distribution over those frames; the rows found are those of the most frequent one.
    """
    if len(material.rows) < FEWEST:
        return Found(None, note=f"Fewer than {FEWEST} pairs say nothing about variety.")
    chosen = random.Random(material.seed).sample(material.rows, min(SAMPLE, len(material.rows)))
    by_frame: dict[str, list[Row]] = defaultdict(list)
    for row in chosen:
        by_frame[frame(row.question)].append(row)
    shares = [len(rows) / len(chosen) for rows in by_frame.values()]
    number = round(math.exp(-sum(one * math.log(one) for one in shares)), 1)
    common, _ = max(by_frame.items(), key=lambda one: len(one[1]))
    bad = rule.verdict(number) != "pass"
    findings = [Finding(row, f"Asked as “{common}”") for row in material.rows if frame(row.question) == common] if bad else []
    most = Counter({one: len(rows) for one, rows in by_frame.items()}).most_common(5)
    note = f"Counted in {len(chosen):,} questions drawn at random." if len(chosen) < len(material.rows) else ""
    return Found(number, findings, [f"“{one}” ({share(times, len(chosen)):.0f}%)" for one, times in most], note)


def frame(question: str) -> str:
    """The question with "…" for the words of its subject: "what is … used for"."""
    kept: list[str] = []
    for word in words(question[:400]):
        said = word if word in STOP_WORDS else "…"
        if said != "…" or not kept or kept[-1] != "…":
            kept.append(said)
    return " ".join(kept)


@check("lengths")
def lengths(material: Material, rule: Rule) -> Found:
    """The share of answers whose length is within a tenth of the median, in %."""
    if len(material.rows) < FEWEST:
        return Found(None, note=f"Fewer than {FEWEST} pairs say nothing about variety.")
    sizes = sorted(len(row.answer) for row in material.rows)
    median = sizes[len(sizes) // 2]
    alike = [row for row in material.rows if abs(len(row.answer) - median) <= NEAR * median]
    number = share(len(alike), len(material.rows))
    findings = [Finding(row, f"{len(row.answer):,} characters") for row in alike] if rule.verdict(number) != "pass" else []
    tenth, most = sizes[len(sizes) // 10], sizes[len(sizes) * 9 // 10]
    return Found(number, findings, [f"Half of the answers are shorter than {median:,} characters; most have {tenth:,} to {most:,}"])
