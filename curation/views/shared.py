"""What the pages of curation share."""

from collections.abc import Callable, Iterator
from typing import Any

from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.urls import reverse

from catalogue.packing import streamed
from curation.selectors.collecting import pairs_in_review, unread_mentions
from projects.models import Project
from projects.registries import provided
from projects.roles import may


def show_error(form: Any, error: Any) -> None:
    for field, text in error.fields.items():
        form.add_error(field if field in form.fields else None, text)
    if not error.fields:
        form.add_error(None, str(error))


def with_query(url: str, request: HttpRequest) -> str:
    return f"{url}?{request.GET.urlencode()}" if request.GET else url


def download(blocks: Callable[[], Iterator[bytes]], name: str, media_type: str, size: int) -> HttpResponseBase:
    """A file of ``size`` bytes, a block at a time."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Content-Length": str(size)}
    return StreamingHttpResponse(streamed(blocks), content_type=media_type, headers=headers)


def pairs_tabs(project: Project, user: Any, current: str) -> list[dict[str, Any]]:
    """The views of pairs that ``user`` may see, for the tabs above them; higher floors add theirs."""
    role = project.role  # type: ignore[attr-defined] (set by the guard)
    disputed = pairs_in_review(project, "disputed").count() if may(role, "review") else 0
    tabs = [
        ("pairs", "Table", "view", None),
        ("annotate", "Annotate", "annotate", None),
        ("collected", "Responses", "review", disputed or None),
        ("team", "Team", "annotate", None),
        ("tags", "Tags", "review", None),
        ("mentions", "Mentions", "view", unread_mentions(project, user) or None),
    ]
    own = [
        {"title": title, "url": reverse(f"curation:{name}", args=[project.slug]), "current": name == current, "count": count}
        for name, title, can, count in tabs
        if may(role, can)
    ]
    return [*own, *(tab for more in provided("pairs_tabs", project, current) for tab in more)]


def ways_to_make(project: Project, current: str) -> dict[str, Any]:
    """The tabs of making pairs, and the way back to the table."""
    ways = [
        ("rules", "By rules", "pairs_generate"),
        ("model", "By a model", "pairs_write"),
        ("augment", "From pairs", "pairs_augment"),
        ("raft", "Among distractors", "pairs_raft"),
    ]
    tabs = [
        {"title": title, "url": reverse(f"curation:{name}", args=[project.slug]), "current": key == current} for key, title, name in ways
    ]
    return {"ways": tabs, "cancel_url": reverse("curation:pairs", args=[project.slug])}
