"""What a filter may ask of a pair: every field with what can be asked of it, and the condition that makes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, Q
from django.utils import timezone

from curation.filter_values import KIND_OPS, Kind, Value, value_read
from curation.filter_work import answered_by, assigned_to, commented, imported_columns
from curation.models import Difficulty, Finding, Origin, Pair, PairStatus, PairTag, QualityReport
from curation.searching import Part, matching
from projects.models import Project

Make = Callable[[Project, str, Any], Q]


@dataclass(frozen=True)
class Field:
    """``ops`` are keys of ``OPS``; ``options`` the values it can have where they are the same in every project."""

    label: str
    kind: Kind
    q: Make
    optional: bool = False
    options: tuple[tuple[str, str], ...] = ()
    example: str = ""

    @property
    def ops(self) -> tuple[str, ...]:
        return KIND_OPS[self.kind] + (("set", "empty") if self.optional else ())

    def read(self, op: str, value: Any) -> Value:
        """``value`` as this field has it. Raises ``ValueWrong``."""
        return value_read(self.kind, op, value, [key for key, _ in self.options])


# How a condition is made --------------------------------------------------------------------------


LOOKUPS = {"at_least": "__gte", "at_most": "__lte", "contains": "__icontains"}


def column(name: str, nothing: Any = "") -> Make:
    """A field of the row itself; ``nothing`` is what it holds where it is not set."""
    unset = Q(**{f"{name}__isnull": True}) if nothing is None else Q(**{name: nothing})

    def make(project: Project, op: str, value: Any) -> Q:
        if op in ("empty", "set"):
            return unset if op == "empty" else ~unset
        return Q(**{name + LOOKUPS.get(op, ""): value})

    return make


def words(part: Part) -> Make:
    return lambda project, op, value: matching(value, part)


def moment(name: str) -> Make:
    def make(project: Project, op: str, value: Any) -> Q:
        if op in ("empty", "set"):
            return Q(**{f"{name}__isnull": op == "empty"})
        if op == "days":
            return Q(**{f"{name}__gte": timezone.now() - timedelta(days=value)})
        day = datetime.combine(date.fromisoformat(value), time.min, timezone.get_current_timezone())
        return Q(**{f"{name}__gte": day}) if op == "since" else Q(**{f"{name}__lt": day + timedelta(days=1)})

    return make


def key_of(name: str) -> Make:
    """A key of another row: an id, which need not be one."""

    def make(project: Project, op: str, value: Any) -> Q:
        if op in ("empty", "set"):
            return Q(**{f"{name}__isnull": op == "empty"})
        try:
            return Q(**{name: UUID(value) if name in ("document_id", "parent_id") else int(value)})
        except ValueError:
            return Q(pk__in=[])

    return make


def flag(q: Q) -> Make:
    return lambda project, op, value: q if value else ~q


def _tag(project: Project, op: str, value: Any) -> Q:
    if op in ("empty", "set"):
        tagged = Exists(PairTag.objects.filter(pair=OuterRef("pk")))
        return Q(tagged) if op == "set" else ~Q(tagged)
    return Q(pk__in=PairTag.objects.filter(tag__project=project, tag__name=value).values("pair"))


def _finding(project: Project, op: str, value: Any) -> Q:
    """Of the last look of the quality gate."""
    last = QualityReport.objects.filter(project=project).order_by("-created_at").values_list("pk", flat=True).first()
    found = Finding.objects.filter(report=last) if last else Finding.objects.none()
    if op == "is":
        found = found.filter(check_key=value)
    return ~Q(pk__in=found.values("pair")) if op == "empty" else Q(pk__in=found.values("pair"))


def _same_answer(project: Project, op: str, value: Any) -> Q:
    kept = Pair.objects.filter(project=project).exclude(status=PairStatus.REJECTED)
    twice = kept.order_by().values("answer_hash").annotate(times=Count("*")).filter(times__gt=1).values("answer_hash")
    return Q(answer_hash__in=twice) if value else ~Q(answer_hash__in=twice)


def _fields() -> dict[str, Field]:
    def options(choices: Any) -> tuple[tuple[str, str], ...]:
        return tuple((str(key), str(label)) for key, label in choices)

    return {
        "any": Field("Any text", "text", words("any")),
        "question": Field("Question", "text", words("question")),
        "answer": Field("Answer", "text", words("answer")),
        "answer_length": Field("Answer's characters", "number", column("answer_length")),
        "status": Field("Status", "choice", column("status"), options=options(PairStatus.choices)),
        "tag": Field("Tag", "choice", _tag, optional=True),
        "topic": Field("Topic", "choice", column("topic"), optional=True),
        "shape": Field("Shape", "choice", column("shape")),
        "difficulty": Field("Difficulty", "choice", column("difficulty"), optional=True, options=options(Difficulty.choices)),
        "language": Field("Language", "choice", column("language"), optional=True),
        "document": Field("Document", "choice", key_of("document_id"), optional=True),
        "origin": Field("Origin", "choice", column("origin"), options=options(Origin.choices)),
        "made_by": Field("Made by", "text", column("made_by"), optional=True, example="faq.csv"),
        "parent": Field("Variant of", "pair", key_of("parent_id"), optional=True, example="id of a pair"),
        "preference": Field("With a rejected answer", "flag", flag(Q(fork__isnull=False))),
        "stale": Field("Document has changed", "flag", flag(Q(stale=True))),
        "edited": Field("Edited", "flag", flag(Q(edited=True))),
        "has_source": Field("Has a source", "flag", flag(Q(document_id__isnull=False))),
        "disputed": Field("Responses disagree", "flag", flag(Q(disputed=True))),
        "collected": Field("Responses", "number", column("collected")),
        "finding": Field("Finding of the last quality report", "choice", _finding, optional=True),
        "same_answer": Field("Answer of another pair", "flag", _same_answer),
        "created_at": Field("Made", "date", moment("created_at")),
        "created_by": Field("Made by person", "choice", key_of("created_by_id"), optional=True),
        "decided_at": Field("Decided", "date", moment("decided_at"), optional=True),
        "decided_by": Field("Decided by", "choice", key_of("decided_by_id"), optional=True),
        "note": Field("Reviewer's note", "text", column("note"), optional=True),
        "comment": Field("Comment", "text", commented, optional=True),
        "assigned_to": Field("Assigned to", "choice", assigned_to, optional=True),
        "answered_by": Field("Answered by", "choice", answered_by, optional=True),
        "imported": Field("Imported columns", "text", imported_columns, optional=True, example="a column's name or value"),
        "by_rule": Field("Decided by rule", "flag", flag(~Q(decided_by_rule=""))),
    }


FIELDS = _fields()
