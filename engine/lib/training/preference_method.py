"""What the stages that train on preferences share: their settings, the model they start from, and what they hand over. Light at the top."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from engine import manifest
from engine.context import Context
from engine.exits import InputError
from engine.lib.training.settings import LoopParams, LoraParams

if TYPE_CHECKING:
    from engine.lib.training.preferences import Read
    from engine.lib.training.trainer import Task

CONSUMES = {"model": "hf-model", "adapter": "adapter?", "dataset": "dataset"}
REQUIRES = ("torch", "transformers", "peft", "trl", "datasets")


class PreferenceParams(LoraParams, LoopParams):
    """The settings of every such stage. Steps are smaller than when answers are learnt by themselves: little is enough to prefer."""

    learning_rate: float = Field(
        5e-5,
        gt=0,
        le=0.1,
        title="Learning rate",
        description="How far each step moves the adapter. Preferences need gentle steps: 0.00001 to 0.0001 is usual. Too high, and the "
        "model forgets how to write.",
    )
    batch_size: int = Field(
        4,
        ge=1,
        le=512,
        title="Pairs at once",
        description="How many pairs the model reads in one go, each with both answers. When memory does not suffice, fewer are read at "
        "once and more often.",
    )
    max_length: int = Field(
        1024,
        ge=16,
        le=131072,
        title="Longest text",
        description="In tokens, question and one answer together (a token is about three quarters of a word). Longer answers are cut.",
    )


def task(
    ctx: Context, params: PreferenceParams, rows: "Read", tokenizer: Any, trainer: Any, config: Any, *, method: str, **options: Any
) -> "Task":
    """Training a LoRA adapter on ``rows`` with the library's ``trainer``, whose ``config`` is given ``options``."""
    from engine.lib.training import data
    from engine.lib.training.trainer import Task

    return Task(
        trainer=trainer,
        config=config,
        # the library's own switch would take out the adapter's dropout as well; `start` takes out the model's
        options={"max_length": params.max_length, "disable_dropout": False} | options,
        load=lambda: start(ctx, params, rows),
        tokenizer=tokenizer,
        train=rows.train,
        validation=rows.validation,
        general=data.read_general(ctx, params, tokenizer),
        facts={"method": method} | shape(ctx, params) | made_from(ctx),
    )


def start(ctx: Context, params: PreferenceParams, rows: "Read") -> tuple[Any, Any]:
    """The model to begin with, and the configuration of the adapter to put on it: None where it has the one to go on from already.

    The reference that answers are compared with is the same model with its adapter switched off, or with a frozen copy of the adapter it
    began with: TRL sees to that, and no second model is held.
    """
    from trl.trainer.utils import disable_dropout_in_model

    from engine.lib import adapters, models
    from engine.lib.training import starting

    model = models.load_model(ctx.inputs["model"], dtype=models.pick_dtype(params.precision))
    starting.check_model(model, [rows.longest], params)
    disable_dropout_in_model(model)  # the reference must not waver; the adapter has a dropout of its own
    if "adapter" not in ctx.inputs:
        return model, adapters.lora_config(model, params)
    return go_on_from(model, ctx.inputs["adapter"], params), None


def go_on_from(model: Any, folder: Path, params: PreferenceParams) -> Any:
    """``model`` with the adapter of ``folder`` on it, to be trained on. Raises ``InputError`` when they do not belong together."""
    from peft import PeftConfig, PeftModel

    config = PeftConfig.from_pretrained(str(folder))
    if hasattr(config, "lora_dropout"):
        config.lora_dropout = params.dropout
    try:
        return PeftModel.from_pretrained(model, str(folder), is_trainable=True, config=config)
    except (RuntimeError, ValueError, OSError) as error:
        raise _another_base(folder, str(error).splitlines()[0]) from error


def shape(ctx: Context, params: PreferenceParams) -> dict[str, Any]:
    """The adapter's rank and strength: the settings', or those of the adapter that is gone on from."""
    from engine.lib.training import jobs

    if "adapter" not in ctx.inputs:
        return jobs.lora_facts(params)
    known = manifest.read(ctx.inputs["adapter"]).facts
    return {name: known[name] for name in ("rank", "alpha", "target") if name in known}


def made_from(ctx: Context) -> dict[str, str]:
    """`jobs.made_from`. Raises ``InputError`` for an adapter that was trained on another model."""
    from engine.lib.training import jobs

    found = jobs.made_from(ctx)
    if began_with := found.pop("adapter", ""):
        if manifest.read(ctx.inputs["adapter"]).facts.get("base", found["base"]) != found["base"]:
            raise _another_base(ctx.inputs["adapter"], "it was trained on another one")
        found["went_on_from"] = began_with
    return found


def _another_base(folder: Path, what: str) -> InputError:
    return InputError(
        "adapter_mismatch",
        f"The adapter does not fit this model: {what}.",
        where=str(folder),
        mend="Choose the base model that the adapter was trained on, or begin without an adapter.",
    )
