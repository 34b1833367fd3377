"""Whether an answer stands in its source: quotes, other words, inventions, numbers, negations."""

import time

import pytest

from engine.lib.support import UNKNOWN, support

SOURCE = """Staff must clean their hands before they touch a patient. A hand rub is spread over both hands for 30 seconds and is not
wiped off. Used gloves are disposed of in the yellow bin, which is emptied twice a day. Needle injuries are reported to the safety
officer within 24 hours; the officer keeps the report for 1,000 days."""


@pytest.mark.parametrize(
    "answer",
    [
        "Used gloves are disposed of in the yellow bin",
        "“Staff must clean  their hands”",
        "Before touching a patient, staff have to clean their hands.",
        "They are disposed of in the yellow bin. It is emptied twice a day.",
        "Report a needle injury to the safety officer within 24 hours.",
        "The report is kept by the officer for 1000 days.",
        "1. Spread the hand rub over both hands.\n2. Do not wipe it off.",
    ],
)
def test_what_the_source_says_is_supported_in_any_words(answer: str) -> None:
    assert support(answer, SOURCE) >= 0.6


@pytest.mark.parametrize(
    "answer",
    [
        "The boiler is drained once a year by the caretaker of the building.",
        "Report a needle injury to the safety officer within 48 hours.",
        "Staff must not clean their hands before they touch a patient.",
        "A hand rub is spread over both hands for 30 seconds and is wiped off.",
        "Used gloves are disposed of in the yellow bin. The hospital was founded by Florence Nightingale in Derbyshire.",
        "Gloves protect the eyes from radiation during surgery.",
    ],
)
def test_what_the_source_does_not_say_is_not_supported(answer: str) -> None:
    assert support(answer, SOURCE) < 0.6


def test_an_answer_that_says_nothing_is_neither() -> None:
    assert support("Yes, it is.", SOURCE) == UNKNOWN


def test_nothing_is_supported_by_nothing() -> None:
    assert support("", SOURCE) == 0 and support("Gloves.", "  ") == 0


def test_scripts_without_spaces_are_compared_too() -> None:
    assert support("手袋は黄色い箱に入れる", "使用済みの手袋は黄色い箱に捨てる。手を洗う。") > support(
        "病院は東京にある", "使用済みの手袋は黄色い箱に捨てる。"
    )


def test_it_is_quick_enough_for_a_hundred_thousand() -> None:
    answer = "Before touching a patient, staff have to clean their hands. Injuries are reported to the officer."
    support(answer, SOURCE)
    began = time.perf_counter()
    for _ in range(200):
        support(answer, SOURCE)
    assert (time.perf_counter() - began) / 200 < 0.001
