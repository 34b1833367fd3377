"""Continued pre-training reads whole documents, learns their language, and says when there is too little of it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from engine import manifest
from engine.lib import batches, chat_rows
from engine.lib.training import pretraining, texts
from tests.engine.stage_running import Outcome
from tests.engine.teaching import chunks_of

FEW = {"max_steps": 4, "batch_size": 2, "max_length": 192, "eval_rows": 4, "general_rows": 2, "warmup_ratio": 0.0, "eval_every": 2}


@pytest.fixture(scope="module")
def exact(base_model: Path, reference: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """A few steps in fp32, from which the vocabulary is left out."""
    from engine.spec import Spec
    from tests.engine.stage_running import run_stage

    params = FEW | {"precision": "fp32", "vocabulary_rate": 0, "learning_rate": 1e-4, "schedule": "constant", "keep": "last"}
    spec = Spec(stage="pretrain", params=params, inputs={"model": str(base_model), "chunks": str(reference)}, seed=5)
    return run_stage(tmp_path_factory.mktemp("exact") / "run", spec)


def test_it_learns_the_documents_language_and_hands_over_a_whole_model(exact: Outcome) -> None:
    evals = exact.metric("eval_loss")
    assert sorted(evals) == [0, 2, 4] and evals[4] < evals[0]
    assert sorted(exact.metric("general_loss")) == [0, 2, 4]
    (made,) = exact.of("artifact")
    record = manifest.verify(exact.output("model"))
    assert (made["role"], made["kind"]) == ("model", "hf-model")
    assert {"model.safetensors", "config.json", "tokenizer.json", "chat_template.jinja"} <= set(record.files)
    facts = record.facts
    assert (facts["method"], facts["dtype"], facts["name"], facts["steps"]) == ("pretrain", "bfloat16", "SmolLM2-135M-Instruct", 4)
    assert facts["blocks"] == exact.of("finished")[0]["summary"]["blocks"] > 50 and "pairs" not in facts
    config = json.loads((exact.output("model") / "config.json").read_text())
    assert not config.get("_name_or_path")


def test_its_losses_are_the_librarys_own_causal_loss(exact: Outcome, base_model: Path, reference: Path) -> None:
    """The first batch, as transformers itself scores blocks that carry loss on every token."""
    import torch

    from engine.lib import models

    tokenizer = models.load_tokenizer(base_model)
    learnt, _ = texts.split(texts.read_documents(reference), 0.1)
    blocks = texts.pack(learnt, tokenizer, FEW["max_length"], "train", seed=5)
    first = batches.shuffled([len(block.ids) for block in blocks], 2, 5, 0)[0]
    ids = torch.tensor([blocks[number].ids for number in first])
    with torch.inference_mode():
        theirs = models.load_model(base_model, dtype=torch.float32)(input_ids=ids, labels=ids).loss.item()
    assert exact.metric("train_loss")[1] == pytest.approx(theirs, abs=1e-3)


def test_a_vocabulary_with_no_learning_rate_stays_as_it_was(exact: Outcome, base_model: Path) -> None:
    from safetensors.torch import load_file

    before, after = (load_file(str(folder / "model.safetensors")) for folder in (base_model, exact.output("model")))
    name = "model.embed_tokens.weight"
    assert bool((before[name] == after[name]).all())
    assert not bool((before["model.layers.0.mlp.up_proj.weight"] == after["model.layers.0.mlp.up_proj.weight"]).all())


def test_it_says_what_is_packed_and_that_the_guides_advise_far_more(exact: Outcome) -> None:
    (packed,) = [data["message"] for data in exact.of("log") if "blocks of 192" in data["message"]]
    assert "<|endoftext|> after each document" in packed and "held out" in packed
    (warning,) = [warning for warning in exact.of("warning") if warning["code"] == "little_text"]
    assert "far less than the billion" in warning["message"] and warning["mend"]


def test_the_vocabulary_learns_at_a_share_of_the_rate() -> None:
    """One step of AdamW moves each weight by about its learning rate, whatever the gradient."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from engine.lib.training.weights import Masters

    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 50}
    for tied in (True, False):
        model = LlamaForCausalLM(LlamaConfig(**sizes, tie_word_embeddings=tied))
        masters = Masters(model)
        before = {name: weight.detach().clone() for name, weight in masters.weights.items()}
        groups = pretraining.two_rates(model, masters, 0.1)
        optimizer = torch.optim.AdamW(groups, lr=1e-3, weight_decay=0.0)
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * group["scale"]
        ids = torch.arange(50)[None]
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        moved = {name: (masters.weights[name] - before[name]).abs().median().item() for name in before}
        slow = set(pretraining.vocabulary(model))
        assert slow == {"model.embed_tokens.weight"} if tied else {"model.embed_tokens.weight", "lm_head.weight"}
        for name, far in moved.items():
            assert far == pytest.approx(1e-4 if name in slow else 1e-3, rel=0.1), name


def test_only_the_documents_of_the_pairs_are_read_when_asked_for(
    engine_run: Callable[..., Outcome], tiny_student: Path, tmp_path: Path
) -> None:
    from pydoc_data.topics import topics

    chunks = chunks_of(tmp_path / "chunks", {"cited": topics["assignment"], "other": topics["import"]})
    dataset = tmp_path / "dataset"
    dataset.mkdir()
    row = {"id": "1", "messages": [], "sources": [{"document": "d", "version": "cited", "start": 0, "end": 5}]}
    (dataset / "train.jsonl").write_text(json.dumps(row) + "\n")
    manifest.write(dataset, "dataset")
    params = FEW | {"documents": "of_the_pairs", "max_steps": 1, "general_rows": 0}
    outcome = engine_run("pretrain", params, {"model": tiny_student, "chunks": chunks, "dataset": dataset})
    assert any(data["message"].startswith("1 documents,") for data in outcome.of("log"))
    assert [warning["code"] for warning in outcome.of("warning")] == ["no_validation"]  # one document cannot be split


def test_next_to_no_text_is_refused(engine_run: Callable[..., Outcome], tiny_student: Path, tmp_path: Path) -> None:
    chunks = chunks_of(tmp_path / "chunks", {"a": "A list is a mutable sequence.", "b": "A tuple is not."})
    outcome = engine_run("pretrain", FEW, {"model": tiny_student, "chunks": chunks}, expect=20)
    (error,) = outcome.of("error")
    assert error["code"] == "too_little_text" and "at least 2,000 tokens" in error["message"] and error["mend"] == "Add documents."


def test_blocks_longer_than_the_model_reads_are_refused(engine_run: Callable[..., Outcome], tiny_student: Path, tmp_path: Path) -> None:
    from pydoc_data.topics import topics

    chunks = chunks_of(tmp_path / "chunks", {name: topics[name] for name in ("class", "specialnames", "import", "function")})
    outcome = engine_run("pretrain", FEW | {"max_length": 4096}, {"model": tiny_student, "chunks": chunks}, expect=20)
    assert outcome.of("error")[0]["code"] == "context"


def test_a_block_is_a_row_of_which_all_but_the_first_token_count() -> None:
    import numpy as np

    block = texts.Blocks(np.arange(10, dtype=np.int32), 6, "train")[0]
    assert isinstance(block, chat_rows.Encoded) and block.answer_tokens == 5
    assert batches.collate([block], 0).targets.tolist() == [1, 2, 3, 4, 5]
