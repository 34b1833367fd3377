"""Tags of a project: making, naming, ordering, joining and removing them."""

from collections.abc import Iterable, Sequence

from django.db import IntegrityError, transaction
from django.db.models import Max

from curation.errors import PairError
from curation.models import Assignment, PairTag, Response, Tag
from curation.services.retagging import pairs_retag
from projects import audit
from projects.models import Project, User
from retrieval.batches import BATCH

NAME_LIMIT = 40  # characters


def tags_ensure(*, project: Project, names: Iterable[str]) -> dict[str, Tag]:
    """Name → tag; those that are new come after the ones that are there. Names are cut to ``NAME_LIMIT``, empty ones left out."""
    wanted = sorted({name[:NAME_LIMIT].strip() for name in names} - {""})
    there = {tag.name: tag for tag in Tag.objects.filter(project=project, name__in=wanted)}
    last = Tag.objects.filter(project=project).aggregate(last=Max("order"))["last"] or 0
    new = [name for name in wanted if name not in there]
    Tag.objects.bulk_create(
        [Tag(project=project, name=name, order=last + 1 + place) for place, name in enumerate(new)], ignore_conflicts=True
    )
    return {tag.name: tag for tag in Tag.objects.filter(project=project, name__in=wanted)}


def tag_named(project: Project, name: str) -> Tag:
    """The tag of that name, made where there is none. Raises ``PairError`` for no name, or one that is too long."""
    name = _checked(name)
    return tags_ensure(project=project, names=[name])[name]


def tag_create(*, project: Project, by: User, name: str) -> Tag:
    """A new tag, after the others. Raises ``PairError`` for a name that cannot be or is taken."""
    name = _checked(name)
    if Tag.objects.filter(project=project, name=name).exists():
        raise _taken(name)
    tag = tag_named(project, name)
    audit.record(project, by, "tag.create", f"tag {tag.pk}")
    return tag


@transaction.atomic
def tag_rename(*, tag: Tag, by: User, name: str) -> Tag:
    """Raises ``PairError`` for a name that cannot be or is taken."""
    name = _checked(name)
    try:
        with transaction.atomic():
            done = Tag.objects.filter(pk=tag.pk).update(name=name)
    except IntegrityError:
        raise _taken(name) from None
    if done:
        audit.record(tag.project, by, "tag.rename", f"tag {tag.pk}")
    tag.refresh_from_db()
    return tag


def tag_merge(*, tag: Tag, by: User, into: Tag) -> int:
    """Let ``into`` stand wherever ``tag`` stood: on pairs, in people's responses and assignments; then remove ``tag``.

    Answers how many pairs carry it anew. Raises ``PairError`` for a tag of another project or the same one.
    """
    if tag.pk == into.pk or tag.project_id != into.project_id:
        raise PairError("Choose another tag of this project to join it with.")
    gained = PairTag.objects.filter(tag=tag).exclude(pair__pair_tags__tag=into).count()
    _off_all_pairs(tag, by, put=into)
    with transaction.atomic():
        _off_all_pairs(tag, by, put=into)  # those that got it meanwhile
        asked = Assignment.objects.filter(tag=into).values("user")
        Assignment.objects.filter(tag=tag).exclude(user__in=asked).update(tag=into)
        _in_responses(tag, into)
        audit.record(tag.project, by, "tag.merge", f"tag {tag.pk}", after={"into": into.pk, "pairs": gained})
        tag.delete()
    return gained


def _off_all_pairs(tag: Tag, by: User, put: Tag | None = None) -> int:
    """Take ``tag`` off every pair, in its place ``put``, a batch in a transaction of its own each; from how many."""
    done = 0
    while some := list(PairTag.objects.filter(tag=tag).values_list("pair", flat=True)[:BATCH]):
        with transaction.atomic():
            done += pairs_retag(by=by, pairs=some, put=put, take=tag)
    return done


def _in_responses(tag: Tag, into: Tag | None) -> None:
    """People's own tags are keys in a list: put ``into`` in the place of ``tag``, or nothing."""
    changed = []
    for response in Response.objects.filter(pair__project=tag.project_id).exclude(tags=[]).only("tags").iterator(BATCH):
        if tag.pk in response.tags:
            replaced = (into and into.pk if key == tag.pk else key for key in response.tags)
            response.tags = [key for key in dict.fromkeys(replaced) if key]
            changed.append(response)
    Response.objects.bulk_update(changed, ["tags"], batch_size=BATCH)


def tag_delete(*, tag: Tag, by: User) -> int:
    """Remove the tag from every pair, response and queue; on how many pairs it was."""
    count = _off_all_pairs(tag, by)
    with transaction.atomic():
        count += _off_all_pairs(tag, by)  # those that got it meanwhile
        _in_responses(tag, None)
        audit.record(tag.project, by, "tag.delete", f"tag {tag.pk}", before={"name": tag.name, "pairs": count})
        tag.delete()
    return count


@transaction.atomic
def tag_move(*, tag: Tag, by: User, places: int) -> None:
    """Move the tag up (below zero) or down in the order, which gives the first nine their keys."""
    tags = list(Tag.objects.select_for_update().filter(project=tag.project_id))
    at = next((place for place, one in enumerate(tags) if one.pk == tag.pk), None)
    if at is None:
        return
    tags.insert(max(0, min(len(tags) - 1, at + places)), tags.pop(at))
    _reorder(tags)
    audit.record(tag.project, by, "tag.move", f"tag {tag.pk}", after={"place": tags.index(tag) + 1})


def _reorder(tags: Sequence[Tag]) -> None:
    for place, tag in enumerate(tags, start=1):
        tag.order = place
    Tag.objects.bulk_update(tags, ["order"], batch_size=BATCH)


def _checked(name: str) -> str:
    name = " ".join(name.split())
    if not name:
        raise PairError("A tag needs a name.", {"name": "A tag needs a name."})
    if len(name) > NAME_LIMIT:
        raise PairError("This name is too long.", {"name": f"At most {NAME_LIMIT} characters; this one has {len(name)}."})
    return name


def _taken(name: str) -> PairError:
    return PairError("There is a tag of this name.", {"name": f"There is a tag “{name}” already. Join the two instead."})
