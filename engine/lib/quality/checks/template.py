"""Whether a pair can be put into a chat template and comes out whole."""

import re
from collections.abc import Callable
from functools import cache

from engine.lib.quality.material import Material, Row
from engine.lib.quality.registry import Finding, Found, Rule, check, share

# what most models' templates demand: a system turn only at the start, then the two taking turns
STRICT = """
{%- if messages[0].role == 'system' %}{% set turns = messages[1:] %}{% else %}{% set turns = messages %}{% endif -%}
{%- for turn in turns -%}
{%- if turn.role not in ('user', 'assistant') %}{{ refuse('“' ~ turn.role ~ '” cannot have a turn there') }}{% endif -%}
{%- if (turn.role == 'user') != (loop.index0 % 2 == 0) %}{{ refuse('user and assistant do not take turns') }}{% endif -%}
<|im_start|>{{ turn.role }}\n{{ turn.content }}<|im_end|>\n
{%- endfor -%}
{%- if turns[-1].role != 'assistant' %}{{ refuse('the last turn is no answer') }}{% endif -%}
"""
# left over from somebody's template, or put there to break out of ours
MARKERS = re.compile(
    r"<\|[\w ]{2,30}\|>|\[/?INST\]|<</?SYS>>|</?(?:start|end)_of_turn>|<bos>|<eos>|^###\s*(?:Instruction|Response|Input|Human|Assistant):"
    r"|\{\{\s*[\w.]+\s*\}\}|\[(?:INSERT|YOUR|ENTER)\b[^\]\n]{0,40}\]|<(?:INSERT|YOUR)[ _][^>\n]{1,40}>",
    re.MULTILINE,
)
BROKEN = re.compile("\ufffd|Ã[\u0080-\u00bf]|â€[\u0080-\u00bf™œ\u009d˜¦“”]|Â[\u0080-\u00bf]")  # text read in the wrong encoding
CHARACTERS_A_TOKEN = 3.5  # of English in small vocabularies, where no tokenizer is at hand


class _Refused(Exception):
    """The template's own word for what is wrong."""


@check("template")
def template(material: Material, rule: Rule) -> Found:
    """The share of rows, in %, that the chat template refuses, or that hold leftovers of a template or broken characters."""
    render = _of_model(material) if material.tokenizer is not None else _strict()
    findings = []
    for number, row in enumerate(material.rows):
        material.tell(number, len(material.rows))
        if wrong := _refused(row, render) or _leftover(row):
            findings.append(Finding(row, wrong))
    return Found(share(len(findings), len(material.rows)), findings)


@check("too_long")
def too_long(material: Material, rule: Rule) -> Found:
    """The share of rows, in %, that have more tokens than training reads."""
    limit = material.context_tokens
    findings = []
    for number, row in enumerate(material.rows):
        material.tell(number, len(material.rows))
        characters = sum(len(one["content"]) for one in row.messages)
        # no token has less than one byte: short rows need no counting
        if characters * 4 <= limit:
            continue
        tokens = _counted(material, row) if material.tokenizer is not None else int(characters / CHARACTERS_A_TOKEN)
        if tokens > limit:
            findings.append(Finding(row, f"{'' if material.tokenizer else 'About '}{tokens:,} tokens; training reads {limit:,}"))
    note = "" if material.tokenizer is not None else f"Tokens are estimated at {CHARACTERS_A_TOKEN} characters each."
    return Found(share(len(findings), len(material.rows)), findings, note=note)


def _refused(row: Row, render: Callable[[Row], object]) -> str:
    if not row.messages:
        return "It has no turns"
    try:
        render(row)
    except Exception as error:  # templates raise their own for orders of roles that they do not allow
        said = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        return f"The chat template refuses it: {said}"
    return ""


def _leftover(row: Row) -> str:
    """A marker or broken characters that its source does not have: documents may write about templates."""
    for message in [*row.messages]:
        text = message["content"]
        if (found := MARKERS.search(text)) and found[0] not in row.context:
            return f"“{found[0][:60]}” is left over from a template"
        if (found := BROKEN.search(text)) and found[0] not in row.context:
            return "Some characters were read in the wrong encoding"
    return ""


@cache
def _strict() -> Callable[[Row], object]:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refuse(why: str) -> None:
        raise _Refused(why)

    environment = ImmutableSandboxedEnvironment()
    environment.globals["refuse"] = refuse
    made = environment.from_string(STRICT)
    return lambda row: made.render(messages=row.messages)


def _of_model(material: Material) -> Callable[[Row], object]:
    return lambda row: material.tokenizer.apply_chat_template(row.messages, tokenize=False)


def _counted(material: Material, row: Row) -> int:
    try:
        text = material.tokenizer.apply_chat_template(row.messages, tokenize=False)
    except Exception:  # the template's check says so; its words can be counted all the same
        text = row.text
    return len(material.tokenizer(text, add_special_tokens=False)["input_ids"])
