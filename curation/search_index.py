# ruff: noqa: S608 (nothing in these statements comes from outside)
"""What the database keeps so that words in pairs are found quickly. Made after every migration, whichever database it is.

SQLite: a full-text index of trigrams that triggers keep; it stores no text. ``words_key`` is a pair's number in it, because the numbers
SQLite itself gives rows may change when it tidies up: whoever inserts many pairs gives them out with ``words_keys``, a trigger numbers
the others. A migration that rebuilds the table of pairs loses the triggers, which is why they are made after each migration and not in one.

PostgreSQL: trigram indexes of the extension pg_trgm, which the owner of a database may create without being its superuser.
"""

import logging
from typing import Any

from django.db import DatabaseError, connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

log = logging.getLogger(__name__)

# The texts of one row as the index holds them; {row} is NEW, OLD or the table. All turns only where there are more than two
_TEXTS = (
    "{row}.question, {row}.answer, CASE WHEN json_array_length({row}.messages) > 2 THEN "
    "(SELECT group_concat(json_extract(value, '$.content'), char(10)) FROM json_each({row}.messages)) ELSE '' END"
)
_NEW, _OLD, _ALL = (_TEXTS.format(row=row) for row in ("NEW", "OLD", "curation_pair"))
_LAST = "(SELECT coalesce(max(words_key), 0) FROM curation_pair)"
_ADD = "INSERT INTO curation_pair_words(rowid, question, answer, turns)"
_DROP = f"INSERT INTO curation_pair_words(curation_pair_words, rowid, question, answer, turns) VALUES ('delete', OLD.words_key, {_OLD})"

SQLITE_TRIGGERS = {
    f"curation_pair_words_{name}": f"CREATE TRIGGER curation_pair_words_{name} AFTER {event} BEGIN {'; '.join(statements)}; END"
    for name, event, *statements in (
        ("insert", "INSERT ON curation_pair WHEN NEW.words_key IS NOT NULL", f"{_ADD} VALUES (NEW.words_key, {_NEW})"),
        (
            "number",
            "INSERT ON curation_pair WHEN NEW.words_key IS NULL",
            f"UPDATE curation_pair SET words_key = {_LAST} + 1 WHERE id = NEW.id",
            f"{_ADD} SELECT words_key, {_NEW} FROM curation_pair WHERE id = NEW.id",
        ),
        # who saves a whole pair as it was before its number was known must not take the number away
        (
            "keep",
            "UPDATE OF words_key ON curation_pair WHEN OLD.words_key IS NOT NULL AND NEW.words_key IS NOT OLD.words_key",
            "UPDATE curation_pair SET words_key = OLD.words_key WHERE id = NEW.id",
        ),
        ("update", "UPDATE OF question, answer, messages ON curation_pair", _DROP, f"{_ADD} VALUES (OLD.words_key, {_NEW})"),
        ("delete", "DELETE ON curation_pair", _DROP),
    )
}
SQLITE_FILL = (
    "CREATE VIRTUAL TABLE IF NOT EXISTS curation_pair_words USING fts5(question, answer, turns, content='', tokenize='trigram')",
    "INSERT INTO curation_pair_words(curation_pair_words) VALUES ('delete-all')",
    f"""UPDATE curation_pair SET words_key = {_LAST} + numbered.number
        FROM (SELECT id, row_number() OVER (ORDER BY created_at, id) AS number FROM curation_pair WHERE words_key IS NULL) AS numbered
        WHERE numbered.id = curation_pair.id""",
    f"{_ADD} SELECT words_key, {_ALL} FROM curation_pair",
)
# what conversations say in their turns; `curation.searching` looks in the same
POSTGRES_TURNS = "(jsonb_path_query_array(messages, '$[*].content')::text)"
POSTGRES_MAKE = (
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    "CREATE INDEX IF NOT EXISTS curation_pair_words_question ON curation_pair USING gin (question gin_trgm_ops)",
    "CREATE INDEX IF NOT EXISTS curation_pair_words_answer ON curation_pair USING gin (answer gin_trgm_ops)",
    f"CREATE INDEX IF NOT EXISTS curation_pair_words_turns ON curation_pair USING gin ({POSTGRES_TURNS} gin_trgm_ops)",
)


def after_migrate(using: str, **_: Any) -> None:
    """Receiver of ``post_migrate``."""
    index_ensure(connections[using])


def index_ensure(connection: BaseDatabaseWrapper) -> None:
    """Make the index where it is missing or a migration lost it, with every pair there is. Does nothing where it is there."""
    if "curation_pair" not in connection.introspection.table_names():
        return  # migrated back to before there were pairs
    if connection.vendor == "sqlite":
        _ensure_in_sqlite(connection)
    elif connection.vendor == "postgresql":
        _ensure_in_postgres(connection)


def words_keys(count: int) -> list[int | None]:
    """Numbers for ``count`` new pairs in the full-text index, None each where the database has none. Inside the transaction that inserts
    the pairs: SQLite has one writer, so nobody else gives them out before it ends.
    """
    if connection.vendor != "sqlite":
        return [None] * count
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_LAST}")
        last = cursor.fetchone()[0]
    return list(range(last + 1, last + 1 + count))


def _ensure_in_sqlite(connection: BaseDatabaseWrapper) -> None:
    """Without all its triggers the index may have missed anything, so that it is filled anew."""
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pragma_table_info('curation_pair') WHERE name = 'words_key'")
        if not cursor.fetchone():
            return  # migrated back to before pairs had numbers
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'curation_pair_words%'")
        there = dict(cursor.fetchall())
        if there == SQLITE_TRIGGERS:
            return
        for statement in (*(f"DROP TRIGGER {name}" for name in there), *SQLITE_FILL, *SQLITE_TRIGGERS.values()):
            cursor.execute(statement)


def _ensure_in_postgres(connection: BaseDatabaseWrapper) -> None:
    try:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            for statement in POSTGRES_MAKE:
                cursor.execute(statement)
    except DatabaseError as error:  # searching is slow then, but right
        log.warning("Searching pairs goes without an index: pg_trgm cannot be created (%s). Ask whoever runs PostgreSQL for it.", error)
