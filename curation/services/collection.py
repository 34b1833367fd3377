"""How a project collects responses: how many a pair, how long a lock lasts, what the guidelines say, which tags there are."""

from collections.abc import Sequence

from django.db import transaction
from django.db.models import F

from curation.models import Claim, CollectionSettings, Pair, Tag
from curation.selectors.collecting import collection_of
from curation.services.tagging import tags_ensure
from projects import audit
from projects.models import Project, User

MOST_RESPONSES, LONGEST_LOCK, GUIDELINES_LIMIT = 10, 24 * 60, 40_000  # a pair; minutes; characters


@transaction.atomic
def collection_set(
    *, project: Project, by: User, overlap: int, lock_minutes: int, guidelines: str, tags: Sequence[str] = ()
) -> CollectionSettings:
    """Change how ``project`` collects responses. Pairs that have more than ``overlap`` already keep what they have.

    ``tags``, where any are named, become the first in this order, new ones made; the others stay behind them.
    """
    before = collection_of(project)
    collection, _ = CollectionSettings.objects.update_or_create(
        project=project, defaults={"overlap": overlap, "lock_minutes": lock_minutes, "guidelines": guidelines}
    )
    if overlap != before.overlap:
        _fit(project, overlap)
    if tags:
        _order(project, tags)
    audit.record(
        project,
        by,
        "collection.set",
        before={"overlap": before.overlap, "lock_minutes": before.lock_minutes},
        after={"overlap": overlap, "lock_minutes": lock_minutes, "guidelines_changed": guidelines != before.guidelines},
    )
    return collection


def _fit(project: Project, overlap: int) -> None:
    """Make the free places of every pair what ``overlap`` leaves of them."""
    pairs = Pair.objects.filter(project=project)
    pairs.filter(collected__gte=overlap, responses_left__gt=0).update(responses_left=0)
    pairs.filter(collected__lt=overlap).update(responses_left=overlap - F("collected"))
    for pair_id in list(Claim.objects.filter(pair__project=project).values_list("pair_id", flat=True)):
        Pair.objects.filter(pk=pair_id, responses_left__gt=0).update(responses_left=F("responses_left") - 1)


def _order(project: Project, names: Sequence[str]) -> None:
    made = tags_ensure(project=project, names=names)
    first = list(dict.fromkeys(made[name].pk for name in names if name in made))
    rest = Tag.objects.filter(project=project).exclude(pk__in=first).values_list("pk", flat=True)
    for order, pk in enumerate([*first, *rest]):
        Tag.objects.filter(pk=pk).update(order=order)
