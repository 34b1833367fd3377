"""Who gets which pair next, and the lock that keeps it theirs.

Every pair has places, as many as responses are wanted of it. A place is free (counted in ``Pair.responses_left``), held by a claim, or
filled by a response that was submitted or discarded. A place changes hands by compare-and-set inside one short transaction, so that
any number of annotators together collect exactly as many responses as are wanted. Whoever writes both locks the pair's row first.
"""

import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from uuid import UUID

from django.db import IntegrityError
from django.db.models import F, QuerySet
from django.utils import timezone

from curation import queueing
from curation.models import Claim, Pair, PairStatus, Response, ResponseState
from curation.selectors.collecting import collection_of
from curation.selectors.narrowed_queue import drafts_within, free_within
from curation.services.writing import PairError
from curation.turns import in_turn
from projects.models import Project, User

OPEN = (PairStatus.PENDING, PairStatus.CHANGES)  # what still collects responses
ROUNDS = 50  # windows that may go to others before somebody is told that nothing is left
EXPIRED_AT_ONCE = 20
MANY = 32_767  # places: more than any pair has


class PlaceTaken(PairError):
    """Nobody further can work on the pair: its places are taken, or a reviewer has decided."""


def response_next(*, project: Project, by: User, leaving: Response | None = None, within: QuerySet[Pair] | None = None) -> Response | None:
    """The response ``by`` works on next, with a claim on its pair; None when nothing is left for them.

    First what they are at or were sent back, then pairs that others began, then fresh ones, oldest first; then what they put off.
    ``leaving`` keeps its draft, gives its place back and comes last of all. ``within`` narrows all of it down to these pairs.
    """
    now = queueing.standing(project.pk, by.pk)
    if now.expired:
        claims_release_expired(project=project)
    left = leaving.pair_id if leaving else None
    if left:
        claim_release(pair_id=left, by=by)
    for pair_id in _drafts(project, by, within, at_hand=True):
        if pair_id != left and (found := _begin(pair_id, by, now.lock_minutes)):
            return found
    for pair_id in _candidates(project, by, now, within):
        if found := _begin_new(pair_id, by, now.lock_minutes):
            return found
    for pair_id in _drafts(project, by, within):
        if pair_id != left and (found := _begin(pair_id, by, now.lock_minutes)):
            return found
    return _begin(left, by, now.lock_minutes) if left else None


def response_begin(*, pair: Pair, by: User) -> Response:
    """A response of ``by`` to this very pair, begun or taken up again. Raises ``PlaceTaken`` where there is no place for them."""
    claims_release_expired(project=pair.project)
    response = Response.objects.filter(pair=pair, user=by).first()
    if response and response.state in (ResponseState.SUBMITTED, ResponseState.DISCARDED):
        return response
    found = _begin(pair.pk, by, collection_of(pair.project).lock_minutes)
    if found is None:
        raise PlaceTaken(why_not(Pair.objects.get(pk=pair.pk)))
    return found


def why_not(pair: Pair) -> str:
    """Why nobody further can begin on ``pair``."""
    if pair.status not in OPEN:
        return f"A reviewer has decided on this pair: {pair.get_status_display().lower()}. What you wrote stays in your draft."
    return "Others have all the responses that are wanted of this pair, or are writing them. What you wrote stays in your draft."


def claim_release(*, pair_id: UUID, by: User) -> bool:
    """Give back the place that ``by`` holds; whether they held one."""
    with in_turn():
        Pair.objects.select_for_update().filter(pk=pair_id).only("pk").first()
        gone, _ = Claim.objects.filter(pair_id=pair_id, user=by).delete()
        if gone:
            Pair.objects.filter(pk=pair_id).update(responses_left=F("responses_left") + 1)
    return bool(gone)


def claims_release_expired(*, project: Project) -> int:
    """Free the places of those who went away; how many were freed. A little at a time: everyone who asks for a pair does it."""
    expired = list(
        Claim.objects.filter(expires_at__lt=timezone.now(), pair__project=project).values_list("pk", "pair_id")[:EXPIRED_AT_ONCE]
    )
    freed = 0
    for pk, pair_id in expired:
        with in_turn():
            Pair.objects.select_for_update().filter(pk=pair_id).only("pk").first()
            # whoever came back in this moment has moved the end of their claim
            gone, _ = Claim.objects.filter(pk=pk, expires_at__lt=timezone.now()).delete()
            if gone:
                Pair.objects.filter(pk=pair_id).update(responses_left=F("responses_left") + 1)
                freed += 1
    return freed


def place_hold(pair_id: UUID, by: User, minutes: int) -> bool:
    """Renew the claim of ``by``, or take a free place; False where there is none. Inside a transaction of the caller's."""
    until = timezone.now() + timedelta(minutes=minutes)
    if Claim.objects.filter(pair_id=pair_id, user=by).update(expires_at=until):
        return Pair.objects.filter(pk=pair_id, status__in=OPEN).exists()
    free = Pair.objects.filter(pk=pair_id, status__in=OPEN, responses_left__gt=0)
    if not free.update(responses_left=F("responses_left") - 1):
        return False
    Claim.objects.create(pair_id=pair_id, user=by, expires_at=until)
    return True


def _begin(pair_id: UUID, by: User, minutes: int) -> Response | None:
    """Claim the pair and have a draft on it, old or new; None where others took the last place."""
    response = Response.objects.filter(pair_id=pair_id, user=by).first()
    if response is None:
        return _begin_new(pair_id, by, minutes)
    with in_turn():
        if not place_hold(pair_id, by, minutes):
            return None
        again = Response.objects.filter(pk=response.pk, state=ResponseState.SKIPPED)
        again.update(state=ResponseState.DRAFT, updated_at=timezone.now())
    response.refresh_from_db()
    return response


def _begin_new(pair_id: UUID, by: User, minutes: int) -> Response | None:
    """Claim a pair that ``by`` has no response to; None where others took the last place."""
    try:
        with in_turn():
            made = queueing.begin(pair_id, by.pk, timezone.now() + timedelta(minutes=minutes))
    except IntegrityError:  # the same person, twice at this moment: the other request has it
        return Response.objects.filter(pair_id=pair_id, user=by, state=ResponseState.DRAFT).first()
    return Response.objects.get(pk=made) if made else None


def _drafts(project: Project, by: User, within: QuerySet[Pair] | None, *, at_hand: bool = False) -> list[UUID]:
    if within is not None:
        return drafts_within(within, by, at_hand=at_hand)
    return queueing.drafts(project.pk, by.pk, at_hand=at_hand)


def _candidates(project: Project, by: User, now: queueing.Standing, within: QuerySet[Pair] | None) -> Iterator[UUID]:
    """Pairs with a free place that ``by`` has not answered yet: the first for them, the others should that one go.

    A whole look through the pairs that others began comes last, for whoever has answered most of them.
    """
    if within is not None:
        for status in OPEN:
            yield from _windows(partial(free_within, within, by, now, status.value))
        return
    queue = queueing.queue_for(project.pk, by.pk, now)
    for status in OPEN:
        asked = (project.pk, by.pk, queue, status.value)
        if now.overlap > 1:
            yield from queueing.begun(*asked, now.overlap)
        yield from _windows(partial(queueing.free, *asked, now.overlap, MANY))
        if now.overlap > 1:
            yield from _windows(partial(queueing.free, *asked, 1, now.overlap - 1))


def _windows(look: Callable[[], list[UUID]]) -> Iterator[UUID]:
    """Keys in order, a window at a time for as long as every one of a window goes to others. Each window is asked anew."""
    for _ in range(ROUNDS):
        some = look()
        # the oldest first; then from anywhere: whoever lost one race would lose the next to the same people
        yield from [*some[:1], *random.sample(some[1:], len(some[1:]))]
        if len(some) < queueing.WINDOW:
            return
