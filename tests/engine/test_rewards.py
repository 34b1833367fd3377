"""The rules by which answers are rewarded: what each gives, and that no pattern holds up a training."""

import time
from typing import Any

import pytest
from pydantic import ValidationError

from engine.lib import json_shape, rewards
from engine.lib.reward_rules import RuleParams, rules_of

PERSON = '{"type": "object", "required": ["name", "age"], "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}}'


@pytest.mark.parametrize(
    ("pattern", "answer", "matches"),
    [
        (r"Answer: .+\nSource: .+", "Answer: 42\nSource: page 3", True),
        (r"Answer: .+\nSource: .+", "  Answer: 42\n\nand more\nSource: page 3\n", True),  # a dot is a line break too
        (r"Answer: .+\nSource: .+", "Answer: 42", False),
        (r"\d{4}-\d{2}-\d{2}", "2026-11-22", True),
        (r"\d{4}-\d{2}-\d{2}", "on 2026-11-22", False),  # the whole answer
        (r".*", "x" * (rewards.LOOKED_AT + 1), False),
    ],
)
def test_the_whole_answer_must_be_of_the_form(pattern: str, answer: str, matches: bool) -> None:
    assert rewards.Pattern(pattern).matches(answer) is matches


@pytest.mark.parametrize(("pattern", "text"), [(r"(x|xx)+[yz]", "x" * 4000), (r"(?:.*,){50}X", "," * 4000)])
def test_a_pattern_without_end_is_given_up_in_time(pattern: str, text: str) -> None:
    began = time.process_time()
    with pytest.raises(rewards.TooSlow):
        rewards.Pattern(pattern).matches(text)
    assert time.process_time() - began < 4 * rewards.PATIENCE


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("(", "no regular expression"),
        ("[a", "no regular expression"),
        ("(" * 400, "no regular expression"),
        ("(?:a{1000}){1000}", "counts too far"),
        ("(?:a{100}){99999999999999999999}", "counts too far"),
        ("(?:[0-9a-f]{20}x|(?=(y{10})){5}){15}", "counts too far"),
        ("a{600}b{600}", "counts too far"),
        ("[[:foo:]]", "no regular expression"),  # `re` takes it, `regex` does not
        ("Answer:{s<=x}", "inexact match"),
        (r"\w{e<=2}", "inexact match"),
        ("(?:yes){1<=e<=3}", "inexact match"),
        ("a{2i+1s<=4}", "inexact match"),
        ("a" * 501, "at most 500 characters"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_refused_in_words(pattern: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        rewards.check_pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "answer"),
    [
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "123e4567-e89b-12d3-a456-426614174000"),
        (r"(?:a{100}|b{100}){5}", "a" * 500),
        (r"(?:a+b){200}", "ab" * 200),
        (r'\{"id": [{e<=1}]+, x{name}', '{"id": {e, x{name}'),  # braces that mean themselves
    ],
)
def test_a_pattern_that_counts_within_bounds_is_taken(pattern: str, answer: str) -> None:
    assert rewards.Pattern(pattern).matches(answer)


def test_the_form_is_used_without_white_space_around_it() -> None:
    (form, _) = rules_of(RuleParams(pattern="  Yes\n"))
    assert form.score(" Yes ", "") == 1
    assert rules_of(RuleParams(pattern=" \n")) == rules_of(RuleParams())


@pytest.mark.parametrize(
    ("answer", "reward"),
    [
        ('{"name": "Ada", "age": 36}', 1),
        (' {"name": "Ada", "age": 36.0, "more": []}\n', 1),
        ('{"name": "Ada"}', 0.5),
        ('{"name": "Ada", "age": "36"}', 0.5),
        ('{"name": "Ada", "age": true}', 0.5),
        ("[]", 0.5),
        ('Here: {"name": "Ada", "age": 36}', 0),
        ("", 0),
        ("[" * 10_000, 0),
        ("9" * 10_000, 0),
        ("__import__('os').getpid()", 0),
    ],
)
def test_json_earns_half_and_the_rest_for_its_shape(answer: str, reward: float) -> None:
    assert rewards.json_form(answer, json_shape.parse(PERSON)) == reward


@pytest.mark.parametrize(
    ("schema", "value", "fits"),
    [
        ({}, None, True),
        ({"type": ["string", "null"]}, None, True),
        ({"type": "number"}, False, False),
        ({"type": "integer"}, 1.5, False),
        ({"enum": ["a", 1]}, 1, True),
        ({"enum": ["a", 1]}, True, False),
        ({"type": "array", "items": {"type": "string"}}, ["a", 1], False),
        ({"type": "array", "items": {"type": "string"}}, [], True),
        ({"properties": {"a": {}}, "additionalProperties": False}, {"b": 1}, False),
        ({"properties": {"a": {"properties": {"b": {"enum": [2]}}}}}, {"a": {"b": 3}}, False),
    ],
)
def test_values_that_fit_a_schema(schema: dict[str, Any], value: Any, fits: bool) -> None:
    assert json_shape.fits(value, schema) is fits


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", "must be an object"),
        ('{"pattern": "a"}', "“pattern” is not understood"),
        ('{"type": "text"}', "no type “text”"),
        ('{"type": [{}]}', "no type"),
        ('{"required": "name"}', "must be a list of names"),
        ('{"properties": []}', "must be an object of names"),
        ('{"additionalProperties": {}}', "true or false"),
        ('{"enum": 1}', "list of values"),
        ('{"properties": {"a": {"items": {"format": "date"}}}}', "the items of “a”, “format”"),
        ('{"items": ' * 30 + "{}" + "}" * 30, "levels deep"),
    ],
)
def test_a_schema_that_asks_for_more_than_is_checked_is_refused_in_words(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        json_shape.parse(text)


def test_terms_are_whole_words_in_any_case() -> None:
    assert rewards.terms("  Löwe\n\nlist comprehension\nLöwe\n") == ["Löwe", "list comprehension"]
    assert rewards.occurs("löwe", "Ein LÖWE.") and not rewards.occurs("list", "listing")
    assert rewards.occurs("list comprehension", "a List\ncomprehension")
    assert rewards.occurs("C++", "in C++ or C") and not rewards.occurs("a.b", "axb")
    assert rewards.share_present("a b", ["a", "z"]) == rewards.share_absent("a b", ["a", "z"]) == 0.5


@pytest.mark.parametrize(
    ("words", "fewest", "most", "reward"), [(0, 0, 0, 1), (5, 5, 5, 1), (2, 4, 0, 0.5), (8, 0, 4, 0.5), (99, 4, 0, 1), (0, 4, 0, 0)]
)
def test_length_is_rewarded_within_bounds_and_less_the_further_off(words: int, fewest: int, most: int, reward: float) -> None:
    assert rewards.within_length("word " * words, fewest, most) == reward


def test_only_the_rules_that_are_set_are_used_each_with_its_weight() -> None:
    assert [rule.name for rule in rules_of(RuleParams())] == ["closeness"]
    everything = RuleParams(
        pattern="A.*", pattern_weight=2, json_form=PERSON, must_have="b", must_not_have="c\nd", most_words=3, closeness_weight=0.5
    )
    scores = {rule.name: (rule.weight, rule.score("A b c", "b")) for rule in rules_of(everything)}
    assert scores == {
        "form": (2, 1), "json": (1, 0), "terms": (1, 1), "avoided": (1, 0.5), "length": (1, 1), "closeness": (0.5, 0.5),
    }  # fmt: skip
    assert {rule.setting for rule in rules_of(everything)} <= RuleParams.model_fields.keys()


@pytest.mark.parametrize(("field", "value"), [("pattern", "("), ("json_form", "{")])
def test_what_cannot_be_used_is_refused_at_its_field(field: str, value: str) -> None:
    with pytest.raises(ValidationError) as raised:
        RuleParams(**{field: value})
    assert [error["loc"] for error in raised.value.errors()] == [(field,)]
