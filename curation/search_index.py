# ruff: noqa: S608 (nothing in these statements comes from outside)
"""What the database keeps so that words in pairs are found quickly. Made after every migration, whichever database it is.

SQLite: a full-text index of trigrams that triggers keep; it stores no text. ``words_key`` is a pair's number in it: a column that Django
does not know, because the numbers SQLite itself gives rows may change when it tidies up. A migration that rebuilds the table of pairs
loses column and triggers, which is why they are made after each migration and not in one.

PostgreSQL: trigram indexes of the extension pg_trgm, which the owner of a database may create without being its superuser.
"""

import logging
from typing import Any

from django.db import DatabaseError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

log = logging.getLogger(__name__)

# The texts of one row as the index holds them; {row} is NEW, OLD or the table. All turns only where there are more than two
_TEXTS = (
    "{row}.question, {row}.answer, CASE WHEN json_array_length({row}.messages) > 2 THEN "
    "(SELECT group_concat(json_extract(value, '$.content'), char(10)) FROM json_each({row}.messages)) ELSE '' END"
)
_NEW, _OLD, _ALL = (_TEXTS.format(row=row) for row in ("NEW", "OLD", "curation_pair"))
_NUMBER = "UPDATE curation_pair SET words_key = (SELECT coalesce(max(words_key), 0) + 1 FROM curation_pair) WHERE id = NEW.id"
_ADD = "INSERT INTO curation_pair_words(rowid, question, answer, turns)"
_DROP = "INSERT INTO curation_pair_words(curation_pair_words, rowid, question, answer, turns)"

SQLITE_MAKE = (
    "ALTER TABLE curation_pair ADD COLUMN words_key INTEGER",
    "CREATE VIRTUAL TABLE IF NOT EXISTS curation_pair_words USING fts5(question, answer, turns, content='', tokenize='trigram')",
    "INSERT INTO curation_pair_words(curation_pair_words) VALUES ('delete-all')",
    """UPDATE curation_pair SET words_key = numbered.number
        FROM (SELECT id, row_number() OVER (ORDER BY created_at, id) AS number FROM curation_pair) AS numbered
        WHERE numbered.id = curation_pair.id""",
    "CREATE UNIQUE INDEX curation_pair_words_key ON curation_pair(words_key)",
    "CREATE INDEX curation_pair_words_order ON curation_pair(project_id, created_at, id, words_key)",
    "CREATE INDEX curation_pair_words_status ON curation_pair(project_id, status, created_at, id, words_key)",
    f"{_ADD} SELECT words_key, {_ALL} FROM curation_pair",
    f"""CREATE TRIGGER curation_pair_words_insert AFTER INSERT ON curation_pair BEGIN
        {_NUMBER}; {_ADD} SELECT words_key, {_NEW} FROM curation_pair WHERE id = NEW.id; END""",
    f"""CREATE TRIGGER curation_pair_words_update AFTER UPDATE OF question, answer, messages ON curation_pair BEGIN
        {_DROP} VALUES ('delete', OLD.words_key, {_OLD}); {_ADD} VALUES (NEW.words_key, {_NEW}); END""",
    f"""CREATE TRIGGER curation_pair_words_delete AFTER DELETE ON curation_pair BEGIN
        {_DROP} VALUES ('delete', OLD.words_key, {_OLD}); END""",
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


def _ensure_in_sqlite(connection: BaseDatabaseWrapper) -> None:
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pragma_table_info('curation_pair') WHERE name = 'words_key'")
        if cursor.fetchone():
            return
        for statement in SQLITE_MAKE:
            cursor.execute(statement)


def _ensure_in_postgres(connection: BaseDatabaseWrapper) -> None:
    try:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            for statement in POSTGRES_MAKE:
                cursor.execute(statement)
    except DatabaseError as error:  # searching is slow then, but right
        log.warning("Searching pairs goes without an index: pg_trgm cannot be created (%s). Ask whoever runs PostgreSQL for it.", error)
