"""The shapes of question that can be cut from prose: each looks at one sentence and says what it answers, or nothing."""

from engine.lib.question_shapes.actions import manner, obligation, purpose, role, signature
from engine.lib.question_shapes.clauses import setting_of
from engine.lib.question_shapes.conditions import change, condition, default, error, note, reason
from engine.lib.question_shapes.found import Found, Shape, Spot
from engine.lib.question_shapes.meanings import comparison, definition, enumeration, equivalence, term

__all__ = ["SHAPES", "Found", "Shape", "Spot", "setting_of"]

SHAPES: dict[str, Shape] = {
    "change": change,
    "enumeration": enumeration,
    "comparison": comparison,
    "condition": condition,
    "term": term,
    "equivalence": equivalence,
    "purpose": purpose,
    "default": default,
    "reason": reason,
    "signature": signature,
    "definition": definition,
    "error": error,
    "role": role,
    "manner": manner,
    "obligation": obligation,
    "note": note,
}
