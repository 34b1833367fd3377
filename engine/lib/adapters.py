"""Adapters: attach, save, load."""

from pathlib import Path
from typing import Any

from engine.exits import InputError
from engine.lib.training.settings import LoraParams, VirtualTokenParams
from engine.lib.training.weights import Masters


def lora_config(model: Any, params: LoraParams) -> Any:
    """The PEFT configuration of a LoRA adapter for ``model``. Raises ``InputError`` when it has no such layers."""
    from peft import LoraConfig

    return LoraConfig(
        r=params.rank,
        lora_alpha=params.alpha,
        lora_dropout=params.dropout,
        target_modules="all-linear" if params.target == "all-linear" else attention_layers(model),
        use_rslora=params.rslora,
        use_dora=params.dora,
        bias="none",
        task_type="CAUSAL_LM",
    )


def attach_lora(model: Any, params: LoraParams) -> Any:
    """``model`` as a PEFT model with fresh LoRA weights, all else frozen. Raises ``InputError`` when it has no such layers."""
    adapted = attach(model, lora_config(model, params))
    for weight in adapted.parameters():
        if weight.requires_grad:  # on weights held in 4 or 8 bits PEFT makes them fp32, and would convert around every layer
            weight.data = weight.data.to(model.dtype)
    return adapted


def attach_ia3(model: Any) -> Any:
    """``model`` with factors for its keys, values and feed-forward layers (Liu et al. 2022, “(IA)³”), all 1 at first.

    Raises ``InputError`` for a family whose layers PEFT does not know.
    """
    from peft import IA3Config

    try:
        return attach(model, IA3Config(task_type="CAUSAL_LM"))
    except ValueError as error:
        raise InputError(
            "family",
            f"It is not known which layers of the family {model.config.model_type} IA3 belongs to.",
            where="model",
            mend="Choose another base model, or train with LoRA.",
        ) from error


def attach_prompt(model: Any, tokenizer: Any, params: VirtualTokenParams) -> Any:
    """``model`` that reads learnt vectors before each text (prompt tuning), which begin as those of ``params.begin_with``."""
    import torch
    from peft import PromptTuningConfig

    ids = _beginning(model, tokenizer, params)
    adapted = attach(model, PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=params.virtual_tokens))
    with torch.no_grad():
        adapted.prompt_encoder["default"].embedding.weight.copy_(model.get_input_embeddings()(ids)[0])
    return adapted


def attach_prefix(model: Any, tokenizer: Any, params: VirtualTokenParams) -> Any:
    """``model`` with learnt keys and values before each text in every layer (prefix tuning), at first those of ``params.begin_with``."""
    import torch
    from peft import PrefixTuningConfig, initialize_kv_prefix_from_past_key_values

    ids = _beginning(model, tokenizer, params)
    with torch.no_grad():
        read = model(input_ids=ids, use_cache=True).past_key_values
    adapted = attach(model, PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=params.virtual_tokens))
    initialize_kv_prefix_from_past_key_values(adapted, past_key_values=read)
    model.supports_gradient_checkpointing = False  # it drops what was read before, and with it the prefix
    return adapted


def _beginning(model: Any, tokenizer: Any, params: VirtualTokenParams) -> Any:
    """As many tokens of the text as there are virtual ones, over and over where it is shorter: 1 × their number."""
    import torch

    ids = tokenizer(params.begin_with, add_special_tokens=False)["input_ids"]
    repeated = ids * (params.virtual_tokens // len(ids) + 1)
    return torch.tensor([repeated[: params.virtual_tokens]], device=model.device)


def attach(model: Any, config: Any) -> Any:
    """``model`` as a PEFT model by ``config``, with nothing of this machine in it."""
    from peft import get_peft_model

    peft_model = get_peft_model(model, config, autocast_adapter_dtype=_in_fp32(config))
    peft_model.peft_config["default"].base_model_name_or_path = ""  # where the base lies on this machine is nobody else's business
    return peft_model


def _in_fp32(config: Any) -> bool:
    """Whether the adapter computes in fp32. IA3's factors stay so close to 1 that bf16 cannot tell them from it.

    LoRA in fp32 would convert every layer's input and output; see `training.weights.Masters` for what does it justice.
    """
    from peft import PeftType

    return bool(config.peft_type == PeftType.IA3)


def attention_layers(model: Any) -> list[str]:
    """Last names of the linear layers inside attention blocks (``q_proj`` …), whatever the family calls them."""
    import torch

    names = set()
    for path, module in model.named_modules():
        parts = path.split(".")
        is_linear = isinstance(module, torch.nn.Linear) or type(module).__name__ == "Conv1D"  # GPT-2's own linear layer
        if is_linear and len(parts) > 1 and "att" in parts[-2]:
            names.add(parts[-1])
    if not names:
        raise InputError("target", "No attention layers were found in this model.", mend="Choose all linear layers.")
    return sorted(names)


def save_adapter(model: Any, masters: Masters, folder: Path) -> None:
    """Write the adapter in PEFT's own form, from the fp32 copies."""
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    state = masters.whole()
    with torch.no_grad():
        model.save_pretrained(str(folder), state_dict=state, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)  # PEFT's model card template, empty


def load_adapter(model: Any, folder: Path) -> Any:
    """``model`` with the adapter of ``folder`` on it, ready to answer. Raises ``InputError`` when they do not belong together."""
    from peft import PeftConfig, PeftModel

    try:
        config = PeftConfig.from_pretrained(str(folder))
        config.inference_mode = True
        return PeftModel.from_pretrained(model, str(folder), config=config, autocast_adapter_dtype=_in_fp32(config)).eval()
    except (RuntimeError, ValueError, TypeError, KeyError, OSError) as error:
        raise InputError(
            "adapter_mismatch",
            f"The adapter does not fit this model: {str(error).splitlines()[0]}",
            where=str(folder),
            mend="Choose the base model that the adapter was trained on.",
        ) from error


def take_off(model: Any) -> Any:
    """The base model of ``model`` (a PEFT model), as it was before the adapter was put on; its weights are not copied."""
    return model.base_model if model.active_peft_config.is_prompt_learning else model.unload()
