"""A run's curves as they are drawn: read in bounded time however long the run is, and made short without losing their peaks."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from uuid import UUID

from django.db.models import Max, QuerySet

from runs.models import MetricPoint, MetricRollup, Run
from runs.rollups import SPAN

Point = tuple[float, float]
Whole = dict[str, dict[int, float]]  # metric → step → value
CURVE_POINTS = 800
EXACT_STEPS = 100 * SPAN  # up to here every point is read


def curves(run: Run) -> dict[str, list[Point]]:
    """Metric → points (step, value) of all metrics of ``run``; see ``curves_of``."""
    return curves_of([run])[run.pk]


def curves_of(runs: Sequence[Run], metrics: Sequence[str] | None = None) -> dict[UUID, dict[str, list[Point]]]:
    """Run → metric → points (step, value), at most ``CURVE_POINTS`` each; of ``metrics`` alone where they are named.

    A step that a later attempt trained again counts once, with the later value. Of a long run the first, last, lowest and highest
    value of each span are read, no others; where one attempt goes over into the next, a span may lack an extreme.
    """
    wanted = {} if metrics is None else {"metric__in": metrics}
    rollups = MetricRollup.objects.filter(run__in=runs, **wanted).order_by()
    ends = dict(rollups.values_list("run").annotate(Max("span")))
    long = [run.pk for run in runs if ends.get(run.pk, 0) >= EXACT_STEPS // SPAN]
    whole: dict[UUID, Whole] = {run.pk: {} for run in runs}
    whole |= _every_point([run.pk for run in runs if run.pk not in long], wanted)
    if long:
        whole |= _from_rollups(rollups.filter(run__in=long))
    return {
        run: {metric: lttb(sorted(points.items()), CURVE_POINTS) for metric, points in sorted(of_run.items())}
        for run, of_run in whole.items()
    }


def _every_point(runs: Sequence[UUID], wanted: dict[str, Sequence[str]]) -> dict[UUID, Whole]:
    latest: dict[UUID, Whole] = {}
    points = MetricPoint.objects.filter(run__in=runs, **wanted).order_by("attempt")
    for run, metric, step, value in points.values_list("run", "metric", "step", "value"):
        latest.setdefault(run, {}).setdefault(metric, {})[step] = value
    return latest


def _from_rollups(rollups: QuerySet[MetricRollup]) -> dict[UUID, Whole]:
    fields = ("first_step", "first", "last_step", "last", "low_step", "low", "high_step", "high")
    attempts: dict[tuple[UUID, str], dict[int, dict[int, float]]] = {}
    for run, metric, attempt, *pairs in rollups.order_by("attempt").values_list("run", "metric", "attempt", *fields):
        attempts.setdefault((run, metric), {}).setdefault(attempt, {}).update(zip(pairs[::2], pairs[1::2], strict=True))
    latest: dict[UUID, Whole] = {}
    for (run, metric), in_order in attempts.items():
        joined: dict[int, float] = {}
        for values in in_order.values():
            begins, ends = min(values), max(values)
            joined = {step: value for step, value in joined.items() if not begins <= step <= ends} | values
        latest.setdefault(run, {})[metric] = joined
    return latest


def reader(points: Sequence[Point]) -> Callable[[float], float]:
    """The value of a curve at any step, on a straight line between its points; beyond its ends the value there."""
    steps = [step for step, _ in points]

    def at(step: float) -> float:
        after = bisect_left(steps, step)
        if after == 0 or after == len(points):
            return points[min(after, len(points) - 1)][1]
        (left, low), (right, high) = points[after - 1], points[after]
        return low + (high - low) * (step - left) / (right - left)

    return at


def lttb(points: Sequence[Point], target: int) -> list[Point]:
    """At most ``target`` of ``points`` (sorted by x), chosen by Largest-Triangle-Three-Buckets (Steinarsson 2013, section 4.2).

    The first and the last point always stay. ``target`` must be at least 3.
    """
    count = len(points)
    if count <= target:
        return list(points)
    width = (count - 2) / (target - 2)
    chosen = [points[0]]
    for bucket in range(target - 2):
        start, end = int(bucket * width) + 1, int((bucket + 1) * width) + 1
        following = points[end : min(int((bucket + 2) * width) + 1, count)] or points[-1:]
        mean_x = sum(point[0] for point in following) / len(following)
        mean_y = sum(point[1] for point in following) / len(following)
        ax, ay = chosen[-1]
        # twice the triangle's area: the factor does not change which is largest
        chosen.append(max(points[start:end], key=lambda p: abs((ax - mean_x) * (p[1] - ay) - (ax - p[0]) * (mean_y - ay))))
    chosen.append(points[-1])
    return chosen
