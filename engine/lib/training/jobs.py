"""The jobs that the loop is given: training what lies on top of a model, or the model itself."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from engine import manifest
from engine.context import Context
from engine.lib import adapters, models
from engine.lib.training import data, team
from engine.lib.training.loop import Job
from engine.lib.training.settings import LoopParams, LoraParams
from engine.lib.training.weights import Masters

Pairs = tuple[Sequence[Any], Sequence[Any]]  # to train on, to validate on


def adapter_job(
    ctx: Context,
    params: LoopParams,
    model: Any,
    tokenizer: Any,
    pairs: Pairs,
    masters: Masters | None = None,
    *,
    kind: str = "adapter",
    **facts: Any,
) -> Job:
    """Training what ``model``, a PEFT model, has on top of its base. ``facts`` name the method; ``masters`` where they are made already."""
    masters = masters or Masters(model)
    return Job(
        model=model,
        tokenizer=tokenizer,
        masters=masters,
        train=pairs[0],
        validation=pairs[1],
        general=data.read_general(ctx, params, tokenizer),
        save=partial(adapters.save_adapter, model, masters),
        role="adapter",
        kind=kind,
        facts=facts | made_from(ctx),
    )


def model_job(
    ctx: Context, params: LoopParams, model: Any, tokenizer: Any, pairs: Pairs, masters: Masters | None = None, **facts: Any
) -> Job:
    """Training the weights of ``model`` itself, which is handed over whole. ``facts`` and ``masters`` as for `adapter_job`."""
    masters = masters or Masters(model)
    name = manifest.read(ctx.inputs["model"]).facts.get("name", "")
    return Job(
        model=model,
        tokenizer=tokenizer,
        masters=masters,
        train=pairs[0],
        validation=pairs[1],
        general=data.read_general(ctx, params, tokenizer),
        save=partial(save_model, model, tokenizer, masters),
        role="model",
        kind="hf-model",
        facts=models.describe(model, tokenizer) | {"dtype": "bfloat16", "name": name} | facts | made_from(ctx),
    )


def save_model(model: Any, tokenizer: Any, masters: Masters, folder: Path) -> None:
    """Write ``model`` to ``folder`` in bf16, rounded once. Nothing can be trained on afterwards: exact weights are rounded as well."""
    import torch

    if any(map(team.is_sharded, masters.parameters())):  # the model itself has only a part
        models.save_model(model, tokenizer, folder, {name: weight.to(torch.bfloat16) for name, weight in masters.whole().items()})
    else:
        models.save_model(model.to(torch.bfloat16), tokenizer, folder)


def made_from(ctx: Context) -> dict[str, str]:
    """The hash of each input by its role, the base model's as ``base``: by them later stages know what belongs together."""
    return {"base" if role == "model" else role: manifest.read(folder).sha256 for role, folder in ctx.inputs.items()}


def lora_facts(params: LoraParams) -> dict[str, Any]:
    """The adapter's shape."""
    return {"rank": params.rank, "alpha": params.alpha, "target": params.target}
