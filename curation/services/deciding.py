"""Approving, rejecting, asking for changes: one pair, all that match, or by rule."""

from collections.abc import Callable, Collection, Sequence
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from curation.documents import version_texts
from curation.labels import Labels
from curation.models import Message, Pair, PairChange, PairStatus
from curation.services.chosen import Chosen, Tick, batches_of, unwatched
from curation.services.responding import responses_reopen
from curation.services.writing import PairChanged, PairError, pair_edit
from projects import audit
from projects.models import Project, User
from projects.services import project_touch
from retrieval.batches import BATCH, batched

RULE = "evidence stands in the source and lengths are in bounds"
QUESTION_BOUNDS, ANSWER_BOUNDS = (8, 400), (2, 2_000)  # characters


def pair_approve(*, pair: Pair, by: User) -> Pair:
    """Raises ``PairChanged`` when the pair is no longer what ``by`` saw."""
    return _decide(pair, by, PairStatus.APPROVED)


def pair_reject(*, pair: Pair, by: User, note: str = "") -> Pair:
    """Raises ``PairChanged`` when the pair is no longer what ``by`` saw."""
    return _decide(pair, by, PairStatus.REJECTED, note)


def pair_request_changes(*, pair: Pair, by: User, note: str) -> Pair:
    """Send the pair back with a ``note``, and each response to who wrote it.

    Raises ``PairError`` without a note, ``PairChanged`` when the pair is no longer what ``by`` saw.
    """
    if not note.strip():
        raise PairError("Say what should change.", {"note": "Say what should change."})
    with transaction.atomic():
        pair = _decide(pair, by, PairStatus.CHANGES, note)
        responses_reopen(pair=pair)
    pair.refresh_from_db()
    return pair


def pair_reopen(*, pair: Pair, by: User) -> Pair:
    """Take a decision back. Raises ``PairChanged`` when it was decided anew meanwhile."""
    return _decide(pair, by, PairStatus.PENDING)


@transaction.atomic
def pair_review(
    *,
    pair: Pair,
    by: User,
    decision: PairStatus,
    question: str,
    answer: str,
    system: str | None = None,
    note: str = "",
    turns: Sequence[Message] | None = None,
    labels: Labels | None = None,
) -> Pair:
    """What a reviewer does in one go: mend words and labels where they need it, then decide. All of it or nothing.

    Raises ``PairError`` for words that cannot stand, ``PairChanged`` when the pair is no longer what ``by`` saw.
    """
    pair = pair_edit(pair=pair, by=by, question=question, answer=answer, system=system, turns=turns, labels=labels, reviewer=True)
    if decision == PairStatus.CHANGES:
        return pair_request_changes(pair=pair, by=by, note=note)
    return _decide(pair, by, decision, note)


@transaction.atomic
def _decide(pair: Pair, by: User, status: PairStatus, note: str = "") -> Pair:
    if not _set([pair.pk], by, [PairStatus(pair.status)], status, note=note.strip(), revision=pair.revision):
        raise PairChanged
    audit.record(
        pair.project,
        by,
        f"pair.{_verb(status)}",
        f"pair {pair.pk}",
        before={"status": pair.status},
        after={"status": status.value},
    )
    pair.refresh_from_db()
    return pair


def pairs_decide_bulk(
    *,
    project: Project,
    by: User,
    pairs: Chosen,
    status: PairStatus,
    described: str = "",
    tick: Tick = unwatched,
    sparing: Collection[PairStatus] = (),
    with_each: Callable[[list[UUID]], None] | None = None,
) -> int:
    """Approve or reject every pair of ``pairs`` that is not so yet, in batches; how many were. ``described`` says which, for the log.

    Pairs whose status is one of ``sparing`` stay as they are. ``with_each`` is given the ids of each batch, in its transaction.
    """
    others = [other for other in PairStatus if other != status and other not in sparing]
    done = 0
    for some in batches_of(project, pairs, tick):
        with transaction.atomic():
            done += _set(some, by, others, status)
            if with_each:
                with_each(some)
    if done:
        audit.record(project, by, f"pairs.{_verb(status)}", described[:200], after={"count": done, "status": status.value})
        project_touch(project)
    return done


def pairs_approve_by_rule(*, project: Project, by: User | None) -> int:
    """Approve what waits for review, was generated or tied to a source, still stands in it word for word, and is neither short nor long.

    The audit log and each pair's history name the rule, never a person, as the one that approved. Answers how many were approved.
    """
    waiting = (
        Pair.objects.filter(project=project, status=PairStatus.PENDING, stale=False).exclude(document_id=None).order_by("document_id", "pk")
    )
    texts = version_texts(project)
    sound = [
        (pair.pk, pair.revision)
        for pair in waiting.only("sources", "question", "answer", "revision").iterator(BATCH)
        if _keeps_rule(pair, texts)
    ]
    done = 0
    for some in batched(sound):
        with transaction.atomic():
            # the revision too: a pair edited since it was read is not what the rule looked at
            kept = dict(Pair.objects.filter(pk__in=[pk for pk, _ in some]).values_list("pk", "revision"))
            same = [pk for pk, revision in some if kept.get(pk) == revision]
            done += _set(same, None, [PairStatus.PENDING], PairStatus.APPROVED, rule=RULE)
    if done:
        after = {"count": done, "how": "approved by rule", "rule": RULE}
        audit.record(project, by, "pairs.approve_by_rule", "approved by rule", after=after)
        project_touch(project)
    return done


def _keeps_rule(pair: Pair, texts: Callable[[str], str]) -> bool:
    fits = QUESTION_BOUNDS[0] <= len(pair.question) <= QUESTION_BOUNDS[1] and ANSWER_BOUNDS[0] <= len(pair.answer) <= ANSWER_BOUNDS[1]
    return fits and bool(pair.sources) and all(source.holds_in(texts(source.version)) for source in pair.source_list)


def _set(
    ids: Sequence[UUID],
    by: User | None,
    before: list[PairStatus],
    after: PairStatus,
    *,
    note: str = "",
    rule: str = "",
    revision: int | None = None,
) -> int:
    """Compare-and-set the status of ``ids`` with a line of history each. Inside a transaction of the caller's."""
    pairs = Pair.objects.select_for_update().filter(pk__in=ids, status__in=before)
    if revision is not None:
        pairs = pairs.filter(revision=revision)
    found = dict(pairs.values_list("pk", "status"))
    if not found:
        return 0
    undecided = after == PairStatus.PENDING
    done = Pair.objects.filter(pk__in=found, status__in=before).update(
        status=after,
        note=note[:500],
        decided_by=None if undecided else by,
        decided_by_rule=rule,
        decided_at=None if undecided else timezone.now(),
    )
    PairChange.objects.bulk_create(
        PairChange(
            pair_id=pk,
            by=by,
            by_rule=rule,
            before={"status": was},
            after={"status": after.value, **({"note": note} if note else {})},
        )
        for pk, was in found.items()
    )
    return done


def _verb(status: PairStatus) -> str:
    return {"APPROVED": "approve", "REJECTED": "reject", "CHANGES": "request_changes", "PENDING": "reopen"}[status.value]
