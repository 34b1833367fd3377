"""What the figures mean, in plain words. Nothing is claimed that the interval does not carry."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evaluation.figures import Figure, Row, rows

CHANCE = 0.25  # four answers to choose from


@dataclass(frozen=True)
class Verdict:
    tone: str  # good, warning, bad, neutral
    title: str
    text: str


def verdicts(report: Mapping[str, Any]) -> list[Verdict]:
    """Domain skill first, then what became of general skill."""
    found = rows(report)
    if not report.get("tuned"):
        return [Verdict("neutral", "A base model alone.", "There is no tuned model in this report to compare it with.")]
    answers = [
        _domain_loss(found.get("loss")),
        _domain_f1(found.get("token_f1")),
        _general(found.get("general_loss")),
        _mmlu(report, found.get("mmlu")),
    ]
    return [answer for answer in answers if answer]


def _percent(gain: Figure, base: float) -> tuple[str, str]:
    """("18%", "95% interval 15% to 21%") of ``base``, as absolute sizes; the interval names its direction by its
    signs.
    """
    share = 100 * gain.value / base
    low, high = (100 * (edge if edge is not None else gain.value) / base for edge in (gain.low, gain.high))
    flip = -1 if share < 0 else 1
    edges = sorted((flip * low, flip * high))
    return f"{_round(abs(share))}%", f"95% interval {_round(edges[0])}% to {_round(edges[1])}%"


def _round(value: float) -> str:
    text = f"{value:.0f}" if abs(value) >= 10 else f"{value:.1f}"
    return "0" if text in ("-0", "-0.0", "0.0") else text.replace("-", "−")


def _domain_loss(row: Row | None) -> Verdict | None:
    if not (row and row.gain and row.base and row.base.value):
        return None
    share, interval = _percent(row.gain, row.base.value)
    if not row.gain.sure:
        return Verdict(
            "warning",
            "No sure change in loss on your test pairs.",
            f"It differs by {share} from the base model's ({interval}); the test pairs are too few to tell.",
        )
    if row.gain.value > 0:
        return Verdict("good", f"Loss is {share} lower than the base model's.", f"On test pairs it has never seen, {interval}.")
    return Verdict(
        "bad",
        f"Loss is {share} higher than the base model's.",
        f"On test pairs it has never seen, {interval}. The training did harm: lower the learning rate or look at the pairs.",
    )


def _domain_f1(row: Row | None) -> Verdict | None:
    if not (row and row.gain and row.base and row.tuned):
        return None
    words = f"Token F1 goes from {row.base.value:.2f} to {row.tuned.value:.2f}"
    interval = f"95% interval of the gain {_signed(row.gain.low)} to {_signed(row.gain.high)}"
    if not row.gain.sure:
        return Verdict("warning", "No sure change in its own words.", f"{words}; the {interval} includes none at all.")
    if row.gain.value > 0:
        return Verdict("good", "Its own answers come closer to the right ones.", f"{words}, {interval}.")
    return Verdict("bad", "Its own answers move away from the right ones.", f"{words}, {interval}.")


def _signed(value: float | None) -> str:
    return "unknown" if value is None else f"{value:+.2f}".replace("-", "−")


def _general(row: Row | None) -> Verdict | None:
    if not (row and row.gain and row.base and row.base.value):
        return None
    share, interval = _percent(row.gain, row.base.value)
    if not row.gain.sure:
        return Verdict(
            "good",
            "No sign of forgetting.",
            f"Loss on general text differs by {share} ({interval}), which is no sure change.",
        )
    if row.gain.value > 0:
        return Verdict("good", "Nothing forgotten.", f"Loss on general text is even {share} lower, {interval}.")
    tone = "bad" if row.gain.value / row.base.value < -0.05 else "warning"
    title = "It forgot much of what it knew." if tone == "bad" else "It forgot a little."
    return Verdict(
        tone,
        title,
        f"Loss on general text is {share} higher than the base model's, {interval}. Fewer passes, a lower learning "
        "rate or a smaller adapter keep more.",
    )


def _mmlu(report: Mapping[str, Any], row: Row | None) -> Verdict | None:
    if not (row and row.base and row.tuned):
        return None
    if uninformative(report):
        return Verdict(
            "neutral",
            "MMLU says nothing here.",
            f"The base model scores {row.base.value:.0%}, no surer than guessing: so small a model cannot show forgetting "
            "this way. The loss above can.",
        )
    return Verdict(
        "neutral",
        f"MMLU: {row.base.value:.0%} before, {row.tuned.value:.0%} after.",
        "General questions answered rightly.",
    )


def uninformative(report: Mapping[str, Any]) -> bool:
    """Whether the base model's MMLU interval includes chance, as the report says or as its figures show."""
    if "mmlu_informative" in report:
        return not report["mmlu_informative"]
    row = rows(report).get("mmlu")
    return bool(row and row.base and row.base.low is not None and row.base.low <= CHANCE)
