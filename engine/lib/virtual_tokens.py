"""Virtual tokens: what a model with prompt or prefix tuning reads before each text. PEFT adds them in its own forward pass, which
scoring goes around to spare the output head; so they are added here as well.
"""

from typing import Any


def count(model: Any) -> int:
    """How many virtual tokens stand before each text; 0 for a model without, or with its adapter switched off."""
    if not hasattr(model, "get_base_model"):
        return 0
    config = model.active_peft_config
    return int(config.num_virtual_tokens) if config.is_prompt_learning and model.has_active_enabled_adapter else 0


def hidden_states(model: Any, backbone: Any, ids: Any) -> Any:
    """The last hidden states of ``ids`` (batch × length) after the virtual tokens: batch × length × width.

    Prompt tuning puts vectors before the embedded text (Lester et al. 2021); prefix tuning gives every layer keys and values to look
    back at (Li and Liang 2021), handed over as if they had been read before.
    """
    import torch
    from peft import PeftType

    before = model.get_prompt(batch_size=ids.shape[0])
    if model.active_peft_config.peft_type == PeftType.PREFIX_TUNING:
        return backbone(input_ids=ids, past_key_values=before, use_cache=True).last_hidden_state
    embedded = model.get_input_embeddings()(ids)
    whole = torch.cat([before.to(embedded.dtype), embedded], dim=1)
    return backbone(inputs_embeds=whole, use_cache=False).last_hidden_state[:, before.shape[1] :]
