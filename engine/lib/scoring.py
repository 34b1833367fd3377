"""Loss on answer tokens only: hidden states first, then the output head where it counts, in chunks."""

from collections.abc import Callable, Sequence
from typing import Any

from engine.lib import batches, virtual_tokens
from engine.lib.chat_rows import Encoded

CHUNK = 256  # answer tokens whose logits stand in memory at once


def hidden_states(model: Any, ids: Any) -> Any:
    """The last hidden states of ``ids`` (batch × length), flat: (batch·length) × width."""
    if virtual_tokens.count(model):
        return virtual_tokens.hidden_states(model, backbone(model), ids).flatten(0, 1)
    return backbone(model)(input_ids=ids, use_cache=False).last_hidden_state.flatten(0, 1)


def plain(model: Any) -> Any:
    """The transformers model inside a PEFT one, or ``model`` itself."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def backbone(model: Any) -> Any:
    inner = plain(model)
    return getattr(inner, inner.base_model_prefix)


def logits(model: Any, hidden: Any) -> Any:
    """What the output head makes of ``hidden``, in fp32, with the scalings some families apply."""
    import torch

    inner = plain(model)
    config = inner.config.get_text_config()
    found = inner.get_output_embeddings()(hidden).float()
    if getattr(config, "logit_scale", None):  # Cohere
        found = found * config.logit_scale
    if getattr(config, "logits_scaling", None):  # Granite
        found = found / config.logits_scaling
    if getattr(config, "final_logit_softcapping", None):  # Gemma 2 and later
        found = torch.tanh(found / config.final_logit_softcapping) * config.final_logit_softcapping
    return found


def head_is_understood(model: Any, ids: Any) -> bool:
    """Whether `logits` gives what the model's own forward gives. Families with a head of their own kind are found out here."""
    import torch

    with torch.inference_mode():
        own = model(input_ids=ids).logits.float()[0]
        ours = logits(model, hidden_states(model, ids))
    return own.shape == ours.shape and bool((own - ours).abs().max() <= 0.05 * own.abs().max())


def backward_on_answers(model: Any, batch: batches.Batch, scale: float) -> float:
    """Add the gradient of ``scale`` × (summed loss of the batch's answer tokens) and return that summed loss, unscaled.

    The head's part is differentiated chunk by chunk, so the logits of only one chunk exist at a time.
    """
    import torch
    from torch.nn.functional import cross_entropy

    hidden = hidden_states(model, batch.ids)[batch.positions]
    leaf = hidden.detach().requires_grad_()
    total = 0.0
    for start in range(0, len(batch.targets), CHUNK):
        part = slice(start, start + CHUNK)
        with torch.enable_grad():
            loss = cross_entropy(logits(model, leaf[part]), batch.targets[part], reduction="sum")
            (loss * scale).backward()
        total += loss.item()
    hidden.backward(leaf.grad)
    return total


def row_losses(
    model: Any,
    rows: Sequence[Encoded],
    pad: int,
    *,
    batch_size: int = 16,
    on_batch: Callable[[int], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> list[tuple[float, int]] | None:
    """(summed loss, number of answer tokens) of each row, in the order of ``rows``; None when ``should_stop`` said so."""
    import torch
    from torch.nn.functional import cross_entropy

    was_training = model.training
    model.eval()
    sums = [(0.0, 0)] * len(rows)
    done = 0
    try:
        with torch.inference_mode():
            for chosen in batches.by_length([len(row.ids) for row in rows], batch_size):
                if should_stop():
                    return None
                batch = batches.collate([rows[i] for i in chosen], pad, str(model.device))
                hidden = hidden_states(model, batch.ids)[batch.positions]
                each = torch.cat(
                    [
                        cross_entropy(logits(model, hidden[s : s + CHUNK]), batch.targets[s : s + CHUNK], reduction="none")
                        for s in range(0, len(batch.targets), CHUNK)
                    ]
                )
                for place, number in enumerate(chosen):
                    own = each[batch.owners == place]
                    sums[number] = (float(own.sum()), len(own))
                done += len(chosen)
                if on_batch is not None:
                    on_batch(done)
    finally:
        model.train(was_training)
    return sums


def mean_loss(sums: Sequence[tuple[float, int]]) -> float:
    """Loss per answer token over all rows."""
    return sum(loss for loss, _ in sums) / max(sum(n for _, n in sums), 1)
