"""The data card of a dataset version in words: on its page, and as the README beside its files."""

from collections.abc import Mapping
from typing import Any

from curation.models import DatasetVersion
from curation.splitting import SPLITS

NO_LICENCE = "Nothing was said when it was cut. Ask whose documents these are before passing it on."
LISTED = {"shapes": "Shapes", "languages": "Languages", "difficulties": "Difficulty", "tags": "Tags", "origins": "Origins"}


def card_markdown(version: DatasetVersion, *, project_name: str, document_names: Mapping[str, list[str]]) -> str:
    """The card as a README that stands beside the files: what it is, what is in it, how it was reviewed, where it comes from."""
    facts = version.artifact.facts
    parts = [
        f"# {project_name}: dataset version {version.number}",
        _what(version, facts),
        "## Size\n\n" + _table(["split", "pairs", "documents"], [[s, version.counts[s], facts["documents"][s]] for s in SPLITS]),
        _split_words(version, facts),
        *_distributions(facts),
        "## How it was reviewed\n\n" + _bullets(review_words(facts)),
        "## Quality gate\n\n" + _gate_markdown(version),
        "## Licence\n\n" + (one_line(facts.get("licence", "")) or NO_LICENCE),
        "## Where it comes from\n\n" + _bullets(_lineage_words(version, facts)),
        *(["## Documents\n\n" + _bullets(_document_words(document_names))] if any(document_names.values()) else []),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _what(version: DatasetVersion, facts: Mapping[str, Any]) -> str:
    total, kinds = sum(version.counts.values()), []
    if facts.get("preference"):
        kinds.append(f"{facts['preference']:,} with a rejected answer for preference training")
    if facts.get("several_turns"):
        kinds.append(f"{facts['several_turns']:,} of several turns")
    if version.rehearsal:
        kinds.append(f"{version.rehearsal:,} of general data, marked `rehearsal`, in the training split")
    if held_out := facts.get("rehearsal", {}).get("held_out"):
        kinds.append(f"{held_out:,} of general data in the validation split")
    more = f" Among them: {'; '.join(kinds)}." if kinds else ""
    return (
        f"{total:,} training examples for fine-tuning a language model, cut on {version.created_at:%Y-%m-%d}. JSONL, one example a line: "
        f"`messages` with roles, `sources` with page and offsets.{more}"
    )


def _split_words(version: DatasetVersion, facts: Mapping[str, Any]) -> str:
    asked = ", ".join(f"{facts['fractions'][split]:.0%} {split}" for split in SPLITS)
    lines = [f"Split by document with seed {version.seed}; asked for: {asked}."]
    if words := balance_words(facts):
        lines.append(words)
    if facts.get("twins"):
        lines.append(f"{facts['twins']:,} pairs share a question or an answer with another one and stand on the same side as it.")
    return "\n".join(lines)


def balance_words(facts: Mapping[str, Any]) -> str:
    """How evenly the topics are spread; empty where there are no two."""
    if len(facts.get("topics", {})) < 2:
        return ""
    worst = facts["balance"]
    if not worst["points"]:
        return "Every topic has the same share in every split."
    name = f"“{one_line(worst['topic'])}”" if worst["topic"] else "pairs without a topic"
    where = f"{name}, {worst['split']}"
    return f"No topic's share in a split is more than {worst['points']:g} percentage points from its share in the whole ({where})."


def _distributions(facts: Mapping[str, Any]) -> list[str]:
    parts = []
    if len(facts.get("topics", {})) > 1:
        rows = [[one_line(topic) or "none", *(by_split[split] for split in SPLITS)] for topic, by_split in facts["topics"].items()]
        parts.append("## Topics\n\n" + _table(["topic", *SPLITS], rows))
    for key, title in LISTED.items():
        if facts.get(key):
            rows = sorted(facts[key].items(), key=lambda row: (-row[1], row[0]))
            parts.append(f"## {title}\n\n" + _table([title.lower(), "pairs"], [[one_line(name), times] for name, times in rows]))
    return parts


def review_words(facts: Mapping[str, Any]) -> list[str]:
    """How its pairs were decided on, line by line; empty for a version cut before this was kept."""
    review = facts.get("review")
    if not review:
        return []
    by_rule = sum(review["by_rule"].values())
    total = review["by_person"] + by_rule + review["not_approved"] or 1
    lines = []
    if review["by_person"]:
        who = f" ({review['people']} {'person' if review['people'] == 1 else 'people'})" if review["people"] else ""
        lines.append(f"{review['by_person']:,} approved by a person{who}: {review['by_person'] / total:.0%}")
    lines += [f"{pairs:,} approved by the rule “{one_line(rule)}”: {pairs / total:.0%}" for rule, pairs in review["by_rule"].items()]
    if review["not_approved"]:
        lines.append(f"{review['not_approved']:,} not approved: {review['not_approved'] / total:.0%}")
    if review["edited"]:
        lines.append(f"{review['edited']:,} edited by hand")
    if found := facts.get("agreement"):
        lines.append(agreement_words(found))
    return lines


def agreement_words(found: Mapping[str, Any]) -> str:
    names = (("cohen", "Cohen's kappa"), ("fleiss", "Fleiss' kappa"), ("alpha", "Krippendorff's alpha"))
    kappas = [f"{title} {found[name]:.2f}" for name, title in names if found.get(name) is not None]
    people = f"{found['pairs']:,} pairs have verdicts of two people or more; {found['percent']:.0f}% of those agree"
    return ", ".join([people, *kappas])


def gate_words(gate: Mapping[str, Any]) -> str:
    """The frozen result of the gate in a sentence."""
    if not gate:
        return "The quality gate was not run before it was cut."
    words = {"pass": "Passed", "warn": "Passed with warnings", "fail": "Failed"}[gate["verdict"]]
    return f"{words}." if gate["current"] else f"{words}, on pairs that had changed or were others when it was cut."


def _gate_markdown(version: DatasetVersion) -> str:
    lines = [gate_words(version.gate)]
    if version.override_reason:
        lines.append(f"Cut all the same by an owner, with this reason: {one_line(version.override_reason)}")
    checks = [
        [one_line(check.get("title", "")), check.get("verdict", ""), one_line(check.get("says", ""))]
        for check in version.gate.get("checks", [])
    ]
    if checks:
        lines.append(_table(["check", "result", "says"], checks))
    return "\n\n".join(lines)


def _lineage_words(version: DatasetVersion, facts: Mapping[str, Any]) -> list[str]:
    lines = [f"Hash of the content: `{version.sha256}`", f"Pairs: {one_line(facts.get('filter', 'approved pairs'))}"]
    for row in facts.get("made_from", []):
        run = f", run {row['run'][:8]}" if row["run"] else ""
        lines.append(f"{row['pairs']:,} pairs of {one_line(row['made_by']) or 'an artifact'}{run} (`{row['sha256'][:12]}`)")
    return lines


def _document_words(names: Mapping[str, list[str]]) -> list[str]:
    return [f"{split}: {', '.join(one_line(name) for name in kept)}" for split, kept in names.items() if kept]


def one_line(text: str) -> str:
    """Words of people inside a line of Markdown: no line break, no markup of theirs, no column of a table."""
    plain = " ".join(str(text).split())
    for mark in "\\`*_[]<>|#":
        plain = plain.replace(mark, f"\\{mark}")
    return plain


def _bullets(lines: list[str]) -> str:
    return "\n".join(f"- {line}" for line in lines) or "Nothing is known of it."


def _table(heads: list[str], rows: list[list[Any]]) -> str:
    def cell(value: Any) -> str:
        return f"{value:,}" if isinstance(value, int) else str(value)

    lines = [heads, ["---"] * len(heads), *[[cell(value) for value in row] for row in rows]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
