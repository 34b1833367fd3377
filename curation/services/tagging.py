"""Tags of a project."""

from collections.abc import Iterable

from django.db.models import Max

from curation.models import Tag
from projects.models import Project

NAME_LIMIT = 40  # characters


def tags_ensure(*, project: Project, names: Iterable[str]) -> dict[str, Tag]:
    """Name → tag; those that are new come after the ones that are there. Names are cut to ``NAME_LIMIT``, empty ones left out."""
    wanted = sorted({name[:NAME_LIMIT].strip() for name in names} - {""})
    there = {tag.name: tag for tag in Tag.objects.filter(project=project, name__in=wanted)}
    last = Tag.objects.filter(project=project).aggregate(last=Max("order"))["last"] or 0
    new = [name for name in wanted if name not in there]
    Tag.objects.bulk_create(
        [Tag(project=project, name=name, order=last + 1 + place) for place, name in enumerate(new)], ignore_conflicts=True
    )
    return {tag.name: tag for tag in Tag.objects.filter(project=project, name__in=wanted)}
