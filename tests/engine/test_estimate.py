"""Estimates agree with what was measured, and grow with what makes a training larger."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from engine.estimate import LORA, Needs, Work, eval_every, lora_parameters, place_seconds, places, speed, steps_of, training
from engine.lib.training.distilling import DistillParams
from engine.lib.training.rewarded import RewardedParams
from engine.stages.sft import Params

SMALL = 134_515_008  # SmolLM2-135M


def needs(parameters: int = SMALL, **changes: Any) -> Needs:
    """Of a training on 400 pairs of 100 tokens each on two cores; ``changes`` are settings of the stage, or arguments."""
    facts = {"pairs": 400, "validation": 40, "tokens": 40_000, "longest": 200, "tokens_per_second": 350.0, "bf16": True, "work": LORA}
    arguments = facts | {name: changes.pop(name) for name in facts if name in changes}
    return training(Params(**changes), parameters=parameters, **arguments)


@pytest.mark.parametrize(
    ("settings", "one_pass", "whole"),
    [
        ({}, 33, 33),
        ({"epochs": 2}, 33, 66),
        ({"epochs": 0.5}, 33, 16),
        ({"epochs": 0.001}, 33, 1),
        ({"gradient_accumulation": 4}, 9, 9),
        ({"epochs": 2, "max_steps": 40}, 33, 40),
        ({"max_steps": 40}, 33, 33),
    ],
)
def test_steps_are_counted_in_whole_batches(settings: dict[str, Any], one_pass: int, whole: int) -> None:
    assert steps_of(260, Params(**settings)) == (one_pass, whole)


def test_questions_that_do_not_fill_a_batch_are_not_counted() -> None:
    assert steps_of(11, RewardedParams(batch_size=4, gradient_accumulation=1)) == (2, 2)
    assert steps_of(11, RewardedParams(batch_size=4, gradient_accumulation=2, epochs=3)) == (1, 3)


def test_without_pairs_there_are_no_steps_and_no_tokens() -> None:
    found = needs(pairs=0, validation=0, tokens=0, longest=0)
    assert (found.steps, found.tokens) == (0, 0)


def test_it_looks_at_the_validation_pairs_about_four_times_unless_told() -> None:
    assert eval_every(400, Params()) == 100
    assert eval_every(2, Params()) == 1
    assert eval_every(400, Params(eval_every=7)) == 7


def test_all_tokens_of_every_pass_are_read() -> None:
    assert needs(epochs=3).tokens == 120_000
    assert needs(epochs=3, max_steps=50).tokens == 40_000


@pytest.mark.parametrize(
    ("settings", "measured"),
    [
        ({"batch_size": 1}, 1.34e9),
        ({"batch_size": 8}, 3.47e9),
        ({"batch_size": 8, "gradient_checkpointing": True}, 1.64e9),
    ],
)
def test_memory_is_what_was_measured_with_pairs_of_275_tokens(settings: dict[str, Any], measured: float) -> None:
    assert needs(longest=275, **settings).memory == pytest.approx(measured, rel=0.1)


def test_speed_is_what_was_measured_on_two_cores() -> None:
    assert speed(SMALL, cores=2) == pytest.approx(350, rel=0.15)


@pytest.mark.parametrize(
    ("parameters", "rank", "weights"),
    [(SMALL, 16, 4_884_480), (1_100_048_384, 16, 12_615_680), (6_738_415_616, 16, 39_976_960)],  # SmolLM2, TinyLlama, Llama 2 7B
)
def test_adapters_have_about_as_many_weights_as_real_ones(parameters: int, rank: int, weights: int) -> None:
    assert lora_parameters(parameters, rank) == pytest.approx(weights, rel=0.2)


LARGER: list[Callable[[], tuple[Needs, Needs]]] = [
    lambda: (needs(), needs(parameters=10 * SMALL, tokens_per_second=35.0)),
    lambda: (needs(batch_size=2), needs(batch_size=16)),
    lambda: (needs(gradient_checkpointing=True), needs()),
    lambda: (needs(longest=100), needs(longest=1000)),
    lambda: (needs(rank=8), needs(rank=256)),
    lambda: (needs(), needs(bf16=False)),
    lambda: (needs(work=Work(bits=4)), needs(work=Work(bits=8))),
    lambda: (needs(work=Work(bits=8)), needs()),
    lambda: (needs(), needs(work=Work(answers=2, reference=True))),
    lambda: (needs(), needs(work=Work(teacher=10 * SMALL))),
    lambda: (needs(), needs(work=Work(everything=True))),
    lambda: (needs(optimizer="adamw_8bit"), needs()),
]


@pytest.mark.parametrize("pair", LARGER)
def test_what_is_larger_needs_more_memory(pair: Callable[[], tuple[Needs, Needs]]) -> None:
    small, large = pair()
    assert small.memory < large.memory
    assert small.disk <= large.disk


def test_texts_are_cut_at_the_longest_that_is_allowed() -> None:
    assert needs(longest=100_000, max_length=512) == needs(longest=512, max_length=512)


def test_time_is_reading_the_pairs_and_looking_at_the_validation_pairs() -> None:
    alone, looking = needs(validation=0), needs(validation=40)
    assert alone.seconds == pytest.approx(25 + 40_000 / 350)
    assert looking.seconds - alone.seconds == pytest.approx(5 * 40 * 100 / 2 / 350, rel=0.3)  # forward alone is half the work
    assert needs(validation=1000, eval_rows=40).seconds == looking.seconds


def test_answers_that_the_model_writes_are_counted_token_after_token() -> None:
    facts: dict[str, Any] = {"steps": 10, "looks": 5, "validation": 40, "work": Work(answers=4)}
    rewarded = RewardedParams(batch_size=4, gradient_accumulation=2, max_new_tokens=100, eval_rows=20)
    assert places(rewarded, **facts) == 100 * (10 * 2 + 5 * 2)  # twenty answers to validation questions are more than 16 at once
    assert places(DistillParams(on_policy=0.5, own_tokens=20), **facts) == 10 * 0.5 * 20
    assert places(Params(), **facts) == places(DistillParams(), **facts) == 0


@pytest.mark.parametrize(("answers", "measured"), [(4, 0.051), (8, 0.065), (16, 0.096), (32, 0.161)])
def test_writing_takes_what_was_measured_on_two_cores(answers: int, measured: float) -> None:
    assert place_seconds(SMALL, answers, cores=2) == pytest.approx(measured, rel=0.15)
    assert place_seconds(SMALL, answers, cores=2, gpus=1) < measured


def test_what_computes_slower_takes_longer() -> None:
    fast = speed(SMALL, cores=2)
    assert speed(SMALL, cores=4) == pytest.approx(2 * fast)
    assert speed(SMALL, cores=2, bf16=False) < fast / 2
    assert speed(SMALL, cores=2, recomputing=True) == pytest.approx(fast / 1.33)
    assert speed(SMALL, cores=2, gpus=1) > 50 * fast
    assert math.isfinite(speed(0, cores=0))


def test_training_everything_holds_each_weight_and_what_the_optimiser_keeps_of_it() -> None:
    more = needs(work=Work(everything=True)).memory - needs().memory
    assert more == pytest.approx(16 * SMALL, rel=0.1)  # fp32 copy, gradient, two moments
    assert needs(work=Work(everything=True)).disk - needs().disk == pytest.approx(40 * SMALL, rel=0.1)


def test_in_8_bits_what_the_optimiser_remembers_takes_a_quarter() -> None:
    everything = Work(everything=True)
    assert needs(work=everything).memory - needs(work=everything, optimizer="adamw_8bit").memory == pytest.approx(6 * SMALL, rel=0.01)


def test_every_method_takes_the_time_of_its_arithmetic() -> None:
    lora = speed(SMALL, cores=2)
    assert speed(SMALL, cores=2, work=Work(everything=True)) == pytest.approx(lora * 4 / 6)
    assert speed(SMALL, cores=2, work=Work(reference=True)) == pytest.approx(lora * 4 / 6)
    assert speed(SMALL, cores=2, work=Work(teacher=3 * SMALL)) == pytest.approx(lora * 4 / 10)
    assert speed(SMALL, cores=2, work=Work(bits=4)) < lora
    assert needs(work=Work(answers=2)).tokens == 2 * needs().tokens
