"""What pages read of tags."""

from django.db.models import Count, QuerySet

from curation.models import Tag
from projects.models import Project


def tags_with_counts(project: Project) -> QuerySet[Tag]:
    """The project's tags in their order, ``pairs_count`` being how many pairs carry each. One query."""
    return Tag.objects.filter(project=project).annotate(pairs_count=Count("pair_tags"))
