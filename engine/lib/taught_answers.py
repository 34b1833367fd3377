"""A dataset's questions with a teacher's answers: asked for, looked at, and handed over as a dataset of the same splits and ids."""

import json
import re
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from engine import manifest, memory
from engine.context import Context
from engine.endpoint import Message
from engine.exits import InputError, Stopped
from engine.lib.asking import Asker
from engine.lib.jsonl import read_lines, write_lines
from engine.lib.quality.checks.empty import HEAD, PLACEHOLDER, UNANSWERABLE, refusals

ANSWERED = ("train", "validation")  # the test pairs keep the answers that people approved: those are what a model is measured by
SAMPLES = 10  # answers shown while it runs
THOUGHTS = re.compile(r"\A\s*<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)  # of models that reason aloud
LOOP = re.compile(r"(.{30,}?)(?:\s*\1){3}", re.DOTALL)  # the same words four times behind one another


@dataclass
class Question:
    """One row that wants an answer. ``row`` is the line of the split's file, ``answer`` the teacher's."""

    split: str
    row: dict[str, Any]
    place: int  # of the last assistant turn in its messages: that is what the teacher writes
    answer: str = ""

    def asked(self, instruction: str) -> list[Message]:
        """The conversation up to the answer, after the instruction."""
        told: list[Message] = [{"role": "system", "content": instruction}] if instruction else []
        before = [{"role": turn["role"], "content": turn["content"]} for turn in self.row["messages"][: self.place]]
        if told and before and before[0]["role"] == "system":  # many templates allow a single one
            told[0]["content"] += "\n\n" + before.pop(0)["content"]
        return told + before

    def answered(self) -> dict[str, Any]:
        """The row with the teacher's answer in place of its own."""
        turns = [*self.row["messages"][: self.place], {"role": "assistant", "content": self.answer}]
        return self.row | {"messages": turns}


@dataclass
class TaughtAnswers:
    """``asker`` is None where the teacher is on this machine. ``rejected`` counts by reason the answers that teach nothing."""

    ctx: Context
    instruction: str
    asker: Asker | None
    questions: list[Question]
    rejected: Counter[str] = field(default_factory=Counter)
    done: int = 0

    @classmethod
    def of(cls, ctx: Context, instruction: str, asker: Asker | None) -> Self:
        """The questions of the input ``dataset``. Raises ``InputError`` for a row that cannot be read, and where there are none."""
        found = [
            Question(split, row, place)
            for split in ANSWERED
            if (path := ctx.inputs["dataset"] / f"{split}.jsonl").is_file()
            for row in read_lines(path, code="dataset", mend="Cut the dataset version again.")
            if (place := _last_answer(row)) > 0
        ]
        if not any(question.split == "train" for question in found):
            raise InputError("no_questions", "The dataset has no training pairs.", where="train.jsonl", mend="Choose another dataset.")
        return cls(ctx, instruction.strip(), asker, found)

    def ask(self, parallel: int) -> None:
        """Ask the endpoint, ``parallel`` questions at once, until all are answered or it may or can no longer be asked."""
        asker = self.asker
        assert asker is not None

        async def one(question: Question) -> None:
            answer = await asker.answer(question.asked(self.instruction))
            if answer is not None:
                self.take(question, answer.text, cut=answer.finish_reason == "length")
            self.tell()

        asker.work(iter(self.questions), one, parallel=parallel, enough=lambda: self.ctx.stop_requested)

    def take(self, question: Question, said: str, *, cut: bool) -> None:
        """Keep what the teacher said to ``question``, or count what is wrong with it."""
        self.done += 1
        said = THOUGHTS.sub("", said).strip()
        if wrong := fault(said, cut=cut, may_refuse=question.row.get("shape") == UNANSWERABLE):
            self.rejected[wrong] += 1
            return
        question.answer = said
        if self.kept() <= SAMPLES:
            self.ctx.sample(question.split, question.row["messages"][question.place - 1]["content"], said)

    def kept(self, split: str = "") -> int:
        return sum(bool(question.answer) for question in self.questions if split in ("", question.split))

    def tell(self) -> None:
        """Progress and figures."""
        failed = self.asker.failures.total() if self.asker else 0
        self.ctx.progress(self.done + failed, len(self.questions), "answers")
        figures: dict[str, float] = {"accepted": self.kept(), "rejected": self.rejected.total()}
        if self.asker:
            budget = self.asker.budget
            figures |= {"failed": failed, "tokens": budget.used_tokens} | (
                {"cost": budget.cost} if budget.price_in or budget.price_out else {}
            )
        self.ctx.metric(self.done + failed, **figures)

    def hand_over(self, teacher: str) -> None:
        """Save the dataset and say what is missing in it. Raises ``Stopped`` where that was asked for, ``InputError`` with no answers."""
        gone = self.asker.gone if self.asker else None
        complete = self.kept() == len(self.questions)
        facts = self._facts(teacher)
        if self.kept("train"):
            self.ctx.save("dataset", self._write(facts), kind="dataset", facts=facts if complete else facts | {"partial": True})
        if self.ctx.stop_requested and not complete:
            raise Stopped
        if not self.kept("train"):
            if gone:
                raise InputError(f"endpoint_{gone.code}", str(gone), where="endpoint", mend=gone.mend)
            raise InputError(
                "no_answers",
                f"The teacher gave no answer that can be used ({self._why()}).",
                where="params",
                mend="Choose a more capable teacher, allow longer replies or a longer wait, or a larger budget.",
            )
        if gone:
            mend = f"{gone.mend} What was answered is kept."
            self.ctx.warn(f"endpoint_{gone.code}", f"The teacher stopped answering: {gone}", where="endpoint", mend=mend)
        elif not complete:
            text = f"{self.kept():,} of {len(self.questions):,} questions were answered; the others are left out ({self._why()})."
            mend = "Allow more calls or tokens, longer replies or a longer wait, or look at the log."
            self.ctx.warn("fewer", text, where="params", mend=mend)
        self.ctx.finish(**facts)

    def _why(self) -> str:
        counted = [*self.rejected.most_common(), *(self.asker.failures.most_common() if self.asker else [])]
        left = len(self.questions) - self.kept() - sum(count for _, count in counted)
        return ", ".join(f"{reason}: {count}" for reason, count in [*counted, *([("not asked", left)] if left > 0 else [])])

    def _facts(self, teacher: str) -> dict[str, Any]:
        source = manifest.read(self.ctx.inputs["dataset"])
        name = source.facts.get("name") or (f"Version {source.facts['version']}" if source.facts.get("version") else "Dataset")
        facts: dict[str, Any] = {
            "name": f"{name}, answered by {teacher}", "answered_by": teacher, "answers_of": source.sha256,
            "instruction": self.instruction, "rejected": dict(self.rejected.most_common()),
            **{split: self.kept(split) for split in ANSWERED},
        }  # fmt: skip
        if self.asker:
            budget = self.asker.budget
            facts |= {"failed": dict(self.asker.failures.most_common()), "tried_again": self.asker.retries, "calls": budget.used_calls}
            facts |= {"tokens_in": budget.used_in, "tokens_out": budget.used_out, "cost": budget.cost}
        return facts

    def _write(self, facts: dict[str, Any]) -> Path:
        folder = self.ctx.work / "dataset"
        folder.mkdir(exist_ok=True)
        for split in ANSWERED:
            write_lines(folder / f"{split}.jsonl", (q.answered() for q in self.questions if q.split == split and q.answer))
        test = self.ctx.inputs["dataset"] / "test.jsonl"
        if test.is_file():
            shutil.copyfile(test, folder / test.name)
        counts = {split: facts[split] for split in ANSWERED} | {"test": len(test.read_bytes().splitlines()) if test.is_file() else 0}
        told = {"counts": counts} | {name: facts[name] for name in ("answered_by", "answers_of", "instruction")}
        (folder / "card.json").write_text(json.dumps(told, ensure_ascii=False, indent=1), "utf-8")
        return folder


def _last_answer(row: dict[str, Any]) -> int:
    """The place of the last assistant turn; 0 where there is none behind a question."""
    turns = row.get("messages") or []
    return max((place for place, turn in enumerate(turns) if turn.get("role") == "assistant"), default=0)


def fault(said: str, *, cut: bool, may_refuse: bool) -> str:
    """Why an answer teaches nothing; empty for one that may be trained on."""
    if not re.search(r"\w", said) or PLACEHOLDER.fullmatch(said):
        return "empty"
    if LOOP.search(said):
        return "repeats itself"
    if cut:
        return "cut off"
    return "refused" if not may_refuse and refusals().search(said[:HEAD]) else ""


def answer_here(taught: TaughtAnswers, teacher: Path, max_new_tokens: int, at_once: int) -> None:
    """Have the ``hf-model`` in the folder ``teacher`` answer, ``at_once`` questions at a time, fewer where memory does not suffice.

    Raises ``InputError`` where its chat template refuses a conversation.
    """
    from engine.lib import models
    from engine.lib.training import fitting

    models.prepare_libraries()
    tokenizer = models.load_tokenizer(teacher)
    for question in taught.questions:
        _check_template(tokenizer, question.asked(taught.instruction), f"{question.split}, row {question.row.get('id')}")
    model = models.load_model(teacher)
    # like lengths together, so that little is padding
    waiting = sorted(
        taught.questions, key=lambda question: sum(len(turn["content"]) for turn in question.row["messages"][: question.place])
    )
    while waiting and not taught.ctx.stop_requested:
        batch = waiting[-at_once:]
        try:
            said = models.greedy(model, tokenizer, [one.asked(taught.instruction) for one in batch], max_new_tokens=max_new_tokens)
        except Exception as error:
            if not memory.out_of_memory(error) or len(batch) == 1:
                raise
            said = None
        if said is None:
            at_once = (len(batch) + 1) // 2
            fitting.release()
            continue
        del waiting[-len(batch) :]
        for question, tokens in zip(batch, said, strict=True):
            taught.take(question, tokenizer.decode(tokens, skip_special_tokens=True), cut=len(tokens) >= max_new_tokens)
        taught.tell()


def _check_template(tokenizer: Any, messages: list[Message], where: str) -> None:
    """Raise ``InputError`` where the teacher's chat template refuses the conversation, as some do a system turn."""
    try:
        tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    except Exception as error:  # jinja2's own, raised by the template
        raise InputError(
            "template_refuses",
            f"The teacher's chat template refuses this conversation: {error}",
            where=where,
            mend="Leave the instruction to the teacher empty, or choose another teacher.",
        ) from error


def name_of(model: Path) -> str:
    """What an ``hf-model`` is called."""
    return str(manifest.read(model).facts.get("name") or "a model on this machine")
