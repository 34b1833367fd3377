"""All points of a run as CSV, a bounded number of them in memory at any time."""

import csv
import io
from collections.abc import AsyncIterator, Iterator, Sequence

from asgiref.sync import sync_to_async
from django.db.models import Max

from runs.models import MetricPoint, MetricRollup, Run
from runs.rollups import SPAN

BLOCK = 32 * SPAN  # steps read at once


def metrics_of(run: Run) -> list[str]:
    """Names of the metrics that ``run`` has drawn at least one point of."""
    return list(MetricRollup.objects.filter(run=run).order_by("metric").values_list("metric", flat=True).distinct())


def metrics_csv(run: Run, metrics: Sequence[str]) -> Iterator[str]:
    """Lines of a table with a row for each step of each attempt and a column for each of ``metrics``, some thousand at a time."""
    yield _lines([["attempt", "step", *metrics]])
    rollups = MetricRollup.objects.filter(run=run, metric__in=metrics)
    for attempt, last in rollups.order_by("attempt").values_list("attempt").annotate(last=Max("last_step")):
        for begin in range(0, last + 1, BLOCK):
            rows: dict[int, dict[str, float]] = {}
            points = MetricPoint.objects.filter(run=run, attempt=attempt, metric__in=metrics, step__gte=begin, step__lt=begin + BLOCK)
            for metric, step, value in points.order_by().values_list("metric", "step", "value"):
                rows.setdefault(step, {})[metric] = value
            yield _lines([[attempt, step, *(values.get(name, "") for name in metrics)] for step, values in sorted(rows.items())])


async def streamed(blocks: Iterator[str]) -> AsyncIterator[str]:
    """``blocks`` for an ASGI server, which would collect a plain iterator in memory before it sent the first byte."""

    def following() -> str | None:
        return next(blocks, None)

    while (block := await sync_to_async(following)()) is not None:
        if block:
            yield block


def _lines(rows: list[list[object]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
