"""What was typed as the values of a setting: each is looked at by itself, as the stage would."""

import pytest

from engine import registry
from runs.forms import params_form
from training.varying import Varied, can_be_varied, combinations, hint, in_words, label_of, varied


def looked_at(name: str, text: str, stage: str = "sft") -> Varied:
    info = registry.get(stage)
    return varied(info, params_form(info).fields[name], name, text, {"epochs": 1})


def errors(name: str, text: str) -> dict[str, str]:
    return {value.as_typed: value.error for value in looked_at(name, text).wrong}


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("learning_rate", "1e-4, 3e-4;0.001", [1e-4, 3e-4, 1e-3]),
        ("rank", " 8,, 16 ,", [8, 16]),
        ("schedule", "Linear, cosine", ["linear", "cosine"]),
        ("keep", "the last, best", ["last", "best"]),
        ("dora", "yes, No", [True, False]),
        ("max_steps", "10, 20", [10, 20]),
        ("learning_rate", "1e-4,3e-4,0.01", [1e-4, 3e-4, 1e-2]),
        ("learning_rate", "1E-4,0.001", [1e-4, 1e-3]),
        ("rank", "8,16 ,128,\n256;512", [8, 16, 128, 256, 512]),
        ("dropout", "0, 0.1,0.2", [0.0, 0.1, 0.2]),
    ],
)
def test_values_are_read_as_the_setting_takes_them(name: str, text: str, values: list[object]) -> None:
    found = looked_at(name, text)
    assert [value.value for value in found.values] == values and not found.wrong


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("learning_rate", "1e-4, much", {"much": "is not a number"}),
        ("learning_rate", "0, 1e-4, 5", {"0": "must be greater than 0", "5": "must be less than or equal to 0.1"}),
        ("rank", "8, 1.5", {"1.5": "is not a whole number"}),
        ("schedule", "linear, wavy", {"wavy": "is none of linear, cosine, constant"}),
        ("dora", "yes, perhaps", {"perhaps": "must be yes or no"}),
        ("learning_rate", "1e-4, 0.0001", {"0.0001": "is there twice"}),
        ("dropout", "0.1, 1", {"1": "must be less than 1"}),
    ],
)
def test_what_is_wrong_is_said_of_the_value_it_is_about(name: str, text: str, says: dict[str, str]) -> None:
    assert errors(name, text) == says


@pytest.mark.parametrize(
    ("name", "text", "refused"),
    [
        ("max_steps", "1,000", ["1,000"]),
        ("max_steps", "1,000, 2000", ["1,000"]),
        ("max_steps", "5, 1,000,000", ["1,000,000"]),
        ("rank", "16,128", ["16,128"]),
        ("learning_rate", "0,001, 0.01", ["0,001"]),
        ("learning_rate", "0,0001;0,001", ["0,0001", "0,001"]),
        ("learning_rate", "2,5e-4", ["2,5e-4"]),
        ("general_budget", "0,5", ["0,5"]),
    ],
)
def test_a_comma_that_may_stand_inside_a_number_is_refused_with_what_to_type(name: str, text: str, refused: list[str]) -> None:
    wrong = errors(name, text)
    assert list(wrong) == refused
    assert all("put a space after each comma" in error for error in wrong.values())


def test_another_setting_that_is_wrong_is_not_blamed_on_the_values() -> None:
    info = registry.get("sft")
    assert not varied(info, params_form(info).fields["rank"], "rank", "8, 16", {"epochs": -1}).wrong


def test_texts_and_lists_cannot_be_varied_and_what_is_rare_stands_apart() -> None:
    groups = dict(can_be_varied(params_form(registry.get("sft_prefix"))))
    assert {"learning_rate", "virtual_tokens"} <= dict(groups["Usual"]).keys()
    rare = dict(groups["Rarely needed"])
    assert "schedule" in rare and "begin_with" not in rare


def test_every_value_of_the_second_setting_is_tried_with_each_of_the_first() -> None:
    made = combinations([("a", [1, 2]), ("b", [True, False])])
    assert made == [{"a": 1, "b": True}, {"a": 1, "b": False}, {"a": 2, "b": True}, {"a": 2, "b": False}]


def test_a_combination_is_named_by_its_settings() -> None:
    assert label_of(registry.get("sft"), {"learning_rate": 1e-05, "rank": 8}) == "Learning rate 1e-05, adapter rank 8"
    assert in_words(registry.get("sft"), "keep", "last") == "The last"
    assert in_words(registry.get("sft"), "dora", False) == "no"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("rank", "Whole numbers from 1 to 512, with a comma and a space between. Write 1000, not 1,000."),
        ("max_length", "Whole numbers from 16 to 131072, with"),
        ("learning_rate", "Numbers above 0 and at most 0.1, with a comma and a space between. Write 0.5, not 0,5."),
        ("dropout", "Numbers at least 0 and below 1, with"),
        ("schedule", "Any of: linear, cosine, constant."),
        ("dora", "Yes and no."),
    ],
)
def test_what_may_be_typed_is_said_with_its_bounds_as_they_are(name: str, says: str) -> None:
    info = registry.get("sft")
    assert hint(info, params_form(info).fields[name], name).startswith(says)
