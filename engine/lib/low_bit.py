"""Base models held in 4 or 8 bits by bitsandbytes while an adapter is trained on them (QLoRA, Dettmers et al. 2023)."""

import logging
from pathlib import Path
from typing import Any

from engine.lib import models


def load(folder: Path, *, bits: str, double: bool, dtype: Any) -> Any:
    """The model in ``folder`` with its linear layers in ``bits`` ("nf4" or "int8"), computing in ``dtype``.

    ``double``: the scales of nf4's blocks are quantised as well, which saves 0.37 bits a weight. The output head stays whole.
    Raises ``InputError``.
    """
    from transformers import BitsAndBytesConfig

    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # at each layer of each step it says which format it converts to
    if bits == "int8":
        return models.load_model(folder, dtype=dtype, low_bit=BitsAndBytesConfig(load_in_8bit=True))
    config = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=double, bnb_4bit_compute_dtype=dtype
    )  # fmt: skip
    model = models.load_model(folder, dtype=dtype, low_bit=config)
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            # At the first look in evaluation mode the layer would pack its weights anew for a kernel that has no way back: no gradient
            # would pass from then on. That kernel's scales are bf16 besides, so that looks would see another model than training does.
            module.support_avx512bf16_for_cpu = False
    return model
