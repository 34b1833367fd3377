"""What the page of exports shows."""

from django.db.models import Count, Q, QuerySet

from curation.models import Pair


def export_counts(pairs: QuerySet[Pair]) -> dict[str, int]:
    """How many of ``pairs`` there are, and how many have a rejected answer."""
    return pairs.order_by().aggregate(all=Count("pk"), preferences=Count("pk", filter=~Q(rejected=[])))
