"""Models and adapters through transformers: a tiny random model is enough to see that they are served as they are."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine.grants import Servable
from engine.serve.errors import ApiError
from engine.serve.requests import Message
from engine.serve.shelf import Shelf
from engine.serve.writing import Sampling
from tests.engine.serving import EMBEDDER, Serving

TEMPLATE = "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\n' }}{% endfor %}assistant:"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Servable]:
    import torch
    from peft import LoraConfig, PrefixTuningConfig, PromptTuningConfig, get_peft_model
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
    lora: dict[str, Any] = {"target_modules": "all-linear", "init_lora_weights": False, "task_type": "CAUSAL_LM"}
    soft: dict[str, Any] = {"num_virtual_tokens": 5, "task_type": "CAUSAL_LM"}
    made = {
        "adapter": LoraConfig(**lora), "second": LoraConfig(r=4, **lora), "prompt": PromptTuningConfig(**soft),
        "prefix": PrefixTuningConfig(**soft),
    }  # fmt: skip
    for place, settings in made.items():
        adapted: Any = get_peft_model(model, settings)
        adapted.save_pretrained(folder / place)
        model = adapted.base_model if settings.is_prompt_learning else adapted.unload()
    base = str(folder / "base")
    kinds = {"adapter": "adapter", "second": "adapter", "prompt": "soft-prompt", "prefix": "soft-prompt"}
    return {
        "base": Servable(kind="hf-model", path=base),
        "plain": Servable(kind="hf-model", path=str(folder / "plain")),
        **{place: Servable(kind=kind, path=str(folder / place), base=base) for place, kind in kinds.items()},
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


async def answered(shelf: Shelf, servable: Servable) -> str:
    """The greedy answer of 12 tokens, through the shelf as the server goes."""
    pieces: list[str] = []
    async with shelf.borrow(servable) as model:
        tokens = model.chat_tokens([Message(role="user", content="Hello there.")])
        model.generate(tokens, Sampling(0.0, 1.0, None), 12, lambda piece: pieces.append(piece) is None, lambda: False)
    return "".join(pieces)


def test_adapters_and_soft_prompts_share_their_bases_weights_and_answer_each_in_its_own_way(
    models: dict[str, Servable], monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import AutoModelForCausalLM

    loaded: list[Path] = []
    real = AutoModelForCausalLM.from_pretrained
    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", lambda place, **rest: (loaded.append(place), real(place, **rest))[1])
    names = ["adapter", "second", "base", "prompt", "adapter", "prefix", "second", "prompt", "base", "prefix"]

    async def go() -> list[str]:
        shelf = Shelf(1 << 40)
        said = [await answered(shelf, models[name]) for name in names]
        assert shelf.facts()["loaded_models"] == 1
        together = await asyncio.gather(*(answered(shelf, models[name]) for name in names))  # they take turns
        assert together == said
        return said

    said = asyncio.run(go())
    assert [str(place) for place in loaded] == [models["base"].path]
    by_name = {name: {text for other, text in zip(names, said, strict=True) if other == name} for name in names}
    assert all(len(texts) == 1 for texts in by_name.values())
    assert len(set(said)) == len(by_name)


def test_the_room_for_a_text_is_less_by_its_virtual_tokens(models: dict[str, Servable]) -> None:
    async def room(name: str) -> int:
        async with Shelf(1 << 40).borrow(models[name]) as model:
            return int(model.context)

    assert [asyncio.run(room(name)) for name in ("base", "adapter", "prompt", "prefix")] == [256, 256, 251, 251]


def test_an_adapter_that_cannot_be_loaded_leaves_its_base_to_others(models: dict[str, Servable], tmp_path: Path) -> None:
    import shutil

    from safetensors.torch import load_file, save_file

    broken = shutil.copytree(models["adapter"].path, tmp_path / "broken")
    weights = load_file(str(broken / "adapter_model.safetensors"))
    save_file({name: weight[:1, :1].contiguous() for name, weight in weights.items()}, str(broken / "adapter_model.safetensors"))
    empty = tmp_path / "empty"
    empty.mkdir()

    async def go() -> None:
        shelf = Shelf(1 << 40)
        first = await answered(shelf, models["base"])
        for folder in (broken, empty):
            with pytest.raises(ApiError) as raised:
                await answered(shelf, Servable(kind="adapter", path=str(folder), base=models["base"].path))
            assert raised.value.code == "model_files"
            assert await answered(shelf, models["base"]) == first
        with pytest.raises(ApiError) as raised:
            await answered(shelf, Servable(kind="adapter", path="/nowhere", base=models["base"].path))
        assert raised.value.code == "model_missing"

    asyncio.run(go())
