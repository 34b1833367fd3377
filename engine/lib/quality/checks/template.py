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
COMMON = "Tried with a common template: no model was given."
ESTIMATED = f"Tokens are estimated at {CHARACTERS_A_TOKEN} characters each."


class _Refused(Exception):
    """The template's own word for what is wrong."""


Turns = list[dict[str, str]]
WORSE = " (with the rejected answer)"


@check("template")
def template(material: Material, rule: Rule) -> Found:
    """The share of rows, in %, that the chat template refuses, or that hold leftovers of a template or broken characters."""
    render = _of_model(material) if material.tokenizer is not None else _strict()
    findings = []
    for number, row in enumerate(material.rows):
        material.tell(number, len(material.rows))
        if wrong := _refused(row.messages, render) or _leftover(row.messages, row):
            findings.append(Finding(row, wrong))
        elif row.rejected and (wrong := _refused(row.worse, render) or _leftover(row.rejected, row)):
            findings.append(Finding(row, wrong + WORSE))
    note = f"Tried with the chat template of {material.model}." if material.tokenizer is not None else COMMON
    return Found(share(len(findings), len(material.rows)), findings, note=note)


@check("too_long")
def too_long(material: Material, rule: Rule) -> Found:
    """The share of rows, in %, that have more tokens than training reads."""
    limit = material.context_tokens
    findings = []
    for number, row in enumerate(material.rows):
        material.tell(number, len(material.rows))
        tokens, worse = (_tokens(material, turns) for turns in (row.messages, row.worse))
        if max(tokens, worse) > limit:
            said = f"{'' if material.tokenizer else 'About '}{max(tokens, worse):,} tokens; training reads {limit:,}"
            findings.append(Finding(row, said if tokens > limit else said + WORSE))
    note = f"Counted with the tokenizer of {material.model}." if material.tokenizer is not None else ESTIMATED
    return Found(share(len(findings), len(material.rows)), findings, note=note)


def _tokens(material: Material, turns: Turns) -> int:
    """How many ``turns`` have; at most the limit where they are too short to have more: no token is less than a byte."""
    characters = sum(len(one["content"]) for one in turns)
    if material.tokenizer is None:
        return int(characters / CHARACTERS_A_TOKEN)
    if characters * 4 <= material.context_tokens:
        return 0
    try:
        text = material.tokenizer.apply_chat_template(turns, tokenize=False)
    except Exception:  # the template's check says so; its words can be counted all the same
        text = "\n".join(one["content"] for one in turns)
    if (size := len(text.encode())) <= material.context_tokens:
        return size
    return len(material.tokenizer(text, add_special_tokens=False)["input_ids"])


def _refused(turns: Turns, render: Callable[[Turns], object]) -> str:
    if not turns:
        return "It has no turns"
    try:
        render(turns)
    except Exception as error:  # templates raise their own for orders of roles that they do not allow
        said = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        return f"The chat template refuses it: {said}"
    return ""


def _leftover(turns: Turns, row: Row) -> str:
    """A marker or broken characters that its source does not have: documents may write about templates."""
    for turn in turns:
        text = turn["content"]
        if (found := MARKERS.search(text)) and found[0] not in row.context:
            return f"“{found[0][:60]}” is left over from a template"
        if (found := BROKEN.search(text)) and found[0] not in row.context:
            return "Some characters were read in the wrong encoding"
    return ""


@cache
def _strict() -> Callable[[Turns], object]:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refuse(why: str) -> None:
        raise _Refused(why)

    environment = ImmutableSandboxedEnvironment()
    environment.globals["refuse"] = refuse
    made = environment.from_string(STRICT)
    return lambda turns: made.render(messages=turns)


def _of_model(material: Material) -> Callable[[Turns], object]:
    return lambda turns: material.tokenizer.apply_chat_template(turns, tokenize=False)
