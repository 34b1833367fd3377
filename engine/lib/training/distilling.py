"""What `distill` and `distill_lora` share: their settings, the teacher, and the student's own answers."""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from engine.context import Context
from engine.exits import InputError
from engine.lib.batches import Batch
from engine.lib.training.settings import ADVANCED, LoopParams

if TYPE_CHECKING:
    from engine.lib.training.loop import Job

DIVERGENCES = {"forward_kl": "All that the teacher says (forward KL)", "reverse_kl": "The teacher's likeliest (reverse KL)",
               "jsd": "Between both (Jensen-Shannon)"}  # fmt: skip


class DistillParams(LoopParams):
    """How the student follows the teacher."""

    teacher_share: float = Field(
        0.5,
        ge=0,
        le=1,
        title="Weight of the teacher",
        description="1 follows the teacher alone, 0 the dataset's answers alone; between them it learns from both.",
    )
    divergence: Literal["forward_kl", "reverse_kl", "jsd"] = Field(
        "forward_kl",
        title="What to follow",
        json_schema_extra=ADVANCED | {"labels": DIVERGENCES},
        description="Forward covers everything that the teacher finds possible; reverse sticks to what it finds likeliest, which suits "
        "students that are much smaller; Jensen-Shannon stands between.",
    )
    beta: float = Field(
        0.5,
        gt=0,
        lt=1,
        title="Where between (beta)",
        json_schema_extra=ADVANCED,
        description="For Jensen-Shannon only: towards 0 it is like forward, towards 1 like reverse.",
    )
    temperature: float = Field(
        1.0,
        ge=0.1,
        le=20,
        title="Temperature",
        json_schema_extra=ADVANCED,
        description="Above 1 the student learns more from what the teacher finds unlikely. 1 to 3 is usual. The student's own answers are "
        "drawn at this temperature, too.",
    )
    on_policy: float = Field(
        0.0,
        ge=0,
        le=1,
        title="Share of answers by the student",
        json_schema_extra=ADVANCED,
        description="In so many of the steps the student answers the questions itself and the teacher judges each word: it learns from its "
        "own mistakes. 0.5 is usual; writing makes these steps several times slower. 0: the dataset's answers alone.",
    )
    own_tokens: int = Field(
        128,
        ge=1,
        le=4096,
        title="Longest answer by the student",
        json_schema_extra=ADVANCED,
        description="In tokens, where the student answers itself.",
    )

    @property
    def between(self) -> float:
        """The divergence as one number from 0, forward KL, to 1, reverse KL."""
        return {"forward_kl": 0.0, "reverse_kl": 1.0, "jsd": self.beta}[self.divergence]


def taught(ctx: Context, params: DistillParams, job: "Job", teacher: Any) -> "Job":
    """``job`` with ``teacher`` to learn from."""
    found = Distillation(ctx, params, job.model, teacher, job.tokenizer, job.validation)
    return replace(job, backward=found.backward, rewrite=found.rewrite, metrics=found.metrics, measure=found.measure)


class Distillation:
    """A student and its teacher; its methods are what `loop.Job` asks for."""

    def __init__(self, ctx: Context, params: DistillParams, student: Any, teacher: Any, tokenizer: Any, validation: Sequence[Any]) -> None:
        self._params, self._seed = params, ctx.seed
        self._student, self._teacher, self._tokenizer = student, teacher, tokenizer
        self._validation = list(validation)
        self._own = False  # whether this step's answers are the student's
        self._away = self._tokens = 0.0  # KL and tokens of this step

    def rewrite(self, rows: Sequence[Any], step: int) -> Sequence[Any]:
        """``rows``, or in the share of steps where that is drawn, the same questions with answers that the student writes now."""
        self._own = random.Random(f"{self._seed} {step}").random() < self._params.on_policy
        return own_answers(self._student, self._tokenizer, rows, self._params) if self._own else rows

    def backward(self, batch: Batch, scale: float) -> float:
        """As `scoring.backward_on_answers`. On its own answers the student follows the teacher alone: they are no model to follow."""
        from engine.lib import divergence

        share = 1.0 if self._own else self._params.teacher_share
        total, away = divergence.backward(
            self._student, self._teacher, batch, scale, beta=self._params.between, temperature=self._params.temperature, share=share
        )
        self._away, self._tokens = self._away + away, self._tokens + len(batch.targets)
        return total

    def metrics(self) -> dict[str, float]:
        """``kl`` of the step's answer tokens, in nats a token; ``own_answers`` 1 where the student wrote them."""
        found = {"kl": self._away / max(self._tokens, 1)}
        self._away = self._tokens = 0.0
        return found | ({"own_answers": float(self._own)} if self._params.on_policy else {})

    def measure(self, at_once: int) -> dict[str, float]:
        """``eval_kl`` over the validation pairs."""
        from engine.lib import divergence

        self._away = self._tokens = 0.0  # of the preflight's steps
        if not self._validation:
            return {}
        return {"eval_kl": divergence.mean_kl(self._student, self._teacher, self._validation, self._tokenizer.pad_token_id, at_once)}


def own_answers(model: Any, tokenizer: Any, rows: Sequence[Any], params: DistillParams) -> list[Any]:
    """The last question of each row with an answer that ``model`` draws now, all of its tokens marked (Agarwal et al. 2023)."""
    import torch

    from engine.lib import models

    prompts = [before_last_answer(row)[-(params.max_length - 1) :] for row in rows]
    room = min(params.own_tokens, params.max_length - 1)
    longest = max(map(len, prompts))
    ids = torch.full((len(prompts), longest), tokenizer.pad_token_id)
    mask = torch.zeros_like(ids)
    for number, prompt in enumerate(prompts):
        ids[number, longest - len(prompt) :] = torch.tensor(prompt)
        mask[number, longest - len(prompt) :] = 1
    ends = models.end_tokens(model, tokenizer)
    was_training = model.training
    model.eval()
    with torch.no_grad(), models.contiguous_head(model):
        written = model.generate(
            input_ids=ids.to(model.device), attention_mask=mask.to(model.device), max_new_tokens=room, do_sample=True,
            temperature=params.temperature, top_k=0, top_p=1.0, eos_token_id=sorted(ends), pad_token_id=tokenizer.pad_token_id,
        )[:, longest:].tolist()  # fmt: skip
    model.train(was_training)
    found = []
    for row, prompt, said in zip(rows, prompts, written, strict=True):
        end = next((place + 1 for place, token in enumerate(said) if token in ends), len(said))
        said = said[: min(end, params.max_length - len(prompt))]
        found.append(replace(row, ids=prompt + said, answer=[False] * len(prompt) + [True] * len(said)))
    return found


def before_last_answer(row: Any) -> list[int]:
    """The tokens before the last answer."""
    last = max(place for place, is_answer in enumerate(row.answer) if is_answer)
    while row.answer[last] and last > 0:
        last -= 1
    return list(row.ids[: last + 1])


def load_teacher(ctx: Context, params: DistillParams, tokenizer: Any, rows: Sequence[Any]) -> Any:
    """The teacher, frozen, after seeing that both read alike. Raises ``InputError`` where they do not."""
    from engine.lib import models
    from engine.lib.training import starting

    theirs = models.load_tokenizer(ctx.inputs["teacher"])
    check_same_vocabulary(tokenizer, theirs, [message["content"] for row in rows for message in row.row.messages])
    if tokenizer.chat_template != theirs.chat_template:
        ctx.warn(
            "template",
            "Student and teacher have different chat templates. The teacher is shown the student's, which it may not know.",
            where="teacher",
            mend="Prefer a teacher of the student's own family, or have the teacher write answers and fine-tune on those.",
        )
    teacher = models.load_model(ctx.inputs["teacher"], dtype=models.pick_dtype(params.precision)).requires_grad_(False)
    starting.check_model(teacher, rows, params)
    return teacher


def check_same_vocabulary(student: Any, teacher: Any, texts: Sequence[str]) -> None:
    """Raise ``InputError`` unless both tokenizers know the same tokens by the same numbers and cut ``texts`` alike.

    The distributions of two models can only be compared token by token.
    """
    why = ""
    ours, theirs = student.get_vocab(), teacher.get_vocab()
    if ours != theirs:
        other = next((token for token in sorted(ours.keys() | theirs.keys()) if ours.get(token) != theirs.get(token)), "")
        places = " and ".join(f"number {known[other]}" if other in known else "missing" for known in (ours, theirs))
        why = f"the student knows {len(ours):,} tokens, the teacher {len(theirs):,}; “{other}” is {places}"
    else:
        for text in texts:
            if student(text, add_special_tokens=False)["input_ids"] != teacher(text, add_special_tokens=False)["input_ids"]:
                why = f"they know the same tokens but cut texts differently, as “{text[:60]}”"
                break
    if why:
        raise InputError(
            "vocabulary",
            f"Student and teacher have different vocabularies, so what they say cannot be compared word by word: {why}.",
            where="teacher",
            mend="Choose a teacher of the student's own family, or have the teacher write answers and fine-tune the student on those.",
        )


def facts(params: DistillParams) -> dict[str, Any]:
    """What the artifact says of how it was taught."""
    return {name: getattr(params, name) for name in ("teacher_share", "divergence", "temperature", "on_policy")}
