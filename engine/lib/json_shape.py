"""Whether JSON has the shape that a JSON schema asks for: the part of JSON Schema (2020-12) that describes plain records.

What it knows: ``type``, ``properties``, ``required``, ``additionalProperties`` (true or false), ``items`` (one schema), ``enum``; and
``title``, ``description`` and ``$schema``, which ask for nothing. Light.
"""

import json
from typing import Any

KNOWN = {"type", "properties", "required", "additionalProperties", "items", "enum"}
SILENT = {"title", "description", "$schema"}
DEEPEST = 20  # levels of a schema
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "number": (int, float), "integer": (int,), "boolean": (bool,),
    "null": (type(None),),
}  # fmt: skip


def parse(text: str) -> dict[str, Any]:
    """The schema in ``text``. Raises ``ValueError`` in words where it is no JSON, or asks for something that is not checked here."""
    try:
        schema = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"This is no JSON: {error}.") from error
    _check(schema, "the schema", 0)
    found: dict[str, Any] = schema
    return found


def _check(schema: Any, where: str, depth: int) -> None:
    if not isinstance(schema, dict):
        raise ValueError(f"In {where}, a schema must be an object in braces.")
    if depth > DEEPEST:
        raise ValueError(f"It is nested more than {DEEPEST} levels deep.")
    if unknown := sorted(set(schema) - KNOWN - SILENT):
        raise ValueError(f"In {where}, “{unknown[0]}” is not understood; known are {', '.join(sorted(KNOWN))}.")
    types = schema.get("type", [])
    for name in types if isinstance(types, list) else [types]:
        if not isinstance(name, str) or name not in TYPES:
            raise ValueError(f"In {where}, there is no type “{name}”; known are {', '.join(TYPES)}.")
    required, properties = schema.get("required", []), schema.get("properties", {})
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        raise ValueError(f"In {where}, “required” must be a list of names.")
    if not isinstance(properties, dict):
        raise ValueError(f"In {where}, “properties” must be an object of names and schemas.")
    if not isinstance(schema.get("additionalProperties", True), bool):
        raise ValueError(f"In {where}, “additionalProperties” must be true or false.")
    if not isinstance(schema.get("enum", []), list):
        raise ValueError(f"In {where}, “enum” must be a list of values.")
    for name, inner in properties.items():
        _check(inner, f"“{name}”", depth + 1)
    if "items" in schema:
        _check(schema["items"], f"the items of {where}", depth + 1)


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """Whether ``value``, as ``json.loads`` gives it, has the shape of ``schema``, as `parse` gives it."""
    types = schema.get("type", [])
    names = types if isinstance(types, list) else [types]
    if names and not any(_is(value, name) for name in names):
        return False
    if "enum" in schema and not any(_same(value, one) for one in schema["enum"]):
        return False
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        if any(name not in value for name in schema.get("required", [])):
            return False
        if not schema.get("additionalProperties", True) and value.keys() - properties.keys():
            return False
        return all(fits(value[name], inner) for name, inner in properties.items() if name in value)
    if isinstance(value, list) and "items" in schema:
        return all(fits(one, schema["items"]) for one in value)
    return True


def _is(value: Any, name: str) -> bool:
    if isinstance(value, bool):  # in Python a number as well
        return name == "boolean"
    if name == "integer" and isinstance(value, float):
        return value.is_integer()  # 1.0 is an integer there
    return isinstance(value, TYPES[name])


def _same(value: Any, other: Any) -> bool:
    return isinstance(value, bool) == isinstance(other, bool) and bool(value == other)
