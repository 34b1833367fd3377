"""Models and adapters through transformers: a tiny random model is enough to see that they are served as they are."""

from typing import Any

import httpx
import pytest

from engine.grants import Servable
from tests.engine.serving import EMBEDDER, Serving

TEMPLATE = "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\n' }}{% endfor %}assistant:"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Servable]:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models")
    tokenizer = AutoTokenizer.from_pretrained(EMBEDDER.path)
    tokenizer.chat_template = TEMPLATE
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=256, eos_token_id=102, **sizes)
    model = LlamaForCausalLM(config)
    for place in ("base", "plain"):
        model.save_pretrained(folder / place)
    tokenizer.save_pretrained(folder / "base")
    tokenizer.chat_template = None
    tokenizer.save_pretrained(folder / "plain")
    adapted: Any = get_peft_model(model, LoraConfig(target_modules="all-linear", init_lora_weights=False))
    adapted.save_pretrained(folder / "adapter")
    return {
        "base": Servable(kind="hf-model", path=str(folder / "base")),
        "plain": Servable(kind="hf-model", path=str(folder / "plain")),
        "adapter": Servable(kind="adapter", path=str(folder / "adapter"), base=str(folder / "base")),
    }


def ask(server: Serving, models: dict[str, Servable], model: str, **options: Any) -> httpx.Response:
    messages = [{"role": "user", "content": "Hello there."}]
    body = {"model": model, "messages": messages, "temperature": 0, "max_tokens": 12}
    return server.post("/chat/completions", body | options, token=server.grant(**models))


def said(answer: httpx.Response) -> str:
    return answer.json()["choices"][0]["message"]["content"]


def test_a_model_and_an_adapter_on_it_answer_each_in_its_own_way(server: Serving, models: dict[str, Servable]) -> None:
    base, adapter = ask(server, models, "base"), ask(server, models, "adapter")
    assert base.json()["usage"]["completion_tokens"] == 12
    assert said(base) != said(adapter)
    assert said(base) == said(ask(server, models, "base"))


def test_a_seed_decides_what_is_drawn(server: Serving, models: dict[str, Servable]) -> None:
    drawn = [said(ask(server, models, "base", temperature=1.0, top_p=0.9, seed=seed)) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_model_without_a_chat_template_only_continues_texts(server: Serving, models: dict[str, Servable]) -> None:
    assert ask(server, models, "plain").json()["error"]["code"] == "no_chat_template"
    body = {"model": "plain", "prompt": "Hello", "max_tokens": 3}
    answer = server.post("/completions", body, token=server.grant(**models))
    assert answer.json()["usage"]["completion_tokens"] == 3


def test_the_context_is_the_models_own(server: Serving, models: dict[str, Servable]) -> None:
    error = ask(server, models, "base", messages=[{"role": "user", "content": "fox " * 300}]).json()["error"]
    assert error["code"] == "context_length_exceeded"
    assert "256" in error["message"]
