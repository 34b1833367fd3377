"""The guides' own decisions, as a table: their tree, their matrix, their scenarios, their checklist."""

from dataclasses import replace

import pytest

from catalogue.families import load as load_models
from planning import recommending
from planning.rules import load


class Known:
    """A base model as catalogue.selectors shows it."""

    def __init__(self, spec, here=False):
        self.spec, self.here = spec, here


MODELS = [Known(spec, here=spec.key == "smollm2-135m-instruct") for spec in load_models().values()]


def recommend(**answers):
    given = {question: (value,) if isinstance(value, str) else tuple(value) for question, value in answers.items()}
    return recommending.recommend(given, models=MODELS)


CALM = {
    "change": "rarely",
    "citations": "no",
    "behaviour": "no",
    "learn_from": "some",
    "language": "ordinary",
    "hardware": "gpu_24",
}

TREE = {
    "information changes: RAG": ({"change": "often"}, ["rag"]),
    "style has to change: fine-tune": ({"behaviour": "format"}, ["lora"]),
    "reasoning has to change: fine-tune": ({"behaviour": "reasoning"}, ["lora"]),
    "citations: RAG": ({"citations": "yes"}, ["rag"]),
    "neither: either works, RAG is simpler": ({}, ["rag"]),
}
MATRIX = {
    "smaller model from a trained one: pruning": ({"learn_from": "trained"}, ["prune"]),
    "edge or constrained hardware: quantisation": (
        {"learn_from": "none", "hardware": "cpu", "limits": "small_device"},
        ["quantise"],
    ),
    "documents and time to train: RAG and LoRA": (
        {"learn_from": "many", "change": "sometimes", "citations": "yes", "hardware": "gpu_24"},
        ["rag", "lora"],
    ),
    "a powerful teacher: distillation": ({"learn_from": "teacher"}, ["distill"]),
    "accuracy first: RAG and LoRA": ({"limits": "accuracy"}, ["rag", "lora"]),
}
SCENARIOS = {
    "maximum compression": (
        {"limits": "smallest", "citations": "yes", "behaviour": "format"},
        ["rag", "lora", "prune", "quantise"],
    ),
    "knowledge transfer": ({"learn_from": "teacher", "behaviour": "format"}, ["distill", "lora"]),
    "fastest path, first step": ({"learn_from": "none", "citations": "yes", "change": "often"}, ["rag"]),
    "fastest path, with 1,000 examples": (
        {"learn_from": "many", "citations": "yes", "change": "sometimes", "hardware": "gpu_8"},
        ["rag", "lora", "quantise"],
    ),
    "legal assistant: hybrid": ({"behaviour": "reasoning", "citations": "yes", "change": "sometimes"}, ["rag", "lora"]),
}
CHECKLIST = {
    "right answers from internal documents: RAG first": (
        {"citations": "yes", "learn_from": "none", "change": "sometimes"},
        ["rag"],
    ),
    "consistent format: LoRA": ({"behaviour": "format", "hardware": "gpu_8"}, ["lora", "quantise"]),
    "consistent format on a small card: QLoRA": ({"behaviour": "format", "hardware": "gpu_4"}, ["qlora", "quantise"]),
    "jargon, a billion tokens and the cards: continued pre-training": (
        {"behaviour": "format", "language": "jargon_corpus", "hardware": "gpu_80"},
        ["cpt", "lora"],
    ),
    "jargon without the text: RAG and fine-tuning first": (
        {"behaviour": "format", "citations": "yes", "language": "jargon"},
        ["rag", "lora"],
    ),
    "privacy: the data stays in the index": ({"limits": "private"}, ["rag"]),
    "several domains: switch the index": ({"limits": "domains"}, ["rag"]),
    "low latency with pairs: no retrieval step": ({"limits": "fast", "behaviour": "format"}, ["lora"]),
    "RAFT: both at once, with many pairs": (
        {"citations": "yes", "behaviour": "reasoning", "learn_from": "many"},
        ["rag", "raft", "lora"],
    ),
}
CASES = {**TREE, **MATRIX, **SCENARIOS, **CHECKLIST}


@pytest.mark.parametrize(("answers", "expected"), CASES.values(), ids=CASES.keys())
def test_it_recommends_what_the_guides_recommend(answers, expected):
    assert list(recommend(**{**CALM, **answers}).keys) == expected


def test_little_money_leads_to_no_training():
    keys = recommend(**{**CALM, "learn_from": "none", "hardware": "cpu", "limits": "budget"}).keys
    assert "quantise" in keys and not {"lora", "qlora", "full", "cpt"} & set(keys)


WHY_NOT = {
    "Training from scratch": ({}, "20 tokens"),
    "LoRA": ({"change": "often"}, "out of date"),
    "Continued pre-training": ({"language": "jargon"}, "billion tokens"),
    "Full fine-tuning": ({"behaviour": "format"}, "eight to ten times"),
    "QLoRA": ({"behaviour": "format", "hardware": "cpu"}, "graphics card"),
    "Distillation": ({}, "knows your domain"),
}


@pytest.mark.parametrize(("name", "case"), WHY_NOT.items(), ids=WHY_NOT.keys())
def test_it_says_what_was_ruled_out_and_why(name, case):
    answers, words = case
    (why,) = [one.why for one in recommend(**{**CALM, **answers}).ruled_out if one.name == name]
    assert words in why


def test_too_few_pairs_are_a_caution_not_a_secret():
    (layer,) = [layer for layer in recommend(**{**CALM, "behaviour": "format", "learn_from": "few"}).layers if layer.key == "lora"]
    assert any("brittle" in text for text in layer.cautions)
    assert any("forget" in text for text in layer.cautions)


@pytest.mark.parametrize(
    ("answers", "first"),
    [
        ({"behaviour": "format", "hardware": "cpu"}, "smollm2-135m-instruct"),
        ({"limits": ["small_device"], "hardware": "gpu_8"}, "llama-3.2-3b-instruct"),
        ({"limits": ["stem"], "hardware": "gpu_80", "behaviour": "format"}, "phi-4"),
        ({"limits": ["languages"], "hardware": "gpu_8"}, "llama-3.2-3b-instruct"),
        ({"limits": ["smallest"], "hardware": "cpu"}, "smollm2-135m-instruct"),
        ({"hardware": "gpu_24"}, "gemma-2-9b-it"),
    ],
)
def test_the_first_model_fits_hardware_and_use(answers, first):
    assert recommend(**{**CALM, **answers}).base_key == first


def test_where_it_must_be_small_the_smaller_of_two_alike_comes_first():
    keys = [model.key for model in recommend(**{**CALM, "limits": ["smallest"], "hardware": "gpu_8"}).models]
    assert keys.index("smollm2-135m-instruct") < keys.index("llama-3.2-1b-instruct") < keys.index("llama-3.2-3b-instruct")
    assert keys.index("gemma-3-270m") < keys.index("gemma-2-2b-it")


def test_a_model_of_unknown_size_is_not_said_to_fit():
    unknown = replace(MODELS[0].spec, key="a-gguf-file", parameters=0, memory_fp16=0, memory_4bit=0)
    given = {question: (value,) for question, value in CALM.items()} | {"limits": ("smallest",)}
    assert "a-gguf-file" not in {model.key for model in recommending.recommend(given, models=[*MODELS, Known(unknown, here=True)]).models}


@pytest.mark.parametrize("hardware", ["cpu", "gpu_4", "gpu_8", "gpu_24", "gpu_80"])
@pytest.mark.parametrize("behaviour", ["no", "format"])
def test_no_model_is_said_to_fit_that_needs_more_than_there_is(hardware, behaviour):
    result = recommend(**{**CALM, "hardware": hardware, "behaviour": behaviour})
    assert any(model.fits for model in result.models)
    for model in result.models:
        assert model.fits is (model.needs <= model.available) or not model.fits
        assert model.reasons


def test_without_a_graphics_card_only_very_small_models_are_trained():
    result = recommend(**{**CALM, "behaviour": "format", "hardware": "cpu"})
    assert all(model.parameters < 400_000_000 for model in result.models if model.fits)
    assert any("days" in reason for model in result.models if not model.fits for reason in model.reasons)


def test_the_demo_plan_runs_from_training_to_the_quantised_file():
    result = recommend(change="sometimes", citations="yes", behaviour="format", learn_from="some", language="ordinary", hardware="cpu")
    assert result.title == "RAG + LoRA + Quantise"
    assert result.base_key == "smollm2-135m-instruct"
    stages = [step["stage"] for step in result.steps]
    assert stages.index("sft") < stages.index("merge") < stages.index("quantize")
    assert result.steps[-1]["params"] == {"level": "q4_k_m"}
    assert not result.not_yet


def test_steps_only_use_stages_and_parameters_that_exist():
    from engine import registry

    for answers, _ in CASES.values():
        for step in recommend(**{**CALM, **answers}).steps:
            registry.get(step["stage"]).params.model_validate(step["params"])


def test_on_a_small_card_the_model_is_trained_in_4_bits():
    from engine import registry

    result = recommend(**{**CALM, "behaviour": "reasoning", "hardware": "gpu_4"})
    trained = next(step for step in result.steps if step["stage"].startswith("sft"))
    settings = registry.get(trained["stage"]).params.model_validate(trained["params"])
    assert (trained["stage"], settings.bits, settings.rank) == ("sft_qlora", "nf4", 32)
    assert not result.not_yet


def test_a_recommended_step_without_its_stage_says_so():
    from engine import registry

    result = recommend(**{**CALM, "learn_from": "trained"})
    if "prune" not in {info.key for info in registry.all_stages()}:
        assert any("Pruning" in text and "not run" in text for text in result.not_yet)


def test_nothing_answered_still_recommends_the_simplest():
    assert recommend().keys == ("rag",)
    assert recommend().models == ()


def test_every_reason_shown_is_one_of_the_rules():
    known = {rule.reason for rule in load().rules}
    result = recommend(**{**CALM, "behaviour": "format", "citations": "yes"})
    assert set(result.reasons) <= known
