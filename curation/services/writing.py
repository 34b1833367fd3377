"""Writing and editing a pair."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import F

from curation.models import Message, Origin, Pair, PairChange, PairStatus
from curation.sources import Source, question_hash
from projects import audit
from projects.models import Project, User
from projects.services import project_touch

QUESTION_LIMIT, ANSWER_LIMIT = 4_000, 40_000  # characters; more than any context of a small model holds


class PairError(Exception):
    """A pair cannot be written or changed as asked. ``fields`` maps a field to what is wrong with it."""

    def __init__(self, message: str, fields: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.fields = fields or {}


class PairChanged(PairError):
    """Somebody else changed the pair meanwhile."""

    def __init__(self) -> None:
        super().__init__(
            "Somebody else changed this pair meanwhile. What they did is in its history; your words are still here. "
            "Send them again to put them in place of theirs."
        )


def messages_of(question: str, answer: str, system: str = "") -> list[Message]:
    """The messages a pair is trained on."""
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return [{"role": "system", "content": system}, *turns] if system else turns


def with_words(messages: Sequence[Message], question: str, answer: str, system: str) -> list[Message]:
    """``messages`` with their first user turn, their last answer and their system prompt replaced; turns between stay as they are."""
    turns = [message for message in messages if message["role"] != "system"]
    if len(turns) < 2:
        return messages_of(question, answer, system)
    first = next((place for place, turn in enumerate(turns) if turn["role"] == "user"), 0)
    changed = {first: question, len(turns) - 1: answer}
    turns = [{**turn, "content": changed.get(place, turn["content"])} for place, turn in enumerate(turns)]
    return [{"role": "system", "content": system}, *turns] if system else turns


def derived(messages: Sequence[Message]) -> dict[str, Any]:
    """The fields of a ``Pair`` that follow from its messages, the last of which is the answer. The only place that writes them."""
    turns = [message["content"] for message in messages if message["role"] != "system"]
    question = next((message["content"] for message in messages if message["role"] == "user"), turns[0])
    answer = turns[-1]
    return {
        "messages": list(messages),
        "question": question,
        "answer": answer,
        "answer_length": len(answer),
        "question_hash": question_hash(*reversed(turns[:-1])) if len(turns) > 1 else question_hash(question),
    }


def _checked(question: str, answer: str) -> tuple[str, str]:
    question, answer = question.strip(), answer.strip()
    wrong: dict[str, str] = {}
    if not question:
        wrong["question"] = "Write a question."
    elif len(question) > QUESTION_LIMIT:
        wrong["question"] = f"At most {QUESTION_LIMIT:,} characters; this one has {len(question):,}."
    if not answer:
        wrong["answer"] = "Write an answer: the model would learn to say nothing."
    elif len(answer) > ANSWER_LIMIT:
        wrong["answer"] = f"At most {ANSWER_LIMIT:,} characters; this one has {len(answer):,}."
    if wrong:
        raise PairError("Some fields are not right.", wrong)
    return question, answer


def _check_new(project: Project, question_hash: str, but: Pair | None = None) -> None:
    """Raise ``PairError`` for a question that is there already. Inside the transaction that writes it."""
    same = Pair.objects.filter(project=project, question_hash=question_hash)
    if (same.exclude(pk=but.pk) if but else same).exists():
        text = "This project has this question already. Edit that pair, or ask something else."
        raise PairError(text, {"question": text})


@transaction.atomic
def pair_create(
    *,
    project: Project,
    by: User,
    question: str,
    answer: str,
    shape: str = "free",
    system: str = "",
    sources: list[Source] | None = None,
) -> Pair:
    """A pair written by a person, waiting for review. Raises ``PairError`` for empty words or a question that is there already."""
    question, answer = _checked(question, answer)
    sources = sources or []
    fields = derived(messages_of(question, answer, system.strip()))
    _check_new(project, fields["question_hash"])
    pair = Pair.objects.create(
        project=project,
        **fields,
        shape=shape or "free",
        sources=[source.as_dict() for source in sources],
        document_id=sources[0].document if sources else None,
        version_id=sources[0].version if sources else None,
        origin=Origin.WRITTEN,
        created_by=by,
    )
    audit.record(project, by, "pair.create", f"pair {pair.pk}")
    project_touch(project)
    return pair


@transaction.atomic
def pair_edit(*, pair: Pair, by: User, question: str, answer: str, reviewer: bool, system: str | None = None) -> Pair:
    """Change a pair's words, with a line of history. An edit by who is no ``reviewer`` sends an approved pair back to review.

    Compare-and-set on the revision ``pair`` was read with. Raises ``PairError`` for words that cannot stand, ``PairChanged`` when
    somebody else was first.
    """
    question, answer = _checked(question, answer)
    system = pair.system if system is None else system.strip()
    fields = derived(with_words(pair.messages, question, answer, system))
    if fields["messages"] == pair.messages:
        return pair
    if fields["question_hash"] != pair.question_hash:
        _check_new(pair.project, fields["question_hash"], but=pair)
    status = pair.status
    if status == PairStatus.CHANGES or (status == PairStatus.APPROVED and not reviewer):
        status = PairStatus.PENDING
    before, after = _words(pair.question, pair.answer, pair.status), _words(question, answer, status)
    undecided = {"decided_by": None, "decided_by_rule": "", "decided_at": None} if status != pair.status else {}
    done = Pair.objects.filter(pk=pair.pk, revision=pair.revision, status=pair.status).update(
        **fields, **undecided, status=status, edited=True, revision=F("revision") + 1
    )
    if not done:
        raise PairChanged
    PairChange.objects.create(pair=pair, by=by, before=before, after=after)
    audit.record(pair.project, by, "pair.edit", f"pair {pair.pk}", before={"status": pair.status}, after={"status": status})
    pair.refresh_from_db()
    return pair


def _words(question: str, answer: str, status: str) -> dict[str, str]:
    return {"question": question, "answer": answer, "status": status}
