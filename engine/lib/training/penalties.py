"""Penalties that hold weights near where they began: L2-to-start, and elastic weight consolidation (EWC).

EWC weighs each weight's change by how much general knowledge hangs on it (Kirkpatrick et al. 2017, https://arxiv.org/abs/1612.00796);
L2-to-start weighs all alike (Li et al. 2018, L2-SP, https://arxiv.org/abs/1802.01483).
"""

from collections.abc import Callable, Sequence
from typing import Any

from engine.context import Context
from engine.exits import InputError, Stopped
from engine.lib.training import data, fisher
from engine.lib.training.settings import ForgettingParams
from engine.lib.training.weights import Masters

PERCENT = 0.01


def against_forgetting(ctx: Context, params: ForgettingParams, model: Any, masters: Masters, tokenizer: Any) -> Callable[[], float] | None:
    """What `loop.Job` takes as ``penalty``; None where the settings want none. Call before anything was trained or resumed.

    Raises ``InputError`` for a kind of adapter whose change of the weights is no product of two matrices, and where weights are sharded.
    """
    if params.hold == "none":
        return None
    if getattr(params, "shard", False):
        raise cannot_hold()
    held = held_weights(model, masters)
    importance: Sequence[Any] = [None] * len(held)
    if params.hold == "ewc":
        skip = int(getattr(params, "general_rows", 0))  # those are looked at: what is measured must not be what is held
        rows, what = data.general_rows(ctx, "train", params.fisher_rows, skip)
        texts = data.encode_general(rows, tokenizer)
        with ctx.phase("fisher", "Measuring which weights general knowledge hangs on"):
            ctx.log(f"It is measured on {len(texts)} {what}")

            def tell(done: int) -> None:
                ctx.progress(done, len(texts), "texts")
                if ctx.stop_requested:
                    raise Stopped()

            importance = fisher.diagonal(model, [part.base for part in held], texts, tokenizer.pad_token_id, tell)
    return Penalty(held, importance, params.hold_strength)


class Penalty:
    """λ/2 · Σ F·Δ² over the changes Δ of weights since the start, with F so scaled that it means the same for every model.

    ``held`` are the parts, ``importance`` the F of each (None: 1 everywhere), ``strength`` is the penalty, in nats, of a change of every
    weight by one percent: λ·F is scaled so that Δ = 0.01·W₀ costs that.
    """

    def __init__(self, held: Sequence["HeldWeight | HeldProduct"], importance: Sequence[Any], strength: float) -> None:
        self._held, self._importance = held, importance
        size = sum(float(weighted(part.base.detach().float().square(), f).sum()) for part, f in zip(held, importance, strict=True))
        self._scale = 2 * strength / (PERCENT**2 * size) if size else 0.0

    def __call__(self) -> float:
        """Add the penalty's gradient to the masters' and return its value in nats."""
        import torch

        with torch.no_grad():
            values = []
            for part, f in zip(self._held, self._importance, strict=True):
                change = part.change()
                gradient = weighted(change * self._scale, f)
                values.append((gradient * change).sum() / 2)
                part.add(gradient)
            return float(torch.stack(values).sum())


def weighted(values: Any, importance: Any | None) -> Any:
    """``values``, each times its importance, in place."""
    return values if importance is None else values.mul_(importance)


class HeldWeight:
    """A weight that is trained itself. ``base`` is the model's own, ``start`` a copy of it as it was."""

    def __init__(self, base: Any, master: Any) -> None:
        self.base, self._master, self._start = base, master, base.detach().clone()

    def change(self) -> Any:
        return self._master.detach() - self._start

    def add(self, gradient: Any) -> None:
        add_gradient(self._master, gradient)


class HeldProduct:
    """A frozen weight whose change is ``scaling`` · B · A, as LoRA learns it. ``turned``: the weight is stored transposed."""

    def __init__(self, base: Any, a: Any, b: Any, scaling: float, turned: bool) -> None:
        self.base, self._a, self._b, self._scaling, self._turned = base, a, b, scaling, turned

    def change(self) -> Any:
        change = self._scaling * (self._b.detach() @ self._a.detach())
        return change.T if self._turned else change

    def add(self, gradient: Any) -> None:
        gradient = self._scaling * (gradient.T if self._turned else gradient)
        add_gradient(self._a, self._b.detach().T @ gradient)
        add_gradient(self._b, gradient @ self._a.detach().T)


def add_gradient(master: Any, gradient: Any) -> None:
    master.grad = gradient if master.grad is None else master.grad.add_(gradient)


def held_weights(model: Any, masters: Masters) -> list[HeldWeight | HeldProduct]:
    """The parts of ``model`` that are trained. Raises ``InputError`` for adapters that change weights in another way than LoRA does."""
    if not hasattr(model, "peft_config"):
        live = dict(model.named_parameters())
        return [HeldWeight(live[name], master) for name, master in masters.weights.items()]
    from peft.tuners.lora import LoraLayer

    found: list[HeldWeight | HeldProduct] = []
    for path, layer in model.named_modules():
        if not isinstance(layer, LoraLayer):
            continue
        base = layer.get_base_layer().weight
        a, b = (masters.weights.get(f"{path}.{part}.default.weight") for part in ("lora_A", "lora_B"))
        if layer.lora_variant or a is None or b is None or not base.is_floating_point():
            raise cannot_hold()
        found.append(HeldProduct(base, a, b, layer.scaling["default"], bool(getattr(layer, "fan_in_fan_out", False))))
    if not found:
        raise cannot_hold()
    return found


def cannot_hold() -> InputError:
    return InputError(
        "hold",
        "Weights can be held near their start in full fine-tuning and with plain LoRA alone, on a model that is neither packed nor split.",
        where="hold",
        mend="Switch off DoRA, the packed form or the splitting of the model; or hold nothing and mix general data into the dataset "
        "version instead.",
    )
