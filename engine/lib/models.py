"""Language models in Hugging Face form: load, describe, save, ask. Nothing here reaches the network."""

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine import memory, probes, ranks
from engine.exits import InputError
from engine.lib import virtual_tokens

Message = dict[str, str]

# For models that come without a chat template (plain base models): headings, and the end-of-text token after each answer.
PLAIN_TEMPLATE = (
    "{% for message in messages %}{{ '### ' + message['role'].capitalize() + ':\n' + message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{{ '\n\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '### Assistant:\n' }}{% endif %}"
)


def prepare_libraries() -> None:
    """Keep the libraries offline, quiet and polite. Call before the first import of torch, transformers or llama_cpp in a stage."""
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")  # as nvidia-smi numbers them, and with it the studio's slots
    os.environ["HF_HUB_OFFLINE"] = "1"  # a stage never downloads; a missing file must fail at once instead of retrying
    # Threads that wait sleep instead of spinning (read when OpenMP is loaded). On two cores that something else also uses,
    # a spinning thread holds the core the other one waits for: short operations were 5 to 10 times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from transformers.utils import logging

    logging.disable_progress_bar()
    memory.keep_freed()


def pick_device() -> str:
    """Where models are put: "cuda" or "cpu". Of several processes that train together, each gets a GPU of its own."""
    import torch

    if not torch.cuda.is_available():
        return "cpu"
    if ranks.is_member():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    return "cuda"


def pick_dtype(precision: str = "auto") -> Any:
    """``bf16`` where GPU or processor multiply in it, else ``fp32``; or what ``precision`` names. Returns a torch dtype."""
    import torch

    from engine.lib.training import acceleration

    if precision == "auto":
        precision = acceleration.this_machine().precision
    return {"bf16": torch.bfloat16, "fp32": torch.float32}[precision]


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of an ``hf-model`` folder, with a padding token that the model knows. Raises ``InputError`` where it has no chat
    template.
    """
    from transformers import AutoConfig, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
        known = AutoConfig.from_pretrained(str(folder), local_files_only=True).get_text_config().vocab_size
    except (OSError, ValueError) as error:
        raise _unreadable(folder, error) from error
    if not tokenizer.chat_template:
        raise InputError(
            "chat_template",
            "The model has no chat template, so it is not known how questions and answers are marked for it.",
            where=str(folder),
            mend="Import the model again; the import gives it a plain template.",
        )
    # Some come without one, or with one that was added to the tokenizer alone. Which it is does not matter, for padding is never looked at
    if tokenizer.pad_token_id is None or tokenizer.pad_token_id >= known:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.convert_ids_to_tokens(0)
    return tokenizer


def load_model(folder: Path, *, dtype: Any = None, device: str | None = None, attention: str = "sdpa", low_bit: Any = None) -> Any:
    """The causal language model in ``folder`` (safetensors only), in evaluation mode on ``device``. Raises ``InputError``.

    ``low_bit``: the configuration by which transformers quantises its linear layers while it loads (`engine.lib.low_bit`).
    """
    from transformers import AutoModelForCausalLM

    device = device or pick_device()
    # quantised weights are made where they shall be: they cannot be moved afterwards
    placed = {"quantization_config": low_bit, "device_map": {"": device}} if low_bit is not None else {}
    try:
        model = AutoModelForCausalLM.from_pretrained(
            str(folder),
            dtype=dtype if dtype is not None else pick_dtype(),
            local_files_only=True,
            use_safetensors=True,  # never a pickle
            attn_implementation=attention,
            **placed,
        )
    except (OSError, ValueError) as error:
        raise _unreadable(folder, error) from error
    return (model if placed else model.to(device)).eval()


def load_gguf(path: Path) -> tuple[Any, Any]:
    """(model, tokenizer) of a GGUF file, its weights unpacked to bf16, free of any trace of the quantised form. Raises ``InputError``."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    try:
        tokenizer = AutoTokenizer.from_pretrained(str(path.parent), gguf_file=path.name, local_files_only=True)
        model = AutoModelForCausalLM.from_pretrained(
            str(path.parent),
            gguf_file=path.name,
            dtype=torch.bfloat16,
            # said outright: otherwise a machine with the `kernels` package keeps the weights packed and nothing can be saved
            quantization_config=GgufConfig(dequantize=True),
            local_files_only=True,
        )
    except (OSError, ValueError, KeyError, NotImplementedError) as error:
        raise _unreadable(path, error) from error
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.hf_quantizer, model.is_quantized = None, False
    return model.eval(), tokenizer


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(
        "model_unreadable",
        f"The model cannot be read: {str(error).splitlines()[0] if str(error) else type(error).__name__}",
        where=str(path),
        mend="Choose a GGUF file or a Hugging Face folder with safetensors of a supported family.",
    )


def save_model(model: Any, tokenizer: Any, folder: Path, weights: dict[str, Any] | None = None) -> None:
    """Write safetensors, configuration, tokenizer and chat template to ``folder``, with no path of this machine inside.

    ``weights`` are saved in place of the model's own, a tensor a name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model.config._name_or_path = ""
    model.save_pretrained(str(folder), state_dict=weights)
    if weights:
        model.config.dtype = next(iter(weights.values())).dtype  # it was written as the model's own
        model.config.save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))


def describe(model: Any, tokenizer: Any) -> dict[str, Any]:
    """What people and later stages want to know of a model."""
    config = model.config.get_text_config()
    return {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "layers": config.num_hidden_layers,
        "hidden": config.hidden_size,
        "heads": config.num_attention_heads,
        "kv_heads": getattr(config, "num_key_value_heads", None) or config.num_attention_heads,
        "vocabulary": config.vocab_size,
        "context_length": context_length(model),
        "family": model.config.model_type,
        "chat_template": bool(tokenizer.chat_template),
        "dtype": str(model.dtype).removeprefix("torch."),
    }


def context_length(model: Any) -> int:
    """The most tokens the model was made for."""
    return int(getattr(model.config.get_text_config(), "max_position_embeddings", None) or 2048)


def greedy(model: Any, tokenizer: Any, conversations: Sequence[Sequence[Message]], *, max_new_tokens: int) -> list[list[int]]:
    """The most likely answer to each conversation, as token ids without the end marker. One left-padded batch.

    Padding would stand between virtual tokens and the text and move them apart; with them each conversation is answered by itself.
    """
    import torch

    if len(conversations) > 1 and virtual_tokens.count(model):
        return [greedy(model, tokenizer, [one], max_new_tokens=max_new_tokens)[0] for one in conversations]
    prompts = [tokenizer.apply_chat_template(list(messages), add_generation_prompt=True, return_dict=False) for messages in conversations]
    longest = max(map(len, prompts))
    ids = torch.full((len(prompts), longest), tokenizer.pad_token_id)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, longest - len(prompt) :] = torch.tensor(prompt)
        mask[row, longest - len(prompt) :] = 1
    ends = end_tokens(model, tokenizer)
    was_training = model.training
    model.eval()
    with torch.inference_mode(), contiguous_head(model):
        output = model.generate(
            input_ids=ids.to(model.device),
            attention_mask=mask.to(model.device),
            max_new_tokens=max_new_tokens,
            do_sample=False,
            num_beams=1,
            temperature=None,
            top_p=None,
            top_k=None,
            eos_token_id=sorted(ends),
            pad_token_id=tokenizer.pad_token_id,
        )
    model.train(was_training)
    answers = []
    for row in output[:, longest:].tolist():
        stop = next((place for place, token in enumerate(row) if token in ends), len(row))
        answers.append(row[:stop])
    return answers


@contextmanager
def contiguous_head(model: Any) -> Iterator[None]:
    """Give the output head its hidden states in one piece.

    ``generate`` hands it the last position of each text, with gaps in between, and there torch multiplies text by text: with a frozen
    head, as under an adapter, it lays out a copy of the head's weights for each of them first. 32 texts took 1.8 GB with a model of 135M.
    """
    hook = model.get_output_embeddings().register_forward_pre_hook(lambda _, inputs: (inputs[0].contiguous(), *inputs[1:]))
    try:
        yield
    finally:
        hook.remove()


def end_tokens(model: Any, tokenizer: Any) -> set[int]:
    """Tokens that end an answer: the tokenizer's, and those the model's own settings name."""
    ends = {tokenizer.eos_token_id} if tokenizer.eos_token_id is not None else set()
    configured = model.generation_config.eos_token_id
    ends |= set(configured if isinstance(configured, list) else [configured] if configured is not None else [])
    return ends


def speak(model: Any, tokenizer: Any, question: str, *, max_new_tokens: int = 24) -> str:
    """The greedy answer to one question, as text."""
    answer = greedy(model, tokenizer, [[{"role": "user", "content": question}]], max_new_tokens=max_new_tokens)[0]
    return str(tokenizer.decode(answer, skip_special_tokens=True)).strip()


def resident_bytes() -> int:
    """Memory that this process holds: of the GPU where it computes on one, else of the machine."""
    import psutil
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.memory_reserved())
    return int(psutil.Process().memory_info().rss)


def utilisation(computed: float, seconds: float) -> float:
    """How busy the GPU is, in percent; NaN where its driver does not say. Where there is none, how busy the processor was: ``computed``
    seconds on all its cores together, in ``seconds`` by the clock.
    """
    import torch

    if torch.cuda.is_available():
        found = probes.gpu_utilisation(f"GPU-{torch.cuda.get_device_properties().uuid}")
        return math.nan if found is None else found
    return 100 * computed / (max(seconds, 1e-9) * probes.cores())
