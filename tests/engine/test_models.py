from pathlib import Path

from engine.lib import models


def test_a_frozen_head_is_not_copied_for_each_text(base_model: Path) -> None:
    tokenizer, model = models.load_tokenizer(base_model), models.load_model(base_model).requires_grad_(False)
    seen = []
    hook = model.get_output_embeddings().register_forward_hook(
        lambda _, inputs, __: seen.append((inputs[0].shape, inputs[0].is_contiguous()))
    )
    asked = [[{"role": "user", "content": text}] for text in ("What is a list?", "And a much longer question: what is a tuple?")]
    answers = models.greedy(model, tokenizer, asked, max_new_tokens=3)
    hook.remove()
    assert [len(answer) for answer in answers] == [3, 3]
    assert [shape[:2] for shape, _ in seen] == [(2, 1)] * 3
    assert all(contiguous for _, contiguous in seen)
    assert not model.get_output_embeddings()._forward_pre_hooks
