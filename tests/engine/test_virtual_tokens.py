"""Hidden states and answers under virtual tokens are those of PEFT's own forward pass; what was saved comes back."""

from pathlib import Path
from typing import Any

import pytest

from engine.exits import InputError
from engine.lib import adapters, batches, chat_rows, models, scoring, virtual_tokens
from engine.lib.training.settings import LoraParams, VirtualTokenParams
from engine.lib.training.weights import Masters

ATTACH = {"prompt": adapters.attach_prompt, "prefix": adapters.attach_prefix}
QUESTIONS = [[{"role": "user", "content": text}] for text in ("What is a list?", "Why does an assignment to a slice of it change it?")]


@pytest.fixture(params=sorted(ATTACH))
def method(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def soft(base_model: Path, method: str, **settings: Any) -> tuple[Any, Any]:
    """(model, tokenizer), its virtual tokens a little off where they begin."""
    import torch

    torch.manual_seed(0)
    tokenizer = models.load_tokenizer(base_model)
    model = models.load_model(base_model, dtype=torch.float32)
    model = ATTACH[method](model, tokenizer, VirtualTokenParams(**{"virtual_tokens": 7} | settings)).eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight += 0.1 * weight.std() * torch.randn_like(weight)
    return model, tokenizer


def test_loss_and_gradient_are_those_of_pefts_own_forward_pass(base_model: Path, topics: Path, method: str) -> None:
    import torch

    model, tokenizer = soft(base_model, method)
    (learnt,) = [weight for weight in model.parameters() if weight.requires_grad]
    rows, _ = chat_rows.encode(chat_rows.read_split(topics, "test"), tokenizer, 512)
    batch = batches.collate(rows[:2], tokenizer.pad_token_id)
    ours = scoring.backward_on_answers(model, batch, 1 / len(batch.targets)) / len(batch.targets)
    gradient = learnt.grad.clone()

    model.zero_grad()
    labels, mask = torch.full_like(batch.ids, -100), torch.zeros_like(batch.ids)
    for number, row in enumerate(rows[:2]):
        mask[number, : len(row.ids)] = 1
        labels[number, : len(row.ids)] = torch.tensor([t if a else -100 for t, a in zip(row.ids, row.answer, strict=True)])
    theirs = model(input_ids=batch.ids, attention_mask=mask, labels=labels).loss
    theirs.backward()
    assert ours == pytest.approx(theirs.item(), rel=1e-4)
    torch.testing.assert_close(gradient, learnt.grad, rtol=1e-3, atol=1e-5)
    scored = scoring.row_losses(model, rows[:2], tokenizer.pad_token_id)
    assert scored is not None and scoring.mean_loss(scored) == pytest.approx(ours, rel=1e-4)
    with model.disable_adapter():
        assert virtual_tokens.count(model) == 0
        without = scoring.row_losses(model, rows[:2], tokenizer.pad_token_id)
    assert without is not None and abs(scoring.mean_loss(without) - ours) > 1e-3


def test_answers_are_the_likeliest_tokens_one_after_the_other(base_model: Path, method: str) -> None:
    import torch

    model, tokenizer = soft(base_model, method)
    together = models.greedy(model, tokenizer, QUESTIONS, max_new_tokens=6)
    for question, said in zip(QUESTIONS, together, strict=True):
        ids = list(tokenizer.apply_chat_template(question, add_generation_prompt=True, return_dict=False))
        for token in said:
            with torch.no_grad():
                hidden = scoring.hidden_states(model, torch.tensor([ids]))[-1:]
                assert int(scoring.logits(model, hidden).argmax()) == token
            ids.append(token)


def test_what_was_saved_comes_back(base_model: Path, method: str, tmp_path: Path) -> None:
    import torch

    model, tokenizer = soft(base_model, method)
    ids = torch.tensor([list(tokenizer.apply_chat_template(QUESTIONS[0], return_dict=False))])
    adapters.save_adapter(model, Masters(model), tmp_path / "adapter")
    assert {file.name for file in (tmp_path / "adapter").iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}
    assert str(base_model) not in (tmp_path / "adapter" / "adapter_config.json").read_text()
    again = adapters.load_adapter(models.load_model(base_model, dtype=torch.float32), tmp_path / "adapter")
    with torch.inference_mode():
        torch.testing.assert_close(scoring.hidden_states(again, ids), scoring.hidden_states(model, ids), rtol=1e-4, atol=1e-4)
    base = adapters.take_off(again)
    assert virtual_tokens.count(base) == 0


def test_virtual_tokens_begin_as_a_text_and_cost_little_then(base_model: Path, topics: Path, method: str) -> None:
    import torch

    tokenizer = models.load_tokenizer(base_model)
    model = models.load_model(base_model, dtype=torch.float32)
    rows, _ = chat_rows.encode(chat_rows.read_split(topics, "test"), tokenizer, 512)
    plain = scoring.row_losses(model, rows[:3], tokenizer.pad_token_id)
    begun = ATTACH[method](model, tokenizer, VirtualTokenParams(virtual_tokens=30)).eval()
    with_text = scoring.row_losses(begun, rows[:3], tokenizer.pad_token_id)
    assert plain and with_text
    assert abs(scoring.mean_loss(with_text) - scoring.mean_loss(plain)) < 0.3  # random ones cost several nats


def test_an_adapter_comes_off_and_leaves_the_base_as_it_was(base_model: Path) -> None:
    import torch

    model = models.load_model(base_model, dtype=torch.float32)
    ids = torch.arange(10, 30)[None]
    with torch.inference_mode():
        before = model(input_ids=ids).logits
        for put_on in (lambda one: adapters.attach_lora(one, LoraParams()), adapters.attach_ia3):
            adapted = put_on(model)
            assert any("lora_" in name or "ia3_" in name for name, _ in adapted.named_parameters())
            model = adapters.take_off(adapted)
            assert not any("lora_" in name or "ia3_" in name for name, _ in model.named_parameters())
            assert torch.equal(model(input_ids=ids).logits, before)


def test_a_family_that_ia3_does_not_know_is_refused() -> None:
    from transformers import OlmoConfig, OlmoForCausalLM

    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 40}
    with pytest.raises(InputError, match="olmo") as raised:
        adapters.attach_ia3(OlmoForCausalLM(OlmoConfig(**sizes, pad_token_id=0)))
    assert raised.value.code == "family"
