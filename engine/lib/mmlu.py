"""The MMLU development questions that come inside lm-eval: general knowledge, offline, with answers and reasoning."""

import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.lib.chat_rows import Row

LETTERS = "ABCD"
CHANCE = 0.25


@dataclass(frozen=True)
class Question:
    subject: str
    text: str  # with its four choices
    reasoning: str
    answer: str  # a letter


def questions(seed: int) -> list[Question]:
    """All that have reasoning and an answer (281 of 57 subjects), so ordered that the first of them are spread evenly over the subjects;
    the same for the same seed.
    """
    from importlib.util import find_spec

    import yaml

    spec = find_spec("lm_eval")  # found, not imported: importing takes seconds
    assert spec is not None and spec.origin is not None
    folder = Path(spec.origin).parent / "tasks" / "mmlu" / "flan_cot_fewshot"
    by_subject: dict[str, list[Question]] = {}
    for path in sorted(folder.glob("mmlu_*.yaml")):
        record = yaml.safe_load(path.read_text("utf-8"))
        subject = record["dataset_name"]
        for sample in record["fewshot_config"]["samples"]:
            letter = re.search(r"answer is \(?([A-D])\)?", sample["target"])
            if letter and all(f"({choice})" in sample["question"] for choice in LETTERS):
                found = Question(subject, sample["question"].strip(), sample["target"].strip(), letter[1])
                by_subject.setdefault(subject, []).append(found)
    dice = random.Random(seed)
    for subject in sorted(by_subject):
        dice.shuffle(by_subject[subject])
    # the first of every subject, then the second of every subject, …
    rounds = max(map(len, by_subject.values()))
    return [by_subject[s][i] for i in range(rounds) for s in sorted(by_subject) if i < len(by_subject[s])]


def as_row(question: Question, number: int) -> Row:
    """A general question as a conversation whose answer is the reasoning."""
    messages = [{"role": "user", "content": question.text}, {"role": "assistant", "content": question.reasoning}]
    return Row(question.subject, messages, "general", number + 1)


def letters_right(
    model: Any,
    tokenizer: Any,
    chosen: list[Question],
    work: Path,
    batch_size: int,
    on_done: Callable[[int], None] = lambda done: None,
) -> list[float]:
    """1 or 0 for each question: whether the right letter is the likeliest, asked through lm-eval on local files only."""
    import os

    # lm-eval reads the questions with the `datasets` library, which caches what it reads: not in anybody's home
    os.environ["HF_DATASETS_CACHE"] = str(work / "cache")
    os.environ["HF_DATASETS_OFFLINE"] = "1"
    import yaml
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    folder = work / "mmlu"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "questions.jsonl", "w", encoding="utf-8") as file:
        for question in chosen:
            file.write(json.dumps({"question": question.text, "answer": LETTERS.index(question.answer)}) + "\n")
    task = {
        "task": "studio_mmlu",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(folder / "questions.jsonl")}},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "{{question}}\nAnswer:",
        "doc_to_choice": list(LETTERS),
        "doc_to_target": "answer",
        "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
    }
    (folder / "studio_mmlu.yaml").write_text(yaml.safe_dump(task), "utf-8")
    found = simple_evaluate(
        model=_letter_reader(model, tokenizer, batch_size, on_done),
        tasks=["studio_mmlu"],
        task_manager=TaskManager(include_path=str(folder), include_defaults=False),
        bootstrap_iters=0,
        log_samples=True,
    )
    assert found is not None
    samples = sorted(found["samples"]["studio_mmlu"], key=lambda sample: int(sample["doc_id"]))
    return [float(sample["acc"]) for sample in samples]


def _letter_reader(model: Any, tokenizer: Any, batch_size: int, on_done: Callable[[int], None]) -> Any:
    """An lm-eval model that computes logits where they count only.

    lm-eval's own takes the logits of every token of every question: a third of the work here, and gigabytes of them.
    """
    import torch
    from lm_eval.api.model import LM

    from engine.lib import batches, scoring

    class LetterReader(LM):
        def loglikelihood(self, requests: list[Any]) -> list[tuple[float, bool]]:
            asked: dict[str, list[int]] = {}  # a question is read once for its four letters
            for number, request in enumerate(requests):
                asked.setdefault(request.args[0], []).append(number)
            texts = list(asked)
            ids = [tokenizer(text)["input_ids"] for text in texts]
            found: list[tuple[float, bool]] = [(0.0, False)] * len(requests)
            done = 0
            for numbers in batches.by_length([len(i) for i in ids], batch_size):
                longest = max(len(ids[n]) for n in numbers)
                padded = torch.full((len(numbers), longest), tokenizer.pad_token_id)
                for row, n in enumerate(numbers):
                    padded[row, : len(ids[n])] = torch.tensor(ids[n])
                ends = torch.tensor([row * longest + len(ids[n]) - 1 for row, n in enumerate(numbers)])
                with torch.inference_mode():
                    hidden = scoring.hidden_states(model, padded.to(model.device))[ends.to(model.device)]
                    likely = torch.log_softmax(scoring.logits(model, hidden), -1).cpu()
                for row, n in enumerate(numbers):
                    for request in asked[texts[n]]:
                        # the letter with the space before it, as the tokens of the whole text have it
                        whole = tokenizer(texts[n] + requests[request].args[1])["input_ids"]
                        token = whole[len(ids[n])]
                        found[request] = (float(likely[row, token]), int(likely[row].argmax()) == token)
                done += len(numbers)
                on_done(done)
            return found

        def loglikelihood_rolling(self, requests: list[Any]) -> list[float]:
            raise NotImplementedError

        def generate_until(self, requests: list[Any]) -> list[str]:
            raise NotImplementedError

    return LetterReader()
