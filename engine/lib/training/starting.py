"""How training begins, and what is looked at between loading the model and the first step."""

from collections.abc import Iterable, Sequence
from typing import Any

from engine.context import Context
from engine.exits import InputError
from engine.lib.training.settings import LoopParams, TeamParams
from engine.lib.training.weights import Masters


def begin(ctx: Context) -> None:
    """What comes before everything else: the libraries, and the seed of all chance (an adapter's start, dropout, answers drawn)."""
    from engine.lib import models

    models.prepare_libraries()
    import torch

    torch.manual_seed(ctx.seed)


def check_model(model: Any, train: Sequence[Any], params: LoopParams, *, virtual_tokens: int = 0) -> None:
    """Raise ``InputError`` when the model cannot read texts as long as these, or its output head does more than this studio knows.

    ``virtual_tokens`` will be read before each text.
    """
    check_length(model, train, params, virtual_tokens=virtual_tokens)
    check_head(model, train[0].ids)


def check_length(model: Any, train: Sequence[Any], params: LoopParams, *, virtual_tokens: int = 0) -> None:
    """Raise ``InputError`` when the model cannot read texts as long as these, with ``virtual_tokens`` before each."""
    from engine.lib import models

    limit = models.context_length(model) - virtual_tokens
    if params.max_length > limit and max(len(row.ids) for row in train) > limit:
        raise InputError(
            "context",
            f"The model reads at most {limit} tokens, and some pairs are longer.",
            where="max_length",
            mend=f"Set the longest text to {limit} or less.",
        )


def check_words(model: Any, tokenizer: Any, texts: Iterable[Sequence[int]]) -> None:
    """Raise ``InputError`` for a token in ``texts`` that the tokenizer has beyond those that the model was given weights for."""
    known = words_of(model)
    highest = max((max(ids) for ids in texts if ids), default=0)
    if highest >= known:
        raise InputError(
            "unknown_token",
            f"The tokenizer reads “{tokenizer.convert_ids_to_tokens(highest)}” as token {highest:,}, and the model knows {known:,} tokens, "
            "counted from 0: it was given words that the model has no weights for.",
            where="model",
            mend="Import the model again with the tokenizer that belongs to it, or leave the rows with that word out.",
        )


def words_of(model: Any) -> int:
    """How many tokens ``model`` has weights for."""
    return int(model.get_input_embeddings().weight.shape[0])


def check_head(model: Any, ids: list[int]) -> None:
    """Raise ``InputError`` for a family whose output head does more than this studio knows; its loss would be wrong."""
    import torch

    from engine.lib import scoring

    known = [token for token in ids[:64] if token < words_of(model)]
    if not scoring.head_is_understood(model, torch.tensor([known], device=model.device)):
        raise InputError(
            "family",
            f"Models of the family {model.config.model_type} cannot be trained here yet.",
            where="model",
            mend="Choose another base model.",
        )


def masters_of(ctx: Context, params: TeamParams, model: Any) -> Masters:
    """The weights that are trained on ``model``, once it has all that is trained; joins the others that train it, if there are any.

    Until here all processes did the same, with the same random numbers; from here on each draws its own.
    """
    import torch

    from engine.lib.training import team

    if params.shard:
        team.shard(model)
        here, all_of_them = (sum(size(weight) for weight in model.parameters()) for size in (team.kept_here, lambda w: w.numel()))
        ctx.log(f"This process keeps {here:,} of the model's {all_of_them:,} weights")
    if rank := team.join().rank:
        torch.manual_seed(ctx.seed + rank)
    return Masters(model)
