"""What one person says of one pair: saving the draft, submitting, discarding, skipping, taking it back."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import F
from django.utils import timezone

from curation.agreement import same
from curation.labels import LABELS, too_long
from curation.messages import entered, with_words
from curation.models import Claim, Difficulty, Pair, PairStatus, Response, ResponseState, Tag, Verdict
from curation.selectors.collecting import DONE, collection_of
from curation.services.collecting import OPEN, PlaceTaken, claim_release, place_hold, why_not
from curation.services.writing import PairError
from curation.turns import in_turn
from engine.lib.pair_rows import TURN_LIMIT

COMMENT_LIMIT, LONGEST = 2_000, 4 * 60 * 60  # characters; seconds that one save may add
LIMITS = {"question": TURN_LIMIT, "answer": TURN_LIMIT, "system": TURN_LIMIT, "comment": COMMENT_LIMIT, "topic": LABELS["topic"]}


class ResponseChanged(PairError):
    """The same person changed or sent this response from somewhere else."""

    def __init__(self) -> None:
        super().__init__(
            "You changed or sent this from another window meanwhile. What you typed is still here; copy it if you need it, then reload."
        )


@dataclass(frozen=True)
class Said:
    """What a person says of a pair, as the form has it. ``seconds``: how long they looked at it since the last save."""

    question: str
    answer: str
    system: str = ""
    verdict: str = ""
    tags: Sequence[int] = field(default_factory=tuple)
    topic: str = ""
    difficulty: str = ""
    comment: str = ""
    seconds: int = 0


@in_turn()
def response_save(*, response: Response, said: Said, revision: int) -> Response:
    """Keep a draft, and the claim on its pair. Words may be unfinished.

    Raises ``PairError`` for what is too long, ``ResponseChanged`` where ``revision`` is no longer the response's. Where the place was
    lost meanwhile the words are kept, too; ``Claim`` tells.
    """
    _write(response, said, revision, ResponseState.DRAFT)
    place_hold(response.pair_id, response.user, collection_of(response.pair.project).lock_minutes)
    response.refresh_from_db()
    return response


def response_submit(*, response: Response, said: Said, revision: int) -> Response:
    """Send what the person says. Raises ``PairError`` for what is missing, ``ResponseChanged`` and ``PlaceTaken``; the draft stays."""
    wrong = _wrong(said)
    if wrong:
        raise PairError("Some things are missing.", wrong)
    return _close(response, said, revision, ResponseState.SUBMITTED)


def response_discard(*, response: Response, said: Said, revision: int) -> Response:
    """Say that the pair should not be used. Raises ``ResponseChanged`` and ``PlaceTaken``; the draft stays."""
    return _close(response, said, revision, ResponseState.DISCARDED)


@in_turn()
def response_skip(*, response: Response, said: Said, revision: int) -> Response:
    """Leave the pair to others; it comes back only when the person asks for it. Raises ``ResponseChanged``."""
    _write(response, said, revision, ResponseState.SKIPPED)
    claim_release(pair_id=response.pair_id, by=response.user)
    response.refresh_from_db()
    return response


@in_turn()
def response_undo(*, response: Response) -> Response:
    """Take back what was sent, or come back to what was skipped. Raises ``PlaceTaken`` when a reviewer has decided since, or when
    others took the place of a skipped one."""
    pair = _locked(response)
    minutes = collection_of(pair.project).lock_minutes
    if response.state in DONE:
        if pair.status not in OPEN:
            raise PlaceTaken(why_not(pair))
        was = Response.objects.filter(pk=response.pk, state=response.state, revision=response.revision)
        if not was.update(state=ResponseState.DRAFT, submitted_at=None, revision=F("revision") + 1, updated_at=timezone.now()):
            raise ResponseChanged
        # the place it filled is free for a moment, inside this transaction, and taken by its claim
        Pair.objects.filter(pk=pair.pk).update(collected=F("collected") - 1, responses_left=F("responses_left") + 1, disputed=False)
    elif not Response.objects.filter(pk=response.pk, state=response.state).update(state=ResponseState.DRAFT, updated_at=timezone.now()):
        raise ResponseChanged
    if not place_hold(pair.pk, response.user, minutes):
        raise PlaceTaken(why_not(pair))
    response.refresh_from_db()
    return response


def responses_reopen(*, pair: Pair) -> int:
    """Give every response back to who wrote it, because a reviewer asks for changes; how many. Inside a transaction of the caller's."""
    again = Response.objects.filter(pair=pair, state__in=DONE)
    count = again.update(state=ResponseState.DRAFT, submitted_at=None, revision=F("revision") + 1, updated_at=timezone.now())
    if count:
        held = Claim.objects.filter(pair=pair).count()
        left = max(0, collection_of(pair.project).overlap - held)
        Pair.objects.filter(pk=pair.pk).update(collected=0, responses_left=left, disputed=False)
    return count


def _close(response: Response, said: Said, revision: int, state: ResponseState) -> Response:
    with in_turn():
        pair = _locked(response)
        held, _ = Claim.objects.filter(pair=pair, user=response.user).delete()
        if pair.status not in OPEN or not (held or pair.responses_left):
            raise PlaceTaken(why_not(pair))
        _write(response, said, revision, state)
        filled: dict[str, Any] = {"collected": pair.collected + 1, "responses_left": pair.responses_left - (0 if held else 1)}
        if filled["collected"] >= collection_of(pair.project).overlap:
            sent = list(Response.objects.filter(pair=pair, state__in=DONE))
            back = {"status": PairStatus.PENDING} if pair.status == PairStatus.CHANGES else {}
            filled |= {"disputed": not same(sent), **back}
        Pair.objects.filter(pk=pair.pk).update(**filled)
    response.refresh_from_db()
    return response


def _locked(response: Response) -> Pair:
    """The pair as it stands, held until the transaction ends."""
    return Pair.objects.select_for_update(of=("self",)).select_related("project").get(pk=response.pair_id)


def _write(response: Response, said: Said, revision: int, state: ResponseState) -> None:
    """Compare-and-set a draft. Raises ``PairError`` for what is too long to be kept whole, ``ResponseChanged``."""
    if wrong := {name: text for name, most in LIMITS.items() if (text := too_long(entered(getattr(said, name)), most))}:
        raise PairError(" ".join(f"{name.capitalize()}: {text}" for name, text in wrong.items()), wrong)
    messages = with_words(response.pair.messages, entered(said.question), entered(said.answer), entered(said.system))
    sent = {"submitted_at": timezone.now()} if state in DONE else {}
    done = Response.objects.filter(pk=response.pk, state=ResponseState.DRAFT, revision=revision).update(
        state=state,
        messages=messages,
        answer=messages[-1]["content"],
        verdict=said.verdict if said.verdict in Verdict.values else "",
        tags=sorted(Tag.objects.filter(project=response.pair.project_id, pk__in=list(said.tags)).values_list("pk", flat=True))
        if said.tags
        else [],
        topic=said.topic.strip(),
        difficulty=said.difficulty if said.difficulty in Difficulty.values else "",
        comment=entered(said.comment),
        seconds=F("seconds") + min(max(0, said.seconds), LONGEST),
        revision=F("revision") + 1,
        updated_at=timezone.now(),
        **sent,
    )
    if not done:
        raise ResponseChanged


def _wrong(said: Said) -> dict[str, str]:
    wrong = {}
    if said.verdict not in Verdict.values:
        wrong["verdict"] = "Say whether the pair is good to train on."
    if not said.question.strip():
        wrong["question"] = "Write a question, or discard the pair."
    if not said.answer.strip():
        wrong["answer"] = "Write an answer, or discard the pair."
    return wrong
