"""What the pages of curation share."""

from typing import Any

from django.http import HttpRequest


def show_error(form: Any, error: Any) -> None:
    for field, text in error.fields.items():
        form.add_error(field if field in form.fields else None, text)
    if not error.fields:
        form.add_error(None, str(error))


def with_query(url: str, request: HttpRequest) -> str:
    return f"{url}?{request.GET.urlencode()}" if request.GET else url
