"""Finding words in pairs. The rest of the code does not know which database does it, or how.

Both look for pieces of words, whatever their case, by trigrams: SQLite in a full-text index, PostgreSQL with pg_trgm
(``curation.search_index`` makes what they need). A piece of less than three characters is looked for without an index.
"""

import re
from itertools import accumulate
from typing import Any, Literal

from django.db import connection
from django.db.models import BooleanField, F, Func, Q, TextField
from django.db.models.expressions import RawSQL

from projects.models import Project

Part = Literal["question", "answer", "any"]
SHORTEST = 3  # characters that the indexes know something of
WORDS = 12  # of a search that are looked at; more of them narrow it down no further
NEAR = 8  # words of a text that its neighbours are looked for by
_PIECES = re.compile(r'"([^"]+)"|(\S+)')
_WORDS = re.compile(r"\w{4,}")


def pieces_of(text: str) -> list[str]:
    """What is looked for: each word, and what stands between quotation marks as it stands there."""
    found = [(quoted or word).strip(' "') for quoted, word in _PIECES.findall(text.replace("\0", ""))]
    return [piece for piece in found if piece][:WORDS]


def matching(text: str, part: Part = "any") -> Q:
    """Pairs in which every word of ``text`` occurs, in any order, in ``part`` of them; all of them for an empty text."""
    pieces = pieces_of(text)
    if connection.vendor != "sqlite":
        return _all(_plainly(piece, part) for piece in pieces)
    long = [piece for piece in pieces if len(piece) >= SHORTEST]
    found = _all(_plainly(piece, part) for piece in pieces if len(piece) < SHORTEST)
    if not long:
        return found
    match = " AND ".join(_quoted(piece) for piece in long)
    return Q(InWords(match if part == "any" else f"{{{part}}} : ({match})")) & found


def near(project: Project, text: str, count: int) -> Q:
    """The ``count`` pairs of ``project`` that share most of the rarer words of ``text``."""
    words = sorted(set(_WORDS.findall(text.casefold())), key=lambda word: (-len(word), word))[:NEAR]
    if not words:
        return Q(pk__in=[])
    if connection.vendor == "sqlite":
        sql = (
            "SELECT p.id FROM curation_pair_words w JOIN curation_pair p ON p.words_key = w.rowid "
            "WHERE w.curation_pair_words MATCH %s AND p.project_id = %s ORDER BY w.rank LIMIT %s"
        )
        match = " OR ".join(_quoted(word) for word in _rarest(words, 20 * count))
        return Q(pk__in=RawSQL(sql, [f"{{question answer}} : ({match})", project.pk, count]))
    sql = (
        "SELECT id FROM curation_pair WHERE project_id = %s AND question ILIKE ANY(%s) "
        "ORDER BY (SELECT count(*) FROM unnest(%s::text[]) AS word WHERE question ILIKE word) DESC LIMIT %s"
    )
    likes = [f"%{word}%" for word in words]
    return Q(pk__in=RawSQL(sql, [project.pk, likes, likes, count]))


def _rarest(words: list[str], enough: int) -> list[str]:
    """The rarest of ``words``, until ``enough`` pairs hold one: ranking all that hold a common word takes long and tells little."""
    with connection.cursor() as cursor:
        each = "SELECT count(*) FROM curation_pair_words WHERE curation_pair_words MATCH %s"
        cursor.execute(f"SELECT {', '.join(f'({each})' for _ in words)}", [_quoted(word) for word in words])
        ranked = sorted(zip(cursor.fetchone(), words, strict=True))
    sums = accumulate(count for count, _ in ranked)
    return [word for (_, word), sum_so_far in zip(ranked, sums, strict=True) if sum_so_far <= enough] or [ranked[0][1]]


class InWords(Func):
    """Whether SQLite's full-text index finds a match in this pair. ``+`` keeps the order of the table: it is read until a page is full."""

    def __init__(self, match: str, **extra: Any) -> None:
        super().__init__(F("pk"), output_field=BooleanField(), **extra)
        self.match = match

    def as_sql(self, compiler: Any, connection: Any, **_: Any) -> tuple[str, list[str]]:  # type: ignore[override]
        (key,) = self.source_expressions
        table = connection.ops.quote_name(key.alias)  # type: ignore[attr-defined]
        return f"+{table}.words_key IN (SELECT rowid FROM curation_pair_words WHERE curation_pair_words MATCH %s)", [self.match]  # noqa: S608


class Turns(Func):
    """What a conversation says, without its roles, on PostgreSQL: as ``search_index`` has it indexed."""

    template = "(jsonb_path_query_array(%(expressions)s, '$[*].content')::text)"
    output_field = TextField()


class Like(Func):
    """Whether a text holds a piece, whatever its case, in the form that PostgreSQL's trigram indexes answer."""

    template = "(%(expressions)s)"
    arg_joiner = " ILIKE "
    output_field = BooleanField()


def _quoted(piece: str) -> str:
    return '"' + piece.replace('"', '""') + '"'


def _all(conditions: Any) -> Q:
    found = Q()
    for one in conditions:
        found &= one
    return found


def _plainly(piece: str, part: Part) -> Q:
    if connection.vendor == "sqlite":
        question, answer = Q(question__icontains=piece), Q(answer__icontains=piece)
        return {"question": question, "answer": answer, "any": question | answer}[part]
    like = "%" + re.sub(r"([\\%_])", r"\\\1", piece) + "%"
    texts = {"question": F("question"), "answer": F("answer"), "any": Turns(F("messages"))}
    return Q(Like(texts[part], RawSQL("%s", [like])))
