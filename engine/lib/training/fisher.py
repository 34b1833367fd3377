"""Which weights general knowledge hangs on: the diagonal of the Fisher information."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from engine.lib import batches, scoring


def diagonal(
    model: Any, weights: Sequence[Any], texts: Sequence[Any], pad: int, on_text: Callable[[int], None] = lambda done: None
) -> list[Any]:
    """The diagonal of the empirical Fisher information of each of ``weights``, parameters of ``model``: in bf16, shaped like them.

    It is the square of the gradient of a text's summed loss, added up over ``texts`` (`chat_rows.Encoded`) and divided by their answer
    tokens (Kirkpatrick et al. 2017, https://arxiv.org/abs/1612.00796; with the texts' own answers instead of ones drawn from the model).
    One text is read at a time and each gradient squared as soon as it is there, so beside the model 4 bytes a weight are needed.
    No random number is drawn: the same model and texts give the same values.
    """
    import torch

    sums = [torch.zeros_like(weight, dtype=torch.float32) for weight in weights]
    # a head's gradient comes in two parts where it shares its weights with the embeddings: it is squared when both are there
    head = {id(weight) for weight in scoring.plain(model).get_output_embeddings().parameters()}

    def fold(weight: Any, total: Any) -> None:
        if weight.grad is not None:
            gradient = weight.grad.float()
            total.addcmul_(gradient, gradient)
            weight.grad = None

    pairs = list(zip(weights, sums, strict=True))
    hooks: list[Any] = []
    try:
        with gradients_of(model, weights):  # a frozen weight takes no hook
            hooks += [w.register_post_accumulate_grad_hook(partial(fold, total=s)) for w, s in pairs if id(w) not in head]
            for number, text in enumerate(texts, start=1):
                scoring.backward_on_answers(model, batches.collate([text], pad, str(model.device)), 1.0)
                for weight, total in pairs:
                    fold(weight, total)
                on_text(number)
    finally:
        for hook in hooks:
            hook.remove()
    tokens = max(sum(text.answer_tokens for text in texts), 1)
    return [total.div_(tokens).to(torch.bfloat16) for total in sums]


@contextmanager
def gradients_of(model: Any, weights: Sequence[Any]) -> Iterator[None]:
    """``model`` without dropout, computing gradients of ``weights`` alone; afterwards all is as it was and no gradient is left."""
    wanted = {id(weight) for weight in weights}
    before = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    was_training = model.training
    model.eval()
    for parameter, _ in before:
        parameter.requires_grad_(id(parameter) in wanted)
    try:
        yield
    finally:
        for parameter, trained in before:
            parameter.grad = None
            parameter.requires_grad_(trained)
        model.train(was_training)
