"""Writing and editing a pair."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import F

from curation.errors import PairChanged, PairError
from curation.labels import Labels, known_tags, label_checked, preference_of, tags_of, tags_set, too_long
from curation.messages import Words, entered, messages_of, turns_between, with_words, words_of
from curation.models import Message, Origin, Pair, PairChange, PairStatus
from curation.selectors.collecting import collection_of
from curation.sources import Source, answer_hash, question_hash
from projects import audit
from projects.models import Project, User
from projects.services import project_touch

MISSING = {"question": "Write a question.", "answer": "Write an answer: the model would learn to say nothing."}


def derived(messages: Sequence[Message]) -> dict[str, Any]:
    """The fields of a ``Pair`` that follow from its messages, the last of which is the answer. The only place that writes them."""
    words = words_of(messages)
    asked = [message["content"] for message in messages if message["role"] != "system"][:-1]
    return {
        "messages": list(messages),
        "question": words.question,
        "answer": words.answer,
        "answer_length": len(words.answer),
        "answer_hash": answer_hash(words.answer),
        "question_hash": question_hash(*reversed(asked)) if asked else question_hash(words.question),
    }


def checked(question: str, answer: str, system: str = "") -> Words:
    """The three as they are kept of what somebody typed. Raises ``PairError`` for words that cannot stand, by field."""
    words = Words(entered(question), entered(answer), entered(system))
    wrong = {name: said for name, text in words._asdict().items() if (said := too_long(text) if text else MISSING.get(name, ""))}
    if wrong:
        raise PairError("Some fields are not right.", wrong)
    return words


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
    sources = sources or []
    fields = derived(messages_of(*checked(question, answer, system)))
    _check_new(project, fields["question_hash"])
    pair = Pair.objects.create(
        project=project,
        **fields,
        shape=shape or "free",
        sources=[source.as_dict() for source in sources],
        document_id=sources[0].document if sources else None,
        version_id=sources[0].version if sources else None,
        origin=Origin.WRITTEN,
        responses_left=collection_of(project).overlap,
        created_by=by,
    )
    audit.record(project, by, "pair.create", f"pair {pair.pk}")
    project_touch(project)
    return pair


@transaction.atomic
def pair_edit(
    *,
    pair: Pair,
    by: User,
    question: str,
    answer: str,
    reviewer: bool,
    system: str | None = None,
    turns: Sequence[Message] | None = None,
    labels: Labels | None = None,
) -> Pair:
    """Change a pair's words, and where they are given the ``turns`` between question and answer and its ``labels``; with a line of history.

    An edit of the words by who is no ``reviewer`` sends an approved pair back to review.
    Compare-and-set on the revision ``pair`` was read with. Raises ``PairError`` for words that cannot stand, ``PairChanged`` when
    somebody else was first.
    """
    words = checked(question, answer, pair.system if system is None else system)
    between = None if turns is None or _same(turns, turns_between(pair.messages)) else checked_turns(turns)
    messages = with_words(pair.messages, *words, between)
    fields = derived(messages) | preference_of(pair, messages, labels.rejected if labels else None)
    if fields["question_hash"] != pair.question_hash:
        _check_new(pair.project, fields["question_hash"], but=pair)
    rewritten = messages != pair.messages or fields["rejected"] != pair.rejected
    carried, wanted = (tags_of(pair), known_tags(pair, labels.tags)) if labels else ([], [])
    relabelled = {name: value for name, value in _labels(labels).items() if value != getattr(pair, name)}
    if not rewritten and not relabelled and carried == wanted:
        return pair
    status = pair.status
    if rewritten and (status == PairStatus.CHANGES or (status == PairStatus.APPROVED and not reviewer)):
        status = PairStatus.PENDING
    before, after = _changes(pair, fields, status, rewritten)
    before |= {name: getattr(pair, name) for name in relabelled}
    after |= relabelled
    if carried != wanted:
        before["tags"], after["tags"] = carried, wanted
    undecided = {"decided_by": None, "decided_by_rule": "", "decided_at": None} if status != pair.status else {}
    done = Pair.objects.filter(pk=pair.pk, revision=pair.revision, status=pair.status).update(
        **fields, **relabelled, **undecided, status=status, edited=pair.edited or rewritten, revision=F("revision") + 1
    )
    if not done:
        raise PairChanged
    tags_set(pair, wanted, carried)
    PairChange.objects.create(pair=pair, by=by, before=before, after=after)
    audit.record(pair.project, by, "pair.edit", f"pair {pair.pk}", before={"status": pair.status}, after={"status": status})
    pair.refresh_from_db()
    return pair


def _same(turns: Sequence[Message], others: Sequence[Message]) -> bool:
    return [(turn["role"], entered(turn["content"])) for turn in turns] == [(turn["role"], entered(turn["content"])) for turn in others]


def checked_turns(turns: Sequence[Message]) -> list[Message]:
    """``turns`` as they are kept of what somebody typed, without the empty ones. Raises ``PairError`` unless question and answer still
    alternate."""
    kept = [{"role": turn["role"], "content": text} for turn in turns if (text := entered(turn["content"]))]
    wrong = next((f"Turn {number} is too long. {said}" for number, turn in enumerate(kept, 1) if (said := too_long(turn["content"]))), "")
    if [turn["role"] for turn in kept] != ["assistant", "user"] * (len(kept) // 2) or len(kept) % 2:
        wrong = "Between the question and the answer, answers and questions take turns: an answer first, a question last."
    if wrong:
        raise PairError(wrong, {"turns": wrong})
    return kept


def _labels(labels: Labels | None) -> dict[str, str]:
    if labels is None:
        return {}
    return {name: label_checked(name, getattr(labels, name)) for name in ("topic", "language", "difficulty")}


def _changes(pair: Pair, fields: dict[str, Any], status: str, rewritten: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """What stood there and what stands there now, for the history."""
    if not rewritten:
        return {}, {}
    before = _words(pair.question, pair.answer, pair.status, pair.messages)
    after = _words(fields["question"], fields["answer"], status, fields["messages"])
    if fields["rejected"] != pair.rejected or fields["fork"] != pair.fork:
        before |= {"rejected": pair.rejected, "fork": pair.fork}
        after |= {"rejected": fields["rejected"], "fork": fields["fork"]}
    return before, after


def _words(question: str, answer: str, status: str, messages: list[Message]) -> dict[str, Any]:
    return {"question": question, "answer": answer, "status": status, "messages": messages}
