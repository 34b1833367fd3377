"""Pages of a long table: the database finds, sorts and counts keys in its indexes alone, and reads whole rows for one page only."""

from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet


class KeyedPaginator(Paginator):
    """As Django's; ``rows`` is what the rows of a page are read from, with whatever they need beside. Three queries a page at most."""

    def __init__(self, found: QuerySet[Any], rows: QuerySet[Any], per_page: int) -> None:
        super().__init__(found.values_list("pk", flat=True), per_page)
        self.rows = rows

    def page(self, number: int | str) -> Page:
        """Raises ``InvalidPage`` as Django's does."""
        number = self.validate_number(number)
        first = (number - 1) * self.per_page
        keys = list(self.object_list[first : first + self.per_page]) if self.count else []
        rows = {row.pk: row for row in self.rows.filter(pk__in=keys)} if keys else {}
        return self._get_page([rows[key] for key in keys if key in rows], number, self)  # type: ignore[attr-defined]
