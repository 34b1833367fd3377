"""Uploaded files under the names they were sent with.

Django cuts a name down to its last plain part before a view sees it. Here a file with such a name is refused in words, not renamed
without any.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.http.multipartparser import MultiPartParser
from django.views.decorators.csrf import csrf_exempt, csrf_protect

View = Callable[..., HttpResponseBase]


class NamesAsSent(MultiPartParser):
    """Gives each file a ``sent_name``."""

    def sanitize_file_name(self, file_name: str) -> str:
        self._sent_name = file_name
        return super().sanitize_file_name(file_name) or "unnamed"

    def handle_file_complete(self, old_field_name: str, counters: list[int]) -> None:
        super().handle_file_complete(old_field_name, counters)
        self._files.getlist(old_field_name)[-1].sent_name = self._sent_name


def names_as_sent(view: View) -> View:
    """In the decorated view each of ``request.FILES`` has a ``sent_name``."""
    checked = csrf_protect(view)

    @csrf_exempt  # checking the token parses the request: first its parser is chosen, then the token is checked
    @wraps(view)
    def with_parser(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        def parse(meta: Any, data: Any) -> Any:
            return NamesAsSent(meta, data, request.upload_handlers, request.encoding).parse()

        request.parse_file_upload = parse  # type: ignore[method-assign]
        return checked(request, *args, **kwargs)

    return with_parser
