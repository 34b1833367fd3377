"""What the team page reads: what each person did, how far they agree, what they were assigned."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Avg, Count, F, Max, Q

from curation.agreement import Agreement, agreement, closeness
from curation.models import Assignment, Pair, PairStatus, Response, ResponseState, Verdict
from curation.selectors.collecting import DONE
from projects.models import Project, User

STUDIED = 2_000  # pairs whose responses an agreement is computed from: the latest ones
READ_FOR_ANSWERS = 300  # of these, whose answers are compared word by word


@dataclass(frozen=True)
class Annotator:
    """What one person did. ``seconds``: the mean a response; ``kept``: percent of those decided whose words the reviewer took."""

    user: User
    submitted: int
    discarded: int
    skipped: int
    seconds: float | None
    good: int
    kept: float | None
    disputed: int
    last: datetime | None


def annotators(project: Project) -> list[Annotator]:
    """Everybody who answered pairs of ``project``, who did most first. Two queries."""
    rows = Response.objects.filter(pair__project=project).values("user").order_by()
    decided = Q(state=ResponseState.SUBMITTED, pair__status__in=(PairStatus.APPROVED, PairStatus.REJECTED))
    approved = Q(pair__status=PairStatus.APPROVED, answer=F("pair__answer"))
    taken = approved & Q(verdict=Verdict.GOOD) | Q(pair__status=PairStatus.REJECTED, verdict=Verdict.BAD)
    found = rows.annotate(
        submitted=Count("pk", filter=Q(state=ResponseState.SUBMITTED)),
        discarded=Count("pk", filter=Q(state=ResponseState.DISCARDED)),
        skipped=Count("pk", filter=Q(state=ResponseState.SKIPPED)),
        seconds=Avg("seconds", filter=Q(state__in=DONE, seconds__gt=0)),
        good=Count("pk", filter=Q(state=ResponseState.SUBMITTED, verdict=Verdict.GOOD)),
        decided=Count("pk", filter=decided),
        taken=Count("pk", filter=decided & taken),
        disputed=Count("pk", filter=Q(state__in=DONE, pair__disputed=True)),
        last=Max("submitted_at"),
    )
    people = User.objects.in_bulk([row["user"] for row in found])
    made = [
        Annotator(
            user=people[row["user"]],
            kept=100 * row["taken"] / row["decided"] if row["decided"] else None,
            **{name: row[name] for name in ("submitted", "discarded", "skipped", "seconds", "good", "disputed", "last")},
        )
        for row in found
    ]
    return sorted(made, key=lambda one: -(one.submitted + one.discarded))


@dataclass(frozen=True)
class Subject:
    """Agreement about one thing that people say of a pair."""

    title: str
    figures: Agreement
    note: str = ""


def agreement_of(project: Project) -> list[Subject]:
    """Agreement over verdicts, tags and answers, from the latest ``STUDIED`` pairs with several responses."""
    several = Pair.objects.filter(project=project, collected__gt=1).order_by("-created_at").values_list("pk", flat=True)[:STUDIED]
    rows = list(
        Response.objects.filter(pair__in=list(several), state__in=DONE).values_list(
            "user_id", "pair_id", "state", "verdict", "tags", "answer"
        )
    )
    verdicts = [(str(who), str(pair), "discarded" if state == "DISCARDED" else verdict) for who, pair, state, verdict, _, _ in rows]
    kept = [row for row in rows if row[2] == ResponseState.SUBMITTED]
    tags = [(str(who), str(pair), frozenset(marks)) for who, pair, _, _, marks, _ in kept]
    answers = [(str(who), str(pair), " ".join(answer.split())) for who, pair, _, _, _, answer in kept]
    return [
        Subject("Verdict", agreement(verdicts), "Discarding counts as a verdict of its own."),
        Subject("Tags", agreement(tags), "Alpha gives credit for tags in common."),
        Subject("Answer", _of_answers(answers), "Words have no fixed set of choices, so that chance cannot be taken out."),
    ]


def _of_answers(answers: Sequence[tuple[str, str, str]]) -> Agreement:
    """The percentage is how alike the answers read, word by word, on average."""
    said: dict[str, list[str]] = {}
    for _, pair, answer in answers:
        said.setdefault(pair, []).append(answer)
    some = [texts for texts in said.values() if len(texts) > 1][:READ_FOR_ANSWERS]
    if not some:
        return Agreement(0, None, None, None, None)
    mean = sum(closeness(texts[0], text) for texts in some for text in texts[1:]) / sum(len(texts) - 1 for texts in some)
    return Agreement(len(some), 100 * mean, None, None, None)


@dataclass(frozen=True)
class Assigned:
    """What a person was asked to work on: a ``tag`` (its key), or without one a number of pairs one by one."""

    user: User
    what: str
    count: int
    tag: int | None = None


def assignments_of(project: Project) -> list[Assigned]:
    """By person: each tag, then the pairs one by one as one line."""
    rows = Assignment.objects.filter(project=project)
    tagged = rows.filter(tag__isnull=False).select_related("user", "tag").annotate(count=Count("tag__pair_tags"))
    lines = [Assigned(row.user, f"Tag “{row.tag}”", row.count, row.tag_id) for row in tagged]
    ones = rows.filter(pair__isnull=False).order_by().values("user").annotate(count=Count("pk"))
    people = User.objects.in_bulk([row["user"] for row in ones])
    lines += [Assigned(people[row["user"]], "Pairs one by one", row["count"]) for row in ones]
    return sorted(lines, key=lambda line: (str(line.user).casefold(), line.tag is None, line.what))
