"""Who is asked to work on what: everything with a tag, or pairs one by one."""

from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet

from curation.models import Assignment, Pair, Tag
from curation.services.chosen import Chosen, Tick, batches_of, unwatched
from curation.services.writing import PairError
from projects import audit
from projects.models import Membership, Project, User
from projects.roles import may
from retrieval.batches import batched


@dataclass(frozen=True)
class Assignable:
    """Something people can be asked to work on: ``tag:7``, or ``waiting`` for what nobody was assigned."""

    key: str
    title: str


def tag_assign(*, project: Project, by: User, to: User, tag: Tag) -> Assignment:
    """Everything that carries ``tag``, now and later, is for ``to``. Raises ``PairError`` for who cannot annotate here."""
    assignable_check(project, to)
    assignment, new = Assignment.objects.get_or_create(user=to, tag=tag, defaults={"project": project, "by": by})
    if new:
        audit.record(project, by, "assignment.create", f"user {to.pk}", after={"tag": tag.pk})
    return assignment


def pairs_assign(*, project: Project, by: User, to: User, pairs: Chosen, tick: Tick = unwatched) -> int:
    """Each of ``pairs`` is for ``to``; how many were not so already. Raises ``PairError`` for who cannot annotate here."""
    assignable_check(project, to)
    done = 0
    for some in batches_of(project, pairs, tick):
        with transaction.atomic():
            there = set(Assignment.objects.filter(user=to, pair__in=some).values_list("pair", flat=True))
            rows = [Assignment(project=project, user=to, pair_id=pk, by=by) for pk in some if pk not in there]
            Assignment.objects.bulk_create(rows, ignore_conflicts=True)
        done += len(rows)
    if done:
        audit.record(project, by, "assignment.create", f"user {to.pk}", after={"pairs": done})
    return done


def pairs_share_out(*, project: Project, by: User, to: list[User], pairs: QuerySet[Pair]) -> int:
    """Deal ``pairs`` to several people in turn, oldest first, so that each has as many as the others; how many were dealt."""
    for user in to:
        assignable_check(project, user)
    ids = list(pairs.filter(project=project).order_by("created_at", "pk").values_list("pk", flat=True))
    for some in batched(enumerate(ids)):
        with transaction.atomic():
            rows = (Assignment(project=project, user=to[place % len(to)], pair_id=pk, by=by) for place, pk in some)
            Assignment.objects.bulk_create(rows, ignore_conflicts=True)
    if ids:
        audit.record(project, by, "assignment.create", f"{len(to)} people", after={"pairs": len(ids)})
    return len(ids)


def assignment_remove(*, project: Project, by: User, user: User, tag: Tag | None) -> int:
    """Take back a tag, or without one the pairs assigned one by one; how many assignments went. What was begun stays."""
    rows = Assignment.objects.filter(project=project, user=user)
    gone, _ = (rows.filter(tag=tag) if tag else rows.filter(pair__isnull=False)).delete()
    if gone:
        audit.record(project, by, "assignment.delete", f"user {user.pk}", before={"tag": tag.pk} if tag else {"pairs": gone})
    return gone


def assignable_check(project: Project, user: User) -> None:
    """Raises ``PairError`` for who cannot annotate here."""
    membership = Membership.objects.filter(project=project, user=user).first()
    if membership is None or not may(membership.role, "annotate"):
        raise PairError(f"{user} may not write pairs in this project. An owner can change their role.")
