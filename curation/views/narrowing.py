"""The filter that an annotator works within: it travels in the address of the pages of annotating."""

from dataclasses import dataclass

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from curation.models import Pair
from curation.query import Query
from curation.selectors.filters import filter_words
from curation.selectors.pairs import pairs_of
from projects.models import Project

NOT_OF_IT = ("state", "page", "sort")  # what else stands in the address of the table and of the list of one's responses


@dataclass(frozen=True)
class Narrowed:
    """``query`` as it goes into an address, ``words`` as people read it, ``pairs`` what it finds; nothing without a filter."""

    query: str = ""
    words: str = ""
    pairs: QuerySet[Pair] | None = None

    @classmethod
    def of(cls, request: HttpRequest, project: Project) -> "Narrowed":
        """Raises ``FilterError`` for what cannot be read."""
        asked = request.GET.copy()
        for name in NOT_OF_IT:
            asked.pop(name, None)
        query = Query.from_get(asked)
        if not query.group.parts:
            return cls()
        return cls(asked.urlencode(), filter_words(project, query.group), pairs_of(project, query))

    def redirect(self, name: str, *args: object) -> HttpResponse:
        """To a page of annotating, within the same filter."""
        url = reverse(name, args=args)
        return redirect(f"{url}?{self.query}" if self.query else url)
