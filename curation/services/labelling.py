"""Topic, difficulty, language and tags of many pairs at once: those selected, or all that match."""

from typing import Any

from django.db import transaction

from curation.labels import label_checked
from curation.models import Pair, Tag
from curation.services.chosen import Chosen, Tick, batches_of, unwatched
from curation.services.retagging import history_write, pairs_retag
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
            history_write(by, {pk: ({field: before}, {field: value}) for pk, before in was.items()}, **{field: value})
            done += len(was)
    return _recorded(project, by, f"pairs.set_{field}", described, done, {"value": value})


def pairs_tag(*, project: Project, by: User, pairs: Chosen, name: str, described: str = "", tick: Tick = unwatched) -> int:
    """Put the tag ``name`` on every pair of ``pairs`` that lacks it, in batches; how many did. Makes the tag where it is new."""
    tag = tag_named(project, name)
    done = 0
    for ids in batches_of(project, pairs, tick):
        with transaction.atomic():
            done += pairs_retag(by=by, pairs=ids, put=tag)
    return _recorded(project, by, "pairs.tag", described, done, {"tag": tag.pk})


def pairs_untag(*, project: Project, by: User, pairs: Chosen, tag: Tag, described: str = "", tick: Tick = unwatched) -> int:
    """Take ``tag`` off every pair of ``pairs`` that carries it, in batches; how many did."""
    done = 0
    for ids in batches_of(project, pairs, tick):
        with transaction.atomic():
            done += pairs_retag(by=by, pairs=ids, take=tag)
    return _recorded(project, by, "pairs.untag", described, done, {"tag": tag.pk})


def _recorded(project: Project, by: User, action: str, described: str, done: int, after: dict[str, Any]) -> int:
    if done:
        audit.record(project, by, action, described, after={"count": done, **after})
        project_touch(project)
    return done
