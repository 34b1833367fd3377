"""Reward models: a language model with a head that gives a text a score in place of the next word. Load, give an adapter to train, read."""

from pathlib import Path
from typing import Any

from engine import manifest
from engine.exits import InputError
from engine.lib import adapters, models
from engine.lib.training.settings import LoraParams

HEAD = ".modules_to_save.default"  # in the name of a weight that PEFT trains and saves whole beside LoRA's


def scoring_model(folder: Path, tokenizer: Any, *, dtype: Any) -> Any:
    """The model in ``folder`` with a fresh head of one output, drawn from torch's random numbers. Raises ``InputError``."""
    from transformers import AutoModelForSequenceClassification
    from trl.trainer.reward_trainer import suppress_seqcls_warning

    try:
        with suppress_seqcls_warning():
            model = AutoModelForSequenceClassification.from_pretrained(
                str(folder), num_labels=1, dtype=dtype, local_files_only=True, use_safetensors=True, attn_implementation="sdpa"
            )
    except (OSError, ValueError) as error:
        raise InputError(
            "family",
            f"This model cannot be made a judge: {str(error).splitlines()[0]}",
            where="model",
            mend="Choose another base model, or learn from preferences directly, with DPO.",
        ) from error
    model.config.get_text_config().pad_token_id = tokenizer.pad_token_id  # the score is read at the last token that is no padding
    return model.to(models.pick_device()).eval()


def attach(model: Any, params: LoraParams, adapter: Path | None = None) -> Any:
    """``model`` with LoRA weights to be trained and its head beside them: fresh ones, or those of ``adapter`` (of the same base).

    Raises ``InputError`` when they do not belong together.
    """
    import torch
    from peft import PeftConfig, get_peft_model, load_peft_weights, set_peft_model_state_dict

    if adapter is None:
        config = adapters.lora_config(model, params)
    else:
        config = PeftConfig.from_pretrained(str(adapter))
        config.inference_mode, config.lora_dropout = False, params.dropout
    config.task_type = "SEQ_CLS"
    judge = get_peft_model(model, config)
    if adapter is not None:
        fresh = {name.replace(HEAD, ""): weight for name, weight in judge.named_parameters() if HEAD in name}
        try:
            set_peft_model_state_dict(judge, fresh | load_peft_weights(str(adapter), device=str(model.device)))
        except (RuntimeError, ValueError, KeyError, OSError) as error:
            raise _foreign(adapter, str(error).splitlines()[0]) from error
    for weight in judge.parameters():
        if weight.requires_grad:  # PEFT does so with LoRA's own weights: steps would be rounded away in bf16
            weight.data = weight.data.to(torch.float32)
    judge.peft_config["default"].base_model_name_or_path = ""  # where the base lies on this machine is nobody else's business
    return judge


def weighed(trainer: Any) -> Any:
    """The class ``trainer`` (TRL's), telling means over pairs: by itself it takes that of batches, and the last one may be smaller."""

    class Weighed(trainer):
        def compute_loss(self, model: Any, inputs: Any, *rest: Any, **more: Any) -> Any:
            loss = super().compute_loss(model, inputs, *rest, **more)
            told = self._metrics["train" if self.model.training else "eval"]
            for name in ("accuracy", "margin", "mean_reward"):
                told[name] += told[name][-1:] * (len(inputs["input_ids"]) // 2 - 1)  # TRL has added it once; a pair is two texts
            return loss

    return Weighed


def load(base: Path, folder: Path, tokenizer: Any, *, dtype: Any) -> Any:
    """The reward model in ``folder`` on its ``base``, ready to score: texts as tokens in, ``logits`` of texts × 1 out.

    Raises ``InputError`` when they do not belong together.
    """
    from peft import PeftModel

    if manifest.read(folder).facts.get("base") != manifest.read(base).sha256:
        raise _foreign(folder, "it was trained on another one")
    try:
        model = PeftModel.from_pretrained(scoring_model(base, tokenizer, dtype=dtype), str(folder), autocast_adapter_dtype=False)
    except (RuntimeError, ValueError, OSError) as error:
        raise _foreign(folder, str(error).splitlines()[0]) from error
    return model.to(dtype).eval()


def _foreign(folder: Path, what: str) -> InputError:
    return InputError(
        "adapter_mismatch",
        f"This does not fit the model: {what}.",
        where=str(folder),
        mend="Choose the base model that it was trained on.",
    )
