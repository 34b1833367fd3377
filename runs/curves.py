"""Long curves made short for drawing, without losing their peaks."""

from collections.abc import Sequence

Point = tuple[float, float]


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
