"""What pages read of the work of several people on pairs: settings, queues, progress, responses, comments."""

from dataclasses import dataclass

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from curation.distinct import distinct_values
from curation.models import Claim, CollectionSettings, Comment, Mention, Pair, PairStatus, Response, ResponseState, Tag
from projects.models import Project, User

DONE = (ResponseState.SUBMITTED, ResponseState.DISCARDED)
OPEN = (PairStatus.PENDING, PairStatus.CHANGES)
MOST_TOPICS = 500  # that a page offers


def collection_of(project: Project) -> CollectionSettings:
    """How ``project`` collects responses; the defaults where nobody has said."""
    return CollectionSettings.objects.filter(pk=project.pk).first() or CollectionSettings(project=project)


@dataclass(frozen=True)
class Progress:
    """How much of something is done; ``percent`` rounds down, so that only all of it is 100."""

    done: int
    total: int

    @property
    def percent(self) -> int:
        return 100 * self.done // self.total if self.total else 0


def team_progress(project: Project, overlap: int) -> Progress:
    """Pairs whose responses are complete or that were decided, of all."""
    counts = Pair.objects.filter(project=project).aggregate(
        total=Count("pk"), done=Count("pk", filter=~Q(status__in=OPEN) | Q(collected__gte=overlap))
    )
    return Progress(counts["done"], counts["total"])


@dataclass(frozen=True)
class Mine:
    """What one person did in a project: responses by state, those of the last day among the submitted."""

    submitted: int
    discarded: int
    skipped: int
    drafts: int
    today: int

    @property
    def done(self) -> int:
        return self.submitted + self.discarded


def my_progress(project: Project, user: User) -> Mine:
    mine = Response.objects.filter(user=user, pair__project=project)
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    return Mine(
        **mine.aggregate(
            submitted=Count("pk", filter=Q(state=ResponseState.SUBMITTED)),
            discarded=Count("pk", filter=Q(state=ResponseState.DISCARDED)),
            skipped=Count("pk", filter=Q(state=ResponseState.SKIPPED)),
            drafts=Count("pk", filter=Q(state=ResponseState.DRAFT)),
            today=Count("pk", filter=Q(state__in=DONE, submitted_at__gte=midnight)),
        )
    )


def my_responses(project: Project, user: User, state: str = "") -> QuerySet[Response]:
    """What ``user`` did, latest first; of one state where ``state`` names it."""
    mine = Response.objects.filter(user=user, pair__project=project).select_related("pair").order_by("-updated_at")
    return mine.filter(state=state) if state in ResponseState.values else mine


def previous_of(response: Response) -> Response | None:
    """What the same person worked on before ``response``, whatever became of it."""
    earlier = my_responses(response.pair.project, response.user).exclude(pk=response.pk)
    return earlier.filter(updated_at__lt=response.updated_at).first() or earlier.first()


def last_sent(project: Project, user: User, but: Response) -> Response | None:
    """What ``user`` sent or skipped last: what undo takes back."""
    sent = Response.objects.filter(user=user, pair__project=project).exclude(state=ResponseState.DRAFT).exclude(pk=but.pk)
    return sent.order_by("-updated_at").first()


def people_at(pair: Pair, but: User | None = None) -> QuerySet[Claim]:
    """Who is at ``pair`` now, ``but`` somebody."""
    claims = Claim.objects.filter(pair=pair, expires_at__gte=timezone.now()).select_related("user")
    return claims.exclude(user=but) if but else claims


def tags_of(project: Project) -> list[Tag]:
    return list(Tag.objects.filter(project=project))


def topics_of(project: Project) -> list[str]:
    """The topics that pairs of ``project`` have, in order, the first ``MOST_TOPICS``. One query."""
    return [topic for topic in distinct_values(project, "topic") if topic][:MOST_TOPICS]


def responses_to(pair: Pair) -> list[Response]:
    """The responses that count, in the order in which they were begun."""
    return list(Response.objects.filter(pair=pair, state__in=DONE).select_related("user"))


REVIEW = {"ready": "Ready for review", "agreed": "Agreed", "disputed": "Disputed", "collecting": "Being collected"}


def pairs_in_review(project: Project, which: str = "ready") -> QuerySet[Pair]:
    """Pairs that wait for a decision: whose responses are complete (all, agreed or disputed), or are being collected."""
    waiting = Pair.objects.filter(project=project, status=PairStatus.PENDING)
    if which == "collecting":
        at_work = Exists(Claim.objects.filter(pair=OuterRef("pk")))
        return waiting.filter(Q(collected__gt=0) | at_work, collected__lt=collection_of(project).overlap).order_by("created_at", "pk")
    complete = waiting.filter(collected__gte=max(1, collection_of(project).overlap), responses_left=0)
    if which in ("agreed", "disputed"):
        complete = complete.filter(disputed=which == "disputed")
    return complete.order_by("created_at", "pk")


def next_in_review(project: Project, which: str, after: Pair) -> Pair | None:
    """The next pair of ``which`` after one, from the beginning again after the last."""
    waiting = pairs_in_review(project, which).exclude(pk=after.pk)
    later = waiting.filter(Q(created_at__gt=after.created_at) | Q(created_at=after.created_at, pk__gt=after.pk))
    return later.first() or waiting.first()


# --- what is said about pairs ---


def comments_on(pair: Pair) -> QuerySet[Comment]:
    return Comment.objects.filter(pair=pair).select_related("by")


def mentions_of(project: Project, user: User) -> QuerySet[Mention]:
    """Where ``user`` was named, unread ones first, latest first."""
    mine = Mention.objects.filter(user=user, comment__pair__project=project).select_related("comment__by", "comment__pair")
    return mine.order_by(F("read_at").asc(nulls_first=True), "-comment__at")


def unread_mentions(project: Project, user: User) -> int:
    return Mention.objects.filter(user=user, comment__pair__project=project, read_at=None).count()


def members_of(project: Project) -> list[User]:
    return list(User.objects.filter(memberships__project=project).order_by("name", "email"))
