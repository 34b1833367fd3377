"""FlashAttention and Liger put into a model, as long as they give what PyTorch gives. Torch is imported inside."""

from typing import Any

from engine import memory
from engine.context import Context
from engine.exits import InputError
from engine.lib import scoring

FLASH, SDPA, EAGER = "flash_attention_2", "sdpa", "eager"  # transformers' names
WORDS = {FLASH: "FlashAttention 2", SDPA: "PyTorch SDPA", EAGER: "PyTorch without SDPA"}
# Liger's loss is not for us: `scoring` gives the head the answers' positions alone, and preferences need the logits
WITHOUT_LOSS = {"cross_entropy": False, "fused_linear_cross_entropy": False}
TOLERANCE = 0.05  # of the largest value: what bf16 rounds away over all layers is less, a wrong mask far more
CHECKED_TOKENS = 64
GOES_ON = "Training goes on with PyTorch's own."
UNUSABLE = (ImportError, OSError, RuntimeError, ValueError)  # not for this family, or built for another PyTorch


def put_in(ctx: Context, model: Any, attention: str, liger: bool) -> tuple[str, bool]:
    """Have ``model`` compute with ``attention``, and with Liger's kernels where there are any for its family; what it has then.

    A warning says what is installed and does not work. Raises ``InputError`` when Liger computes something else than PyTorch: its kernels
    cannot be taken out again.
    """
    inner = scoring.plain(model)
    before = inner.config._attn_implementation
    wanted = attention if attention != SDPA else before  # a family without SDPA stays as it was loaded
    if wanted != before or liger:
        expected = hidden_states(model)
        if wanted != before and not flash_fits(ctx, model, wanted, expected):
            inner.set_attn_implementation(before)
        liger = liger and liger_in(ctx, inner)
        if liger and not close(with_liger(model), expected):
            raise unusable("Liger's kernels compute something else for this model than PyTorch does.")
    return inner.config._attn_implementation, liger


def flash_fits(ctx: Context, model: Any, attention: str, expected: Any) -> bool:
    """Whether ``model``, given ``attention``, computes the hidden states that are ``expected``. Warns where it does not."""
    try:
        scoring.plain(model).set_attn_implementation(attention)
        if close(hidden_states(model), expected):
            return True
        problem = "it computes something else than PyTorch does"
    except UNUSABLE as error:
        problem = first_line(error)
    name = WORDS.get(attention, attention)
    ctx.warn("attention", f"{name} is installed and cannot be used for this model: {problem}", where="flash-attn", mend=GOES_ON)
    return False


def liger_in(ctx: Context, inner: Any) -> bool:
    """Have the layers of ``inner``, a transformers model, compute with Liger's kernels; whether there are any for its family."""
    try:
        from liger_kernel.transformers import _apply_liger_kernel_to_instance
        from liger_kernel.transformers.monkey_patch import MODEL_TYPE_TO_APPLY_LIGER_FN
    except UNUSABLE as error:
        problem = first_line(error)
        ctx.warn("liger", f"Liger is installed and cannot be used: {problem}", where="liger-kernel", mend=GOES_ON)
        return False
    if inner.config.model_type not in MODEL_TYPE_TO_APPLY_LIGER_FN:
        return False
    try:
        _apply_liger_kernel_to_instance(model=inner, **WITHOUT_LOSS)
    except Exception as error:  # whatever a release of it stumbles over: half of its kernels may be in by then
        raise unusable(f"Liger's kernels cannot be put into this model: {first_line(error)}") from error
    return True


def with_liger(model: Any) -> Any:
    """`hidden_states` of a ``model`` that has Liger's kernels in it. Raises ``InputError`` when they do not run."""
    try:
        return hidden_states(model)
    except Exception as error:  # Triton compiles them at the first call, and has errors of its own
        if memory.out_of_memory(error):
            raise
        raise unusable(f"Liger's kernels do not run on this machine: {first_line(error)}") from error


def unusable(problem: str) -> InputError:
    """An error that says what to do about Liger."""
    mend = "Raise liger-kernel to its latest version, or uninstall it: training does without."
    return InputError("liger", problem, where="liger-kernel", mend=mend)


def first_line(error: Exception) -> str:
    return str(error).split("\n")[0] or type(error).__name__


def hidden_states(model: Any) -> Any:
    """What ``model`` makes of two made-up texts, in fp32: (2 × tokens) × width. No dropout, and no random number is drawn."""
    import torch

    was_training = model.training
    model.eval()
    vocabulary = model.config.get_text_config().vocab_size
    ids = (torch.arange(2 * CHECKED_TOKENS, device=model.device) * 7 % vocabulary).reshape(2, -1)
    try:
        with torch.no_grad():
            return scoring.hidden_states(model, ids).float()
    finally:
        model.train(was_training)


def close(found: Any, expected: Any) -> bool:
    """Whether no value is further from the ``expected`` one than rounding explains."""
    return bool((found - expected).abs().max() <= TOLERANCE * expected.abs().max())
