"""What pages read of filters: what each field can be, what a filter says in words, those kept by name."""

from collections.abc import Callable, Iterable
from typing import Any

from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.http import urlencode

from curation.distinct import distinct_values
from curation.documents import document_names
from curation.filter_fields import FIELDS
from curation.filter_values import OPS
from curation.filters import Condition, FilterError, Group, filter_read, filter_text
from curation.models import Finding, Pair, QualityReport, SavedFilter, Tag
from projects.models import Project, User

Choices = list[tuple[str, str]]


def choices_of(project: Project, keys: Iterable[str]) -> dict[str, Choices]:
    """Field → (value, label) of what it can be in ``project``, for the choice fields among ``keys``. A query a field, at most two."""
    wanted = [key for key in dict.fromkeys(keys) if FIELDS[key].kind == "choice"]
    return {key: list(FIELDS[key].options) or VALUES[key](project) for key in wanted}


def _topics(project: Project) -> Choices:
    return [(value, value) for value in distinct_values(project, "topic") if value]


def _shapes(project: Project) -> Choices:
    return [(value, _sentence(value)) for value in distinct_values(project, "shape") if value]


def _languages(project: Project) -> Choices:
    values = Pair.objects.filter(project=project).order_by("language").values_list("language", flat=True).distinct()
    return [(value, value) for value in values if value]


def _documents(project: Project) -> Choices:
    names = document_names(project)
    ids = distinct_values(project, "document_id")
    return sorted(((str(pk), names.get(pk, "A deleted document")) for pk in ids), key=lambda row: row[1].casefold())


def _tags(project: Project) -> Choices:
    return [(name, name) for name in Tag.objects.filter(project=project).values_list("name", flat=True)]


def _people(project: Project) -> Choices:
    return [(str(user.pk), str(user)) for user in User.objects.filter(memberships__project=project).order_by("name", "email")]


def _findings(project: Project) -> Choices:
    last = QualityReport.objects.filter(project=project).order_by("-created_at").first()
    if last is None:
        return []
    titles = {check["key"]: check["title"] for check in last.report.get("checks", [])}
    keys = Finding.objects.filter(report=last).order_by("check_key").values_list("check_key", flat=True).distinct()
    return [(key, titles.get(key, _sentence(key))) for key in keys]


def _sentence(word: str) -> str:
    return word.replace("_", " ").replace("-", " ").capitalize()


VALUES: dict[str, Callable[[Project], Choices]] = {
    "tag": _tags,
    "topic": _topics,
    "shape": _shapes,
    "language": _languages,
    "document": _documents,
    "finding": _findings,
    "created_by": _people,
    "decided_by": _people,
    "assigned_to": _people,
    "answered_by": _people,
}


def filter_words(project: Project, tree: Group | dict[str, Any]) -> str:
    """The filter as a person would say it: "Status is Approved and (Topic is Pumps or Tag is safety)". Raises ``FilterError``."""
    group = tree if isinstance(tree, Group) else filter_read(tree)
    names = choices_of(project, (one.field for one in group.conditions()))
    return _group_words(group, {key: dict(choices) for key, choices in names.items()}) or "All pairs"


def _group_words(group: Group, names: dict[str, dict[str, str]], inside: bool = False) -> str:
    if group.kind == "not":
        return f"not ({_words(group.parts[0], names, False)})"
    parts = [words for part in group.parts if (words := _words(part, names, len(group.parts) > 1))]
    words = (" and " if group.kind == "all" else " or ").join(parts)
    return f"({words})" if inside and len(parts) > 1 else words


def _words(node: Condition | Group, names: dict[str, dict[str, str]], inside: bool) -> str:
    if isinstance(node, Group):
        return _group_words(node, names, inside)
    field, op = FIELDS[node.field], OPS[node.op]
    if field.kind == "flag":
        return f"{field.label}: {'yes' if node.value else 'no'}"
    if not op.takes_value:
        return f"{field.label} {op.label}"
    if node.op == "days":
        return f"{field.label} within the last {node.value} days"
    value = names.get(node.field, {}).get(str(node.value), str(node.value))
    return f"{field.label} {op.label} “{value}”" if field.kind == "text" else f"{field.label} {op.label} {value}"


def saved_filters(project: Project, user: User) -> QuerySet[SavedFilter]:
    """A person's own and the team's, by name."""
    return SavedFilter.objects.filter(Q(by=user) | Q(shared=True), project=project).select_related("by", "project").order_by("name", "pk")


def saved_url(saved: SavedFilter) -> str:
    """The table, filtered so; empty for one that cannot be read any more."""
    try:
        tree = filter_text(filter_read(saved.tree))
    except FilterError:
        return ""
    return f"{reverse('curation:pairs', args=[saved.project.slug])}?{urlencode({'f': tree})}"
