"""Metric points as they arrive, and beside them what long curves are drawn from: the extremes of every SPAN steps."""

from collections.abc import Iterable

from runs.models import MetricPoint, MetricRollup

SPAN = 64  # steps; 100,000 steps of 10 metrics are 15,630 rows to read for a page
BATCH = 500
_KEY = ["run", "attempt", "metric", "span"]
_VALUES = ["first_step", "first", "last_step", "last", "low_step", "low", "high_step", "high"]


def points_store(points: list[MetricPoint]) -> None:
    """Insert ``points`` of one run and attempt and bring its rollups up to date; those that are there already change nothing.

    The caller's transaction keeps other writers of the same run away (``runs.ingesting`` holds the run's row).
    """
    if not points:
        return
    MetricPoint.objects.bulk_create(points, batch_size=BATCH, ignore_conflicts=True)
    fresh = rolled_up(points)
    spans = {span for _, span in fresh}
    of_attempt = MetricRollup.objects.filter(run_id=points[0].run_id, attempt=points[0].attempt)
    for known in of_attempt.filter(metric__in={metric for metric, _ in fresh}, span__gte=min(spans), span__lte=max(spans)):
        if (known.metric, known.span) in fresh:
            _merge(fresh[known.metric, known.span], known)
    MetricRollup.objects.bulk_create(
        fresh.values(), batch_size=BATCH, update_conflicts=True, unique_fields=_KEY, update_fields=_VALUES
    )  # fmt: skip


def rolled_up(points: Iterable[MetricPoint]) -> dict[tuple[str, int], MetricRollup]:
    """(metric, span) → rollup of ``points``, which are of one attempt, in any order."""
    found: dict[tuple[str, int], MetricRollup] = {}
    for point in points:
        at, value, key = point.step, point.value, (point.metric, point.step // SPAN)
        one = MetricRollup(
            run_id=point.run_id, attempt=point.attempt, metric=point.metric, span=key[1],
            first_step=at, first=value, last_step=at, last=value, low_step=at, low=value, high_step=at, high=value,
        )  # fmt: skip
        if key in found:
            _merge(found[key], one)
        else:
            found[key] = one
    return found


def _merge(one: MetricRollup, other: MetricRollup) -> None:
    """Take ``other`` into ``one``. The order does not matter, nor how often."""
    if other.first_step < one.first_step:
        one.first_step, one.first = other.first_step, other.first
    if other.last_step > one.last_step:
        one.last_step, one.last = other.last_step, other.last
    if (other.low, other.low_step) < (one.low, one.low_step):
        one.low_step, one.low = other.low_step, other.low
    if (-other.high, other.high_step) < (-one.high, one.high_step):
        one.high_step, one.high = other.high_step, other.high
