"""Each stage's declaration makes a form that a person can read, fill in, and be corrected by."""

from typing import Any

import pytest
from django import forms
from django.http import QueryDict

from engine import registry
from engine.registry import StageInfo
from runs.forms import HIDDEN, params_form, params_from, settings_in_words

STAGES = {info.key: info for info in registry.all_stages()}


@pytest.fixture(params=sorted(STAGES))
def info(request: pytest.FixtureRequest) -> StageInfo:
    return STAGES[request.param]


def shown(info: StageInfo) -> dict[str, dict[str, Any]]:
    """The schemas of the parameters that a person chooses."""
    return {name: spec for name, spec in info.schema().get("properties", {}).items() if not spec.get(HIDDEN)}


def as_sent(form: forms.Form, **typed: Any) -> QueryDict:
    """What a browser sends of an untouched form, but for ``typed``."""
    sent = QueryDict(mutable=True)
    for name in form.fields:
        value = typed.get(name, form.get_initial_for_field(form.fields[name], name))
        if isinstance(value, list):
            sent.setlist(name, [str(one) for one in value])
        elif value is not None and value is not False:  # an unticked box is not sent
            sent[name] = "on" if value is True else str(value)
    return sent


def missing(info: StageInfo) -> dict[str, str]:
    """Something for each parameter that has no default."""
    return dict.fromkeys(info.schema().get("required", []), "something")


def test_the_form_has_a_labelled_field_for_each_parameter_a_person_chooses(info: StageInfo) -> None:
    form, specs = params_form(info), shown(info)
    assert list(form.fields) == list(specs)
    for name, field in form.fields.items():
        assert (field.label, field.help_text) == (specs[name]["title"], specs[name]["description"])
    assert list(form.advanced) == [name for name, spec in specs.items() if spec.get("advanced")]  # type: ignore[attr-defined]
    assert form.as_p()


def test_an_untouched_form_means_the_stages_own_defaults(info: StageInfo) -> None:
    form = params_form(info, as_sent(params_form(info), **missing(info)))
    assert form.is_valid(), form.errors
    assert info.params(**params_from(form)) == info.params(**missing(info))


def test_a_number_beyond_its_limits_is_refused_at_its_field(info: StageInfo) -> None:
    untouched = params_form(info)
    for name, field in untouched.fields.items():
        if isinstance(field, forms.IntegerField | forms.FloatField):
            for limit, beyond in ((field.min_value, -1), (field.max_value, 1)):
                if limit is not None:
                    form = params_form(info, as_sent(untouched, **missing(info), **{name: limit + beyond}))
                    assert list(form.errors) == [name]


def test_a_choice_that_is_not_offered_is_refused_at_its_field(info: StageInfo) -> None:
    untouched = params_form(info)
    for name, field in untouched.fields.items():
        if isinstance(field, forms.ChoiceField):
            typed = ["none of these"] if isinstance(field, forms.MultipleChoiceField) else "none of these"
            form = params_form(info, as_sent(untouched, **missing(info), **{name: typed}))
            assert list(form.errors) == [name]


def test_what_has_no_default_is_asked_for(info: StageInfo) -> None:
    form = params_form(info, QueryDict())
    assert set(form.errors) == set(missing(info))


def test_settings_read_back_as_a_person_chose_them() -> None:
    words = dict(settings_in_words(STAGES["sft"], {"rank": 8, "gradient_checkpointing": False, "max_steps": None}))
    assert words == {"Adapter rank": "8", "Save memory": "no", "Stop after steps": "–"}
    assert settings_in_words(STAGES["import_pairs"], {"mapping": {"q": "question"}}) == []


def test_what_was_typed_comes_before_the_default() -> None:
    form = params_form(STAGES["sft"], as_sent(params_form(STAGES["sft"]), rank=8, max_steps=20))
    assert form.is_valid()
    chosen = STAGES["sft"].params(**params_from(form))
    assert (chosen.rank, chosen.max_steps) == (8, 20)  # type: ignore[attr-defined]


def test_lines_typed_in_a_browser_are_lines_like_any_other() -> None:
    form = params_form(STAGES["grpo"], as_sent(params_form(STAGES["grpo"]), pattern="Answer: .+\r\nSource: .+"))
    assert form.is_valid()
    assert params_from(form)["pattern"] == "Answer: .+\nSource: .+"
    longest = params_form(STAGES["grpo"], as_sent(params_form(STAGES["grpo"]), pattern="a\r\n" * 249 + "bc"))
    assert longest.is_valid(), longest.errors  # 500 characters, as the stage counts them
