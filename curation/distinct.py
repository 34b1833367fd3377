# ruff: noqa: S608 (names come from the model, the project is a parameter)
"""The different values of a column of pairs, in as many steps as there are values: of 100,000 pairs with 25 topics it reads 26 places."""

from typing import Any

from django.db import connection

from curation.models import Pair
from projects.models import Project


def distinct_values(project: Project, name: str) -> list[Any]:
    """The values of the field ``name`` in ``project``, in order, without null. The field needs an index that begins with the project.

    From each value the index leads to the next; ``SELECT DISTINCT`` would read the entries of all pairs (SQLite) or all pairs (PostgreSQL).
    """
    field = Pair._meta.get_field(name)
    table, column = (connection.ops.quote_name(word) for word in (Pair._meta.db_table, field.column))
    least = f"SELECT {column} FROM {table} WHERE project_id = %(project)s AND {column} {{}} ORDER BY {column} LIMIT 1"
    statement = f"""WITH RECURSIVE found(value) AS (
            SELECT * FROM ({least.format("IS NOT NULL")}) AS first
        UNION ALL
            SELECT ({least.format("> found.value")}) FROM found WHERE found.value IS NOT NULL
        ) SELECT value FROM found WHERE value IS NOT NULL"""
    with connection.cursor() as cursor:
        cursor.execute(statement, {"project": project.pk})
        return [field.to_python(value) for (value,) in cursor.fetchall()]
