"""The same thing twice: to the letter, nearly, or in other words."""

from engine.lib.connected import connected
from engine.lib.quality.differing import Said, named_apart
from engine.lib.quality.material import Material, normalised
from engine.lib.quality.registry import Finding, Found, Rule, check, share


@check("exact_duplicates")
def exact_duplicates(material: Material, rule: Rule) -> Found:
    """The share of rows that ask what an earlier row asks, in %."""
    first: dict[str, int] = {}
    findings = []
    for number, prompt in enumerate(material.prompts):
        if (before := first.setdefault(prompt, number)) == number:
            continue
        row, other = material.rows[number], material.rows[before]
        same = normalised(row.answer) == normalised(other.answer)
        findings.append(Finding(row, "Same question and answer" if same else "Same question, another answer", other.id))
    return Found(share(len(findings), len(material.rows)), findings)


@check("near_duplicates")
def near_duplicates(material: Material, rule: Rule) -> Found:
    """The share of rows that say nearly the same as another, in %; each group's first row is not counted."""
    alike = [(a, b, likeness) for a, b, likeness in material.near if material.prompts[a] != material.prompts[b]]
    findings = _copies(material, alike, "{likeness:.0%} of their words are the same")
    return Found(share(len(findings), len(material.rows)), findings)


@check("meaning_duplicates")
def meaning_duplicates(material: Material, rule: Rule) -> Found:
    """The share of the embedded rows that say the same as another in other words, in %. Variants of one pair are meant to."""
    if material.said is None:
        return Found(None, note="No embedding model was reachable, so pairs were compared by their words alone.")
    known = {(a, b) for a, b, _ in material.near}
    alike = [
        (a, b, likeness)
        for a, b, likeness in material.alike_in_meaning(**rule.settings)
        if (a, b) not in known and material.prompts[a] != material.prompts[b] and _may_mean_the_same(material, a, b)
    ]
    findings = _copies(material, alike, "They mean the same: similarity {likeness:.2f} of 1")
    looked_at = len(material.embedded)
    note = f"{looked_at:,} of {len(material.rows):,} pairs were compared." if looked_at < len(material.rows) else ""
    return Found(share(len(findings), looked_at), findings, note=note)


def _may_mean_the_same(material: Material, a: int, b: int) -> bool:
    """Not where one is a variant of the other, nor where they name different things: to the model those are alike as well."""
    one, other = material.rows[a], material.rows[b]
    family = one.parent == other.id or other.parent == one.id or bool(one.parent and one.parent == other.parent)
    return not family and not named_apart(Said.of(one.prompt, one.answer), Said.of(other.prompt, other.answer))


def _copies(material: Material, alike: list[tuple[int, int, float]], detail: str) -> list[Finding]:
    """A finding for every row of a group but its first, with the row of the group it is most like."""
    best: dict[int, tuple[float, int]] = {}
    for a, b, likeness in alike:
        best[a] = max(best.get(a, (0.0, b)), (likeness, b))
        best[b] = max(best.get(b, (0.0, a)), (likeness, a))
    findings = []
    for group in sorted(map(sorted, connected((a, b) for a, b, _ in alike))):
        for number in group[1:]:
            likeness, other = best[number]
            findings.append(Finding(material.rows[number], detail.format(likeness=likeness), material.rows[other].id))
    return findings
