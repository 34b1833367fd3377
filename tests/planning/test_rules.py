import itertools
import tomllib

import pytest

from planning import checks, rules
from planning.recommending import _chosen, recommend

RULES = rules.load()


def all_answers():
    """Every combination of single answers with no limit or one, and each rule's own conditions."""
    single = [question for question in RULES.questions if not question.many]
    (many,) = [question for question in RULES.questions if question.many]
    keys = [[choice.key for choice in question.answers] for question in single]
    for chosen in itertools.product(*keys):
        answers = {question.key: (key,) for question, key in zip(single, chosen, strict=True)}
        for limit in [(), *((choice.key,) for choice in many.answers)]:
            yield {**answers, many.key: limit}


@pytest.fixture(scope="module")
def outcomes():
    """For every set of answers the rules that fire."""
    return [[rule for rule in RULES.rules if rule.fires(answers)] for answers in all_answers()]


def test_the_rules_hold_together():
    assert list(rules.problems(RULES)) == []
    assert checks.rules_hold_together() == []


def test_every_rule_can_decide_something(outcomes):
    """A rule that speaks for an approach is a reason of some recommendation; one that rules out, or speaks against, meets somebody."""
    unheard = set(range(len(RULES.rules)))
    for fired in outcomes:
        waiting = [rule for rule in fired if RULES.rules.index(rule) in unheard]
        chosen = _chosen(RULES, fired) if waiting else []
        unheard -= {RULES.rules.index(rule) for rule in waiting if rule.weight <= 0 or rule.approach in chosen}
    assert [RULES.rules[at] for at in unheard] == []


def test_every_approach_but_training_from_scratch_is_recommended_to_somebody(outcomes):
    found = set()
    for fired in outcomes:
        if len(found) == len(RULES.approaches) - 1:
            break
        found |= set(_chosen(RULES, fired))
    assert found == RULES.approaches.keys() - {"scratch"}


def test_every_complete_set_of_answers_leads_somewhere(outcomes):
    for fired in outcomes[::37]:
        assert _chosen(RULES, fired)


def test_what_is_not_recommended_says_why():
    result = recommend({"change": ("rarely",), "behaviour": ("format",), "learn_from": ("some",), "hardware": ("cpu",)})
    assert {layer.name for layer in result.layers} | {one.name for one in result.ruled_out} == {
        one.name for one in RULES.approaches.values()
    }
    assert all(len(one.why) > 20 for one in result.ruled_out)
    assert all(layer.reasons for layer in result.layers)


BROKEN = {
    "an answer that there is not": ('when = { change = ["often"] }', 'when = { change = ["hourly"] }'),
    "a question that there is not": ('when = { change = ["often"] }', 'when = { chnge = ["often"] }'),
    "an approach that there is not": ('approach = "distill"', 'approach = "distil"'),
    "a rule without weight": ("weight = 3\n", ""),
    "a need that there is not": ('needs = ["rag", "lora|qlora|full"]', 'needs = ["rag", "lore"]'),
    "hardware without figures": ('key = "gpu_4", label', 'key = "gpu_5", label'),
}


@pytest.mark.parametrize(("old", "new"), BROKEN.values(), ids=BROKEN.keys())
def test_a_slip_in_the_file_is_found_at_start(old, new, monkeypatch, tmp_path):
    text = rules.RULES_FILE.read_text("utf-8")
    assert old in text
    broken = rules.parse(tomllib.loads(text.replace(old, new, 1)))
    assert list(rules.problems(broken))
    monkeypatch.setattr(rules, "load", lambda: broken)
    assert {error.id for error in checks.rules_hold_together()} == {"planning.E002"}


def test_a_file_of_another_shape_is_found_at_start(monkeypatch):
    def unreadable():
        return rules.parse({"approach": {"rag": {"name": "RAG", "colour": "blue"}}})

    monkeypatch.setattr(rules, "load", unreadable)
    (error,) = checks.rules_hold_together()
    assert error.id == "planning.E001" and "approach rag" in error.msg
