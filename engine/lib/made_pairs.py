"""The pairs a stage has made so far: how it goes, what was left out and why, and handing them over."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from engine.context import Context
from engine.exits import InputError, Stopped
from engine.lib.asking import Asker
from engine.lib.jsonl import write_lines
from engine.lib.near_copies import NearCopies
from engine.lib.pair_rows import PAIRS_FILE, PairRow

SAMPLES = 10  # pairs shown while it runs


@dataclass
class MadePairs:
    """``asker`` is None for a stage, or a method of one, that asks no model. ``wanted``: it is full with this many rows.

    ``questions``: what was asked before, here or by others. ``rejected`` counts by reason what did not stand.
    """

    ctx: Context
    wanted: int
    asker: Asker | None = None
    rows: list[PairRow] = field(default_factory=list)
    rejected: Counter[str] = field(default_factory=Counter)
    questions: NearCopies = field(default_factory=NearCopies)

    @property
    def full(self) -> bool:
        return len(self.rows) >= self.wanted

    def keep(self, row: PairRow) -> None:
        self.rows.append(row)
        self.questions.add(row.question)
        if len(self.rows) <= SAMPLES:
            self.ctx.sample(row.shape, row.question, row.answer)

    def replace(self, old: PairRow, new: PairRow) -> None:
        """``new`` in the place of ``old``, which stays known as asked."""
        self.rows[next(place for place, row in enumerate(self.rows) if row is old)] = new
        self.questions.add(new.question)

    def tell(self) -> None:
        """Progress and figures."""
        self.ctx.progress(len(self.rows), self.wanted, "pairs")
        figures: dict[str, float] = {"accepted": len(self.rows), "rejected": self.rejected.total()}
        step = len(self.rows) + self.rejected.total()
        if self.asker:
            budget = self.asker.budget
            step = budget.used_calls
            figures |= {"failed": self.asker.failures.total(), "tokens": budget.used_tokens}
            figures |= {"cost": budget.cost} if budget.price_in or budget.price_out else {}
        self.ctx.metric(step=step, **figures)

    def facts(self, origin: str, made_by: str) -> dict[str, Any]:
        """What the artifact says of itself."""
        facts: dict[str, Any] = {
            "origin": origin,
            "made_by": made_by,
            "pairs": len(self.rows),
            "documents": len({source["document"] for row in self.rows for source in row.sources}),
            "kinds": dict(Counter(row.shape for row in self.rows).most_common()),
            "rejected": dict(self.rejected.most_common()),
        }
        if self.asker:
            budget = self.asker.budget
            facts |= {"failed": dict(self.asker.failures.most_common()), "tried_again": self.asker.retries, "calls": budget.used_calls}
            facts |= {"tokens_in": budget.used_in, "tokens_out": budget.used_out, "cost": budget.cost}
        return facts

    def hand_over(self, facts: dict[str, Any], *, complete: bool, nothing: str, extra: dict[str, dict[str, Any]] | None = None) -> None:
        """Save the ``pairs`` artifact, and say why it is not more. ``extra``: further files of one JSON line each.

        Raises ``Stopped`` where that was asked for, and ``InputError`` with nothing to hand over; ``nothing`` then says how to mend it.
        """
        gone = self.asker.gone if self.asker else None
        if self.rows:
            folder = self.ctx.work / "pairs"
            folder.mkdir(exist_ok=True)
            write_lines(folder / PAIRS_FILE, (row.to_dict() for row in self.rows))
            for name, content in (extra or {}).items():
                write_lines(folder / name, [content])
            self.ctx.save("pairs", folder, kind="pairs", facts=facts if complete else {**facts, "partial": True})
        if self.ctx.stop_requested and not (complete and self.rows):  # once all is saved, a stop comes too late
            raise Stopped
        if gone and not self.rows:
            raise InputError(f"endpoint_{gone.code}", str(gone), where="endpoint", mend=gone.mend)
        if not self.rows:
            counted = [*self.rejected.most_common(), *(self.asker.failures.most_common() if self.asker else [])]
            why = ", ".join(f"{reason}: {count}" for reason, count in counted) or "there was nothing to make them from"
            raise InputError("no_pairs", f"No pair passed the checks ({why}).", where="params", mend=nothing)
        if gone:
            mend = f"{gone.mend} What was made is kept."
            self.ctx.warn(f"endpoint_{gone.code}", f"The model stopped answering: {gone}", where="endpoint", mend=mend)
        elif not complete:
            text = f"{len(self.rows):,} of {self.wanted:,} pairs were made before the budget or the material was used up."
            self.ctx.warn("fewer", text, where="params", mend="Allow more calls or tokens, or give it more to work from.")
        self.ctx.finish(**facts)
