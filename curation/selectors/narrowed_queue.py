"""Which of the pairs that a filter finds are for somebody to answer: the queue of ``curation.queueing``, narrowed down."""

from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet

from curation.models import Assignment, Claim, Pair, PairStatus, PairTag, Response, ResponseState
from curation.queueing import WINDOW, Standing
from curation.selectors.collecting import OPEN
from projects.models import User


def drafts_within(pairs: QuerySet[Pair], user: User, *, at_hand: bool) -> list[UUID]:
    """Those of ``pairs`` that ``user`` has begun and can go on with, the longest waiting first; ``at_hand`` as for the whole queue."""
    mine = Response.objects.filter(user=user, state=ResponseState.DRAFT, pair__in=pairs.filter(status__in=OPEN).order_by().values("pk"))
    held = Exists(Claim.objects.filter(pair=OuterRef("pair"), user=user))
    rows = mine.annotate(held=held).order_by("updated_at").values_list("pair_id", "held", "pair__responses_left", "pair__status")
    return [pk for pk, held, left, status in rows if held or (left and (not at_hand or status == PairStatus.CHANGES))][:WINDOW]


def free_within(pairs: QuerySet[Pair], user: User, now: Standing, status: str) -> list[UUID]:
    """Those of ``pairs`` with this status and a free place that ``user`` may answer and has not: begun ones first, then the oldest."""
    answered = Response.objects.filter(pair=OuterRef("pk"), user=user)
    free = pairs.filter(~Exists(answered), status=status, responses_left__gt=0)
    ones = Assignment.objects.filter(pair=OuterRef("pk"))
    tagged = PairTag.objects.filter(pair=OuterRef("pk"), tag__assignments__isnull=False)
    if now.assigned_to_me:
        free = free.filter(Exists(ones.filter(user=user)) | Exists(tagged.filter(tag__assignments__user=user)))
    elif now.assigned:
        free = free.filter(~Exists(ones), ~Exists(tagged))
    return list(free.order_by("responses_left", "created_at", "pk").values_list("pk", flat=True)[:WINDOW])
