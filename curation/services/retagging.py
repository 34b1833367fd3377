"""Tags put on pairs and taken off them, many at a time, each with its line of history."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import F

from curation.models import Pair, PairChange, PairTag, Tag
from projects.models import User

Changes = Mapping[UUID, tuple[dict[str, Any], dict[str, Any]]]  # pair → what its history keeps of before and after


def pairs_retag(*, by: User, pairs: Sequence[UUID], put: Tag | None = None, take: Tag | None = None) -> int:
    """Let each of ``pairs``, at most a batch, carry ``put`` and no longer ``take``; for how many that is a change.

    Inside a transaction of the caller's. The history keeps the name of what was taken off, for a tag may go.
    """
    locked = set(Pair.objects.select_for_update().filter(pk__in=pairs).values_list("pk", flat=True))
    carried: dict[UUID, set[int]] = defaultdict(set)
    for pk, tag in PairTag.objects.filter(pair__in=locked).values_list("pair", "tag"):
        carried[pk].add(tag)
    putting, taking = ({one.pk} if one else set() for one in (put, take))
    wanted = {pk: (carried[pk] - taking) | putting for pk in locked}
    changed = [pk for pk in locked if wanted[pk] != carried[pk]]
    PairTag.objects.filter(pair__in=changed, tag__in=taking - putting).delete()
    new = (PairTag(pair_id=pk, tag_id=tag) for pk in changed for tag in wanted[pk] - carried[pk])
    PairTag.objects.bulk_create(new, ignore_conflicts=True)
    gone = {"tag_names": {str(take.pk): take.name}} if take else {}
    history_write(by, {pk: ({"tags": sorted(carried[pk]), **gone}, {"tags": sorted(wanted[pk])}) for pk in changed})
    return len(changed)


def history_write(by: User, changes: Changes, **fields: Any) -> None:
    """Set ``fields`` on the pairs of ``changes``, with a line of history each and a new revision: whoever has the pair open is told that
    it is no longer what they see. Inside a transaction of the caller's."""
    Pair.objects.filter(pk__in=changes).update(**fields, revision=F("revision") + 1)
    PairChange.objects.bulk_create(PairChange(pair_id=pk, by=by, before=before, after=after) for pk, (before, after) in changes.items())
