"""LoRA adapters: attach, train with exact copies in fp32, save."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from engine.exits import InputError

Target = Literal["all-linear", "attention"]


def attach_lora(model: Any, *, rank: int, alpha: int, dropout: float, target: Target) -> Any:
    """``model`` as a PEFT model with fresh LoRA weights, all else frozen. Raises ``InputError`` when it has no such layers."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        lora_dropout=dropout,
        target_modules="all-linear" if target == "all-linear" else attention_layers(model),
        bias="none",
        task_type="CAUSAL_LM",
        base_model_name_or_path="",  # where the base lies on this machine is nobody else's business
    )
    # autocast_adapter_dtype would make the adapters fp32 and convert every layer's input and output; see Fp32Masters
    peft_model = get_peft_model(model, config, autocast_adapter_dtype=False)
    peft_model.peft_config["default"].base_model_name_or_path = ""
    return peft_model


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


class Fp32Masters:
    """Exact fp32 copies of the trained weights, which the optimiser moves; the bf16 ones inside the model follow.

    bf16 has 8 bits of precision: small steps of the optimiser would be rounded away if it worked on those weights.
    """

    def __init__(self, model: Any) -> None:
        import torch

        self._live = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self.weights = {name: torch.nn.Parameter(p.detach().float().clone()) for name, p in self._live.items()}

    def take_gradients(self) -> None:
        """Add the model's gradients to the masters' and clear the model's. After every backward pass."""
        for name, live in self._live.items():
            if live.grad is None:
                continue
            master = self.weights[name]
            grad = live.grad.float()
            master.grad = grad if master.grad is None else master.grad.add_(grad)
            live.grad = None

    def publish(self) -> None:
        """Copy the masters into the model. After every step of the optimiser."""
        import torch

        with torch.no_grad():
            for name, live in self._live.items():
                live.copy_(self.weights[name])

    def parameters(self) -> Iterable[Any]:
        return self.weights.values()


def save_adapter(model: Any, masters: Fp32Masters, folder: Path) -> None:
    """Write the adapter in PEFT's own form, from the fp32 copies."""
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    state = {name: weight.detach() for name, weight in masters.weights.items()}
    with torch.no_grad():
        model.save_pretrained(str(folder), state_dict=state, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)  # PEFT's model card template, empty


def load_adapter(model: Any, folder: Path) -> Any:
    """``model`` with the adapter of ``folder`` on it, ready to answer. Raises ``InputError`` when they do not belong together."""
    from peft import PeftModel

    try:
        # not the automatic fp32: its conversions around every layer make answering many times slower
        return PeftModel.from_pretrained(model, str(folder), is_trainable=False, autocast_adapter_dtype=False).eval()
    except (RuntimeError, ValueError, OSError) as error:
        raise InputError(
            "adapter_mismatch",
            f"The adapter does not fit this model: {str(error).splitlines()[0]}",
            where=str(folder),
            mend="Choose the base model that the adapter was trained on.",
        ) from error
