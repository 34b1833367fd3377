"""Topic, difficulty, language and tags of many pairs at once: those selected, or all that match."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F

from curation.labels import label_checked
from curation.models import Pair, PairChange, PairTag, Tag
from curation.services.chosen import Chosen, Tick, batches_of, unwatched
from curation.services.tagging import tag_named
from projects import audit
from projects.models import Project, User
from projects.services import project_touch


def pairs_label(*, project: Project, by: User, pairs: Chosen, field: str, value: str, described: str = "", tick: Tick = unwatched) -> int:
    """Set ``field`` (topic, difficulty or language) of every pair of ``pairs`` that has it otherwise, in batches; how many had.

    ``described`` says which pairs, for the log. Raises ``PairError`` for a value that the field cannot hold.
    """
    value = label_checked(field, value)
    done = 0
    for ids in batches_of(project, pairs, tick):
        with transaction.atomic():
            rows = Pair.objects.select_for_update().filter(pk__in=ids).exclude(**{field: value})
            was = dict(rows.values_list("pk", field))
            _changed(by, {pk: ({field: before}, {field: value}) for pk, before in was.items()}, {field: value})
            done += len(was)
    return _recorded(project, by, f"pairs.set_{field}", described, done, {"value": value})


def pairs_tag(*, project: Project, by: User, pairs: Chosen, name: str, described: str = "", tick: Tick = unwatched) -> int:
    """Put the tag ``name`` on every pair of ``pairs`` that lacks it, in batches; how many did. Makes the tag where it is new."""
    tag = tag_named(project, name)
    done = 0
    for ids in batches_of(project, pairs, tick):
        with transaction.atomic():
            done += _retag(by, tag, ids, put=True)
    return _recorded(project, by, "pairs.tag", described, done, {"tag": tag.pk})


def pairs_untag(*, project: Project, by: User, pairs: Chosen, tag: Tag, described: str = "", tick: Tick = unwatched) -> int:
    """Take ``tag`` off every pair of ``pairs`` that carries it, in batches; how many did."""
    done = 0
    for ids in batches_of(project, pairs, tick):
        with transaction.atomic():
            done += _retag(by, tag, ids, put=False)
    return _recorded(project, by, "pairs.untag", described, done, {"tag": tag.pk})


def _retag(by: User, tag: Tag, ids: Sequence[UUID], *, put: bool) -> int:
    locked = set(Pair.objects.select_for_update().filter(pk__in=ids).values_list("pk", flat=True))
    carried: dict[UUID, list[int]] = defaultdict(list)
    for pk, tag_id in PairTag.objects.filter(pair__in=locked).values_list("pair", "tag"):
        carried[pk].append(tag_id)
    wrong = [pk for pk in locked if (tag.pk in carried[pk]) is not put]
    if put:
        PairTag.objects.bulk_create((PairTag(pair_id=pk, tag=tag) for pk in wrong), ignore_conflicts=True)
    else:
        PairTag.objects.filter(pair__in=wrong, tag=tag).delete()
    changes = {}
    for pk in wrong:
        after = {*carried[pk], tag.pk} if put else set(carried[pk]) - {tag.pk}
        changes[pk] = ({"tags": sorted(carried[pk])}, {"tags": sorted(after)})
    _changed(by, changes, {})
    return len(wrong)


def _changed(by: User, changes: dict[UUID, tuple[dict[str, Any], dict[str, Any]]], fields: dict[str, Any]) -> None:
    """A line of history each, and a new revision: whoever has the pair open is told that it is no longer what they see."""
    Pair.objects.filter(pk__in=changes).update(**fields, revision=F("revision") + 1)
    PairChange.objects.bulk_create(PairChange(pair_id=pk, by=by, before=before, after=after) for pk, (before, after) in changes.items())


def _recorded(project: Project, by: User, action: str, described: str, done: int, after: dict[str, Any]) -> int:
    if done:
        audit.record(project, by, action, described, after={"count": done, **after})
        project_touch(project)
    return done
