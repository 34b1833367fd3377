"""Inserting many rows that have much in common, as a file of pairs: Django's ``bulk_create`` would cost more than the database does."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import AutoField, Model

from retrieval.batches import batched

PLACES = 30_000  # values in one statement: SQLite takes 32,766. Its full-text index is written out once a statement, so few are fast


def rows_insert(model: type[Model], rows: Sequence[Mapping[str, Any]], *, common: Mapping[str, Any] | None = None) -> int:
    """Insert ``rows``: column (``project_id``) → value, the same columns in each; the others are as in ``model(**common)``.

    Answers how many were inserted: on PostgreSQL a row that somebody else inserted first is left out. SQLite has one writer, who sees all
    there is, so a row that clashes there raises ``IntegrityError``. Inside a transaction. Sends no signals, as ``bulk_create``.
    """
    if not rows:
        return 0
    database, meta = connections[DEFAULT_DB_ALIAS], model._meta
    fields = {field.attname: field for field in meta.concrete_fields if not isinstance(field, AutoField)}
    own = [fields.pop(name) for name in rows[0]]
    assert meta.pk.attname not in fields, f"every row of {meta.label} needs a key of its own"
    pattern = model(**(common or {}))
    same = [field.get_db_prep_save(field.pre_save(pattern, add=True), database) for field in fields.values()]
    prepare = [(field.attname, field.get_db_prep_save) for field in own]
    quote = database.ops.quote_name
    columns = ", ".join(quote(str(field.column)) for field in (*fields.values(), *own))
    places = f"({', '.join(['%s'] * (len(same) + len(own)))})"
    into = f"INSERT INTO {quote(meta.db_table)} ({columns}) VALUES"
    clash = "" if database.vendor == "sqlite" else " ON CONFLICT DO NOTHING"
    inserted = 0
    with database.cursor() as cursor:
        for some in batched(rows, PLACES // (len(same) + len(own))):
            values = [value for row in some for value in (*same, *(save(row[name], database) for name, save in prepare))]
            cursor.execute(f"{into} {', '.join([places] * len(some))}{clash}", values)
            inserted += cursor.rowcount
    return inserted
