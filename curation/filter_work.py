"""What a filter may ask about people's work on a pair: who it is assigned to, who answered it, what was said about it.

What somebody answered is not among them: annotators would be led by it.
"""

import json
from typing import Any

from django.db import connection
from django.db.models import Q, TextField
from django.db.models.functions import Cast

from curation.models import Assignment, Comment, Pair, PairTag, Response, ResponseState
from projects.models import Project


def assigned_to(project: Project, op: str, value: Any) -> Q:
    """Assigned by itself or through one of its tags."""
    given = Assignment.objects.filter(project=project)
    if op in ("is", "is_not"):
        given = given.filter(user_id=_number(value))
    by_tag = PairTag.objects.filter(tag__in=given.filter(tag__isnull=False).values("tag")).values("pair")
    found = Q(pk__in=given.filter(pair__isnull=False).values("pair")) | Q(pk__in=by_tag)
    return ~found if op == "empty" else found


def answered_by(project: Project, op: str, value: Any) -> Q:
    """Submitted by them; drafts and what they skipped do not count."""
    given = Response.objects.filter(pair__project=project, state=ResponseState.SUBMITTED)
    if op in ("is", "is_not"):
        given = given.filter(user_id=_number(value))
    found = Q(pk__in=given.values("pair"))
    return ~found if op == "empty" else found


def commented(project: Project, op: str, value: Any) -> Q:
    """One of its comments holds the words, in this order."""
    given = Comment.objects.filter(pair__project=project)
    if op == "contains":
        given = given.filter(text__icontains=value)
    found = Q(pk__in=given.values("pair"))
    return ~found if op == "empty" else found


def imported_columns(project: Project, op: str, value: Any) -> Q:
    """The name or the value of a column that an import brought and that means nothing here."""
    if op in ("empty", "set"):
        return Q(extra={}) if op == "empty" else ~Q(extra={})
    # SQLite keeps the JSON as it was written, with other letters than ASCII escaped
    words = json.dumps(value)[1:-1] if connection.vendor == "sqlite" else value
    written = Pair.objects.filter(project=project).exclude(extra={}).annotate(written=Cast("extra", TextField()))
    return Q(pk__in=written.filter(written__icontains=words).values("pk"))


def _number(value: Any) -> int:
    """A user's key, 0 for what is none."""
    return int(value) if str(value).isdecimal() else 0
