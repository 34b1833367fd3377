"""Which metrics share a chart on a run's page, and what they are called there. A metric named nowhere gets a chart of its own."""

from typing import Any

CHARTS: list[dict[str, Any]] = [
    {
        "id": "loss",
        "title": "Loss",
        "sub": "per answer token; lower is better",
        "metrics": {"train_loss": "Training", "eval_loss": "Validation"},
    },
    {
        "id": "speed",
        "title": "Tokens a second",
        "sub": "",
        "metrics": {"tokens_per_second": "That carry loss", "all_tokens_per_second": "All"},
    },
    {"id": "learning-rate", "title": "Learning rate", "sub": "", "metrics": {"learning_rate": "Learning rate"}},
    {"id": "gradient", "title": "Gradient norm", "sub": "a sudden rise warns of instability", "metrics": {"grad_norm": "Gradient norm"}},
    {"id": "memory", "title": "Memory", "sub": "held by the process, in bytes", "metrics": {"memory_bytes": "Memory"}, "format": ".3~s"},
]
Curve = list[tuple[float, float]]


def run_charts(curves: dict[str, Curve]) -> list[dict[str, Any]]:
    """Charts for the chart component: ``{"id", "title", "sub", "spec", "metrics"}``, only those with points."""
    known = {metric for chart in CHARTS for metric in chart["metrics"]}
    others = [
        {"id": f"metric-{name}", "title": name.replace("_", " ").capitalize(), "sub": "", "metrics": {name: name}}
        for name in curves
        if name not in known
    ]
    drawn = []
    for chart in [*CHARTS, *others]:
        series = [
            {"name": label, "x": [x for x, _ in curves[metric]], "y": [y for _, y in curves[metric]]}
            for metric, label in chart["metrics"].items()
            if metric in curves
        ]
        if series:
            spec = {
                "kind": "line",
                "x": {"title": "Step"},
                "y": {"title": "", **({"format": chart["format"]} if "format" in chart else {})},
                "series": series,
            }
            drawn.append({**chart, "spec": spec})
    return drawn


def metric_places(charts: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    """Metric → the chart and series its points go to, for the page's script."""
    return {metric: {"chart": chart["id"], "series": label} for chart in charts for metric, label in chart["metrics"].items()}


def latest_figures(curves: dict[str, Curve]) -> list[dict[str, Any]]:
    """Tiles with the last value of what matters most while training."""
    wanted = [
        ("train_loss", "Training loss"),
        ("eval_loss", "Validation loss"),
        ("tokens_per_second", "Tokens a second"),
        ("learning_rate", "Learning rate"),
    ]
    return [
        {"label": label, "value": float(f"{curves[name][-1][1]:.4g}"), "id": f"figure-{name}"} for name, label in wanted if curves.get(name)
    ]
