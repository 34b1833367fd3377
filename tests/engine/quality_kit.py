"""Rows as the quality gate reads them, and a check run over them."""

from typing import Any

from engine.lib.quality.material import Material, Row
from engine.lib.quality.registry import Found, Rule, all_checks


def line(number: int, question: str, answer: str, **fields: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return {"id": f"row-{number}", "messages": messages, "shape": "free", "status": "APPROVED", **fields}


def material(*lines: dict[str, Any], **fields: Any) -> Material:
    return Material([Row.from_dict(one) for one in lines], **fields)


def look(key: str, given: Material) -> tuple[Found, Rule]:
    rule, check = next(one for one in all_checks() if one[0].key == key)
    return check(given, rule), rule


def found_by(key: str, given: Material) -> dict[str, str]:
    """Row id → what the check says of it."""
    return {finding.row.id: finding.detail for finding in look(key, given)[0].findings}
