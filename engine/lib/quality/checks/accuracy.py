"""Whether answers are right as far as that can be told: looked at by people, said by their source, up to date."""

from engine.lib.quality.material import Material
from engine.lib.quality.registry import Finding, Found, Rule, check, share
from engine.lib.support import support

UNANSWERABLE = "unanswerable"  # pairs whose right answer is that the source does not say


@check("reviewed")
def reviewed(material: Material, rule: Rule) -> Found:
    """The share of rows that a person has decided on, in %; the rows found are those that nobody has looked at."""
    unseen = [row for row in material.rows if row.decided != "person"]
    words = {"rule": "Approved by rule", "": "Waits for review"}
    findings = [Finding(row, words.get(row.decided, row.decided)) for row in unseen]
    return Found(share(len(material.rows) - len(unseen), len(material.rows)), findings)


@check("unsupported")
def unsupported(material: Material, rule: Rule) -> Found:
    """The share of rows with a source, in %, whose answer that source does not say."""
    least = float(rule.settings["support"])
    findings, judged = [], 0
    for number, row in enumerate(material.rows):
        material.tell(number, len(material.rows))
        if not row.context or row.shape == UNANSWERABLE or not row.answer.strip():
            continue
        judged += 1
        found = support(row.answer, row.context)
        if found < least:
            findings.append(Finding(row, f"Its source supports {found:.0%} of it"))
    without = len(material.rows) - judged
    note = f"{without:,} pairs have no source that could be compared." if without else ""
    if not judged:
        return Found(None, note="No pair has a source that its answer could be compared with.")
    return Found(share(len(findings), judged), findings, note=note)


@check("stale")
def stale(material: Material, rule: Rule) -> Found:
    """The share of rows, in %, whose document has a newer version or was deleted."""
    findings = [Finding(row, "Its document has a newer version, or was deleted") for row in material.rows if row.stale]
    return Found(share(len(findings), len(material.rows)), findings)
