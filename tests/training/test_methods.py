"""The data file of the methods: sound, and complete over the stages there are."""

import pytest

from engine import registry
from training import methods
from training.checks import methods_are_valid
from training.forms import can_be_first


@pytest.fixture
def entries(monkeypatch: pytest.MonkeyPatch) -> dict[str, methods.Method]:
    """The entries, which a test may change."""
    changed = dict(methods.entries())
    monkeypatch.setattr(methods, "entries", lambda: changed)
    return changed


def test_every_method_and_preset_is_what_its_stage_allows() -> None:
    methods.check()
    assert list(methods.presets()) == ["quick", "balanced", "thorough"]
    assert all(method.title and method.description and method.when for method in methods.entries().values())


def test_every_training_stage_is_offered_by_a_method() -> None:
    assert methods.not_offered() == []
    assert methods_are_valid(None) == []


def test_a_method_whose_stage_is_not_there_is_passed_over(entries: dict[str, methods.Method]) -> None:
    entries["none_yet"] = methods.Method("none_yet", "fine-tune", "None yet", "", "", ("pairs",))
    assert "none_yet" not in methods.methods()
    methods.check()


def test_a_mistyped_key_shows_as_a_stage_that_nothing_offers(entries: dict[str, methods.Method]) -> None:
    entries["stf"] = entries.pop("sft")
    (warning,) = methods_are_valid(None)
    assert "sft" in warning.msg and warning.id == "training.W001"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"presets": {"quick": {"epochs": -1}}}, "greater than"),
        ({"presets": {"quick": {"nonsense": 1}}}, "nonsense"),
        ({"presets": {"hasty": {}}}, "no preset"),
        ({"group": "others"}, "no group"),
        ({"needs": ("pears",)}, "pears"),
        ({"needs": ("documents",)}, "differ in documents"),
        ({"needs": ("pairs", "teacher")}, "differ in teacher"),
    ],
)
def test_a_wrong_entry_is_an_error_of_the_check(entries: dict[str, methods.Method], changes: dict[str, object], says: str) -> None:
    entries["sft"] = methods.Method(**{**vars(entries["sft"]), **changes})
    (error,) = [found for found in methods_are_valid(None) if found.id == "training.E001"]
    assert "sft" in error.msg and says in error.msg


def test_what_a_method_makes_decides_what_may_follow() -> None:
    for method in methods.methods().values():
        for stage in methods.afterwards(method.makes):
            assert registry.get(stage).group in ("evaluate", "compress")
    assert methods.afterwards("soft-prompt") == ("evaluate",)


def test_a_method_is_offered_first_only_where_the_page_can_hand_it_all_it_needs() -> None:
    assert can_be_first(methods.methods()["sft"])
    follower = methods.Method(**{**vars(methods.methods()["sft"]), "follows": True})
    assert not can_be_first(follower)
