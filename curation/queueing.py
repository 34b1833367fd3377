# ruff: noqa: S608 (the statements are put together from what stands in this file; values are parameters)
"""The queue of annotators as SQL: what somebody works on next is asked by everybody all day, and the ORM takes longer than the database.

Every statement runs on SQLite and PostgreSQL and is served by an index: ``curation_pair`` on project, status, responses_left, created_at;
``curation_response`` on pair and user, and on user, state, updated_at; ``curation_claim`` on expires_at.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.db import connection
from django.db.models import UUIDField
from django.utils import timezone

WINDOW = 20  # pairs looked at together: when others are faster, one of them is still free
BEGUN_WINDOW = 2 * WINDOW  # begun pairs looked at before fresh ones are taken
FEW = 500  # assigned pairs up to which one starts from them rather than from the queue

_NOT_MINE = "NOT EXISTS (SELECT 1 FROM curation_response r WHERE r.pair_id = p.id AND r.user_id = %(user)s)"
_HELD = "EXISTS (SELECT 1 FROM curation_claim c WHERE c.pair_id = p.id AND c.user_id = %(user)s)"
_ASSIGNED_BY_TAG = """SELECT t.pair_id FROM curation_assignment a JOIN curation_pairtag t ON t.tag_id = a.tag_id
    WHERE a.user_id = %(user)s AND a.project_id = %(project)s"""
_ASSIGNED_BY_PAIR = """SELECT a.pair_id FROM curation_assignment a
    WHERE a.user_id = %(user)s AND a.project_id = %(project)s AND a.pair_id IS NOT NULL"""

# From where, and for whom
EVERYTHING = ("curation_pair p", "")
NOBODYS = (
    "curation_pair p",
    """AND NOT EXISTS (SELECT 1 FROM curation_assignment a WHERE a.pair_id = p.id)
    AND NOT EXISTS (SELECT 1 FROM curation_pairtag t JOIN curation_assignment a ON a.tag_id = t.tag_id WHERE t.pair_id = p.id)""",
)
# a cross join, because SQLite keeps the order of one
MINE_FEW = (f"({_ASSIGNED_BY_TAG} UNION {_ASSIGNED_BY_PAIR}) AS mine CROSS JOIN curation_pair p", "AND p.id = mine.pair_id")
MINE_MANY = (
    "curation_pair p",
    """AND (EXISTS (SELECT 1 FROM curation_assignment a WHERE a.pair_id = p.id AND a.user_id = %(user)s)
    OR EXISTS (SELECT 1 FROM curation_pairtag t JOIN curation_assignment a ON a.tag_id = t.tag_id
        WHERE t.pair_id = p.id AND a.user_id = %(user)s))""",
)
Queue = tuple[str, str]


@dataclass(frozen=True)
class Standing:
    """What has to be known before anything is given out: the project's settings, and what there is to heed."""

    overlap: int
    lock_minutes: int
    expired: bool
    assigned_to_me: bool
    assigned: bool


def standing(project: int, user: int) -> Standing:
    row = _rows(
        """SELECT (SELECT overlap FROM curation_collectionsettings WHERE project_id = %(project)s),
            (SELECT lock_minutes FROM curation_collectionsettings WHERE project_id = %(project)s),
            EXISTS (SELECT 1 FROM curation_claim WHERE expires_at < %(now)s),
            EXISTS (SELECT 1 FROM curation_assignment WHERE project_id = %(project)s AND user_id = %(user)s),
            EXISTS (SELECT 1 FROM curation_assignment WHERE project_id = %(project)s)""",
        project=project,
        user=user,
        now=_time(timezone.now()),
    )[0]
    return Standing(row[0] or 1, row[1] or 15, bool(row[2]), bool(row[3]), bool(row[4]))


def queue_for(project: int, user: int, now: Standing) -> Queue:
    """Which pairs are for ``user``: what they were assigned, or what nobody was."""
    if not now.assigned_to_me:
        return NOBODYS if now.assigned else EVERYTHING
    # UNION ALL: whoever leaves doubles out reads every pair, where the first few are enough to know that there are more
    mine = f"({_ASSIGNED_BY_TAG} UNION ALL {_ASSIGNED_BY_PAIR}) AS mine"
    few = f"SELECT count(*) FROM (SELECT 1 FROM {mine} LIMIT {FEW + 1}) AS counted"
    return MINE_FEW if _rows(few, project=project, user=user)[0][0] <= FEW else MINE_MANY


def drafts(project: int, user: int, *, at_hand: bool) -> list[UUID]:
    """Pairs that ``user`` has begun and can go on with, the longest waiting first; ``at_hand`` those they hold or were sent back."""
    sent_back = "AND p.status = 'CHANGES'" if at_hand else ""
    return _keys(
        f"""SELECT p.id FROM curation_response r JOIN curation_pair p ON p.id = r.pair_id
            WHERE r.user_id = %(user)s AND r.state = 'DRAFT' AND p.project_id = %(project)s AND p.status IN ('PENDING', 'CHANGES')
            AND ({_HELD} OR (p.responses_left > 0 {sent_back})) ORDER BY r.updated_at LIMIT {WINDOW}""",
        project=project,
        user=user,
    )


def begun(project: int, user: int, queue: Queue, status: str, overlap: int) -> list[UUID]:
    """Of the first pairs that somebody began, those ``user`` has not answered."""
    source, mine = queue
    first = f"""SELECT p.id, p.responses_left, p.created_at FROM {source} WHERE p.project_id = %(project)s AND p.status = %(status)s
        AND p.responses_left > 0 AND p.responses_left < %(overlap)s {mine} ORDER BY p.responses_left, p.created_at LIMIT {BEGUN_WINDOW}"""
    statement = f"SELECT p.id FROM ({first}) AS p WHERE {_NOT_MINE} ORDER BY p.responses_left, p.created_at LIMIT {WINDOW}"
    return _keys(statement, project=project, user=user, status=status, overlap=overlap)


def free(project: int, user: int, queue: Queue, status: str, fewest: int, most: int) -> list[UUID]:
    """Pairs that ``user`` has not answered with ``fewest`` to ``most`` free places, those with the fewest first, then the oldest."""
    source, mine = queue
    statement = f"""SELECT p.id FROM {source} WHERE p.project_id = %(project)s AND p.status = %(status)s
        AND p.responses_left >= %(fewest)s AND p.responses_left <= %(most)s AND {_NOT_MINE} {mine}
        ORDER BY p.responses_left, p.created_at LIMIT {WINDOW}"""
    return _keys(statement, project=project, user=user, status=status, fewest=fewest, most=most)


def begin(pair: UUID, user: int, until: datetime) -> UUID | None:
    """Take a free place on a pair that ``user`` has no response to, with a claim and a draft that starts from what the pair suggests.

    The key of the response; None where the last place has gone. Inside a transaction of the caller's.
    """
    key, new = _key(pair), uuid4()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE curation_pair SET responses_left = responses_left - 1"
            " WHERE id = %s AND responses_left > 0 AND status IN ('PENDING', 'CHANGES')",
            [key],
        )
        if not cursor.rowcount:
            return None
        cursor.execute("INSERT INTO curation_claim (pair_id, user_id, expires_at) VALUES (%s, %s, %s)", [key, user, _time(until)])
        cursor.execute("SELECT tag_id FROM curation_pairtag WHERE pair_id = %s ORDER BY tag_id", [key])
        tags = "[" + ", ".join(str(row[0]) for row in cursor.fetchall()) + "]"
        now = _time(timezone.now())
        cursor.execute(
            """INSERT INTO curation_response (id, pair_id, user_id, state, messages, answer, verdict, tags, topic, difficulty, comment,
                pair_revision, revision, seconds, created_at, updated_at)
            SELECT %s, id, %s, 'DRAFT', messages, answer, '', %s, topic, difficulty, '', revision, 1, 0, %s, %s
            FROM curation_pair WHERE id = %s""",
            [_key(new), user, tags, now, now, key],
        )
    return new


def _keys(statement: str, **values: Any) -> list[UUID]:
    return [row[0] if isinstance(row[0], UUID) else UUID(row[0]) for row in _rows(statement, **values)]


def _rows(statement: str, **values: Any) -> Sequence[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())


def _key(value: UUID) -> Any:
    return UUIDField().get_db_prep_value(value, connection)


def _time(value: datetime) -> Any:
    return connection.ops.adapt_datetimefield_value(value)
