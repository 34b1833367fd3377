"""Which metrics share a chart on a run's page, and what they are called there. A metric named nowhere gets a chart of its own."""

import re
from typing import Any

from runs.curves import Point

Curve = list[Point]
Chart = dict[str, Any]

# A name with a slash, as training libraries have them, is found here with a line below instead
CHARTS: list[Chart] = [
    {
        "id": "loss",
        "title": "Loss",
        "sub": "per answer token; lower is better",
        "metrics": {"train_loss": "Training", "eval_loss": "Validation", "general_loss": "General texts"},
    },
    {
        "id": "rewards",
        "title": "Rewards",
        "sub": "how much likelier than at the start the answers have become",
        "metrics": {
            "rewards_chosen": "Preferred",
            "rewards_rejected": "Rejected",
            "eval_rewards_chosen": "Preferred, validation",
            "eval_rewards_rejected": "Rejected, validation",
        },
    },
    {
        "id": "margin",
        "title": "Margin",
        "sub": "preferred above rejected; should rise",
        "metrics": {"rewards_margins": "Training", "eval_rewards_margins": "Validation"},
    },
    {
        "id": "accuracy",
        "title": "Preference accuracy",
        "sub": "share of pairs where the preferred answer leads",
        "metrics": {"rewards_accuracies": "Training", "eval_rewards_accuracies": "Validation"},
        "format": ".0%",
    },
    {
        "id": "reward",
        "title": "Reward",
        "sub": "of the answers that the model writes",
        "metrics": {"reward": "Mean", "reward_std": "Spread", "eval_reward": "Mean, validation"},
    },
    {
        "id": "rules",
        "title": "Reward by rule",
        "sub": "1 is what is wanted, before the rule's weight",
        "metrics": {
            "reward_form": "Form",
            "reward_json": "JSON",
            "reward_terms": "Terms that must occur",
            "reward_avoided": "Terms to avoid",
            "reward_length": "Length",
            "reward_closeness": "Closeness",
        },
    },
    {
        "id": "kl",
        "title": "KL divergence",
        "sub": "in nats a token, from the teacher or from the model at the start",
        "metrics": {"kl": "Training", "eval_kl": "Validation"},
    },
    {
        "id": "answers",
        "title": "Length of written answers",
        "sub": "in tokens",
        "metrics": {"completions_mean_length": "Mean", "completions_max_length": "Longest"},
    },
    {"id": "penalty", "title": "Penalty for moving away", "sub": "added to the loss", "metrics": {"penalty": "Penalty"}},
    {
        "id": "speed",
        "title": "Tokens a second",
        "sub": "",
        "metrics": {"tokens_per_second": "That carry loss", "all_tokens_per_second": "All"},
    },
    {"id": "learning-rate", "title": "Learning rate", "sub": "", "metrics": {"learning_rate": "Learning rate"}},
    {"id": "gradient", "title": "Gradient norm", "sub": "a sudden rise warns of instability", "metrics": {"grad_norm": "Gradient norm"}},
    {"id": "memory", "title": "Memory", "sub": "held by the process, in bytes", "metrics": {"memory_bytes": "Memory"}, "format": ".3~s"},
    {
        "id": "utilisation",
        "title": "Utilisation",
        "sub": "of the processor, in percent",
        "metrics": {"utilisation": "Utilisation"},
        "min": 0,
    },
]
TITLES = {
    "own_answers": "Answers written by the student",
    "entropy": "Entropy of the answers",
    "logps_chosen": "Log-probability of preferred answers",
    "logps_rejected": "Log-probability of rejected answers",
    "mean_token_accuracy": "Tokens guessed right",
    "accuracy": "Share of pairs that the reward model ranks right",
    "margin": "How far the better answer leads in score",
    "completions_clipped_ratio": "Share of written answers that were cut",
    "log_odds_ratio": "Log odds of preferred over rejected answers",
    "nll_loss": "Loss on preferred answers",
}
STEPS = {"blend": "Share of the tuned model, in percent"}  # stages whose points are not by step
AXES = {"tokens_seen": "Tokens read", "seconds_trained": "Seconds of training"}  # counted along the way, not drawn as charts
FIGURES = {
    "train_loss": "Training loss",
    "eval_loss": "Validation loss",
    "general_loss": "Loss on general texts",
    "tokens_per_second": "Tokens a second",
    "learning_rate": "Learning rate",
}


def plain(metric: str) -> str:
    return metric.replace("/", "_")


def title_of(metric: str) -> str:
    """What a metric is called where it stands alone."""
    for chart in CHARTS:
        if label := chart["metrics"].get(plain(metric)):
            return chart["title"] if len(chart["metrics"]) == 1 else f"{chart['title']}: {label[0].lower()}{label[1:]}"
    if metric.startswith("eval_"):
        return f"{title_of(metric.removeprefix('eval_'))}, validation"
    return TITLES.get(plain(metric)) or re.sub(r"[_/]", " ", metric).capitalize()


def run_charts(
    curves: dict[str, Curve], *, stage: str = "", lines: list[dict[str, Any]] | None = None, checkpoints: list[int] | None = None
) -> list[Chart]:
    """Charts for the chart component: ``{"id", "title", "sub", "spec", "metrics"}``, only those with points.

    ``lines`` are drawn into the charts they name (``"charts"``), or all; ``checkpoints`` are steps marked on each axis.
    """
    named = {plain(metric): metric for metric in curves}
    known = {metric for chart in CHARTS for metric in chart["metrics"]}
    others: list[Chart] = [
        {
            "id": f"metric-{re.sub(r'[^a-z0-9]+', '-', metric.lower())}",
            "title": title_of(metric),
            "sub": "",
            "metrics": {name: title_of(metric)},
        }
        for name, metric in named.items()
        if name not in known and metric not in AXES
    ]
    drawn = []
    for chart in [*CHARTS, *others]:
        metrics = {named.get(name, name): label for name, label in chart["metrics"].items()}
        series = [
            {"name": label, "x": [x for x, _ in curves[metric]], "y": [y for _, y in curves[metric]]}
            for metric, label in metrics.items()
            if metric in curves
        ]
        if series:
            axis: dict[str, Any] = {key: chart[key] for key in ("format", "min") if key in chart}
            spec: dict[str, Any] = {
                "kind": "line",
                "x": {"title": STEPS.get(stage, "Step")},
                "y": {"title": "", **axis},
                "series": series,
                "lines": [line for line in lines or [] if chart["id"] in line.get("charts", [chart["id"]])],
                "ticks": {"name": "Checkpoint at", "x": checkpoints or []},
            }
            drawn.append({**chart, "metrics": metrics, "spec": spec})
    return drawn


def metric_places(charts: list[Chart]) -> dict[str, dict[str, str] | None]:
    """Metric → the chart and series its points go to, for the page's script; None for what is not drawn."""
    places: dict[str, dict[str, str] | None] = {}
    for metric in AXES:
        places[metric] = None
    for chart in charts:
        for metric, label in chart["metrics"].items():
            places[metric] = {"chart": chart["id"], "series": label}
    return places


def latest_figures(curves: dict[str, Curve]) -> list[dict[str, Any]]:
    """Tiles with the last value of what matters most while training."""
    return [
        {"label": label, "value": float(f"{curves[name][-1][1]:.4g}"), "id": f"figure-{name}"}
        for name, label in FIGURES.items()
        if curves.get(name)
    ]
