"""Making a step fit into memory: fewer rows at once, then computing anew instead of remembering, then shorter texts."""

import gc
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from engine import memory
from engine.lib.training.checkpoints import State

SHORTEST = 64  # tokens: below that a pair says nothing any more
SHORTER = 0.75
COMPUTED_ANEW = "intermediate results are computed anew instead of remembered from now on, which is about a third slower"


def pieces(rows: Sequence[Any], state: State) -> list[list[Any]]:
    """``rows`` as the micro-batches that memory allows, cut to the length that it allows."""
    if state.longest:
        rows = [cut(row, state.longest) for row in rows]
    size = state.rows_at_once or len(rows)
    return [list(rows[start : start + size]) for start in range(0, len(rows), size)]


def cut(row: Any, longest: int) -> Any:
    """``row`` without what comes after ``longest`` tokens; a row whose answer lies beyond keeps the answer's beginning instead."""
    if len(row.ids) <= longest:
        return row
    first = row.answer.index(True)
    start = max(0, first - longest // 2) if first >= longest else 0
    return replace(row, ids=row.ids[start : start + longest], answer=row.answer[start : start + longest])


def shrink(state: State, rows: Sequence[Any], can_recompute: bool) -> str:
    """Make the next try at a step on ``rows`` smaller; what was changed, in words, or empty when nothing is left to change."""
    at_once = state.rows_at_once or len(rows)
    if at_once > 1:
        state.rows_at_once = (at_once + 1) // 2
        return fewer_at_once(state.rows_at_once, len(rows))
    if can_recompute and not state.recomputing:
        state.recomputing = True
        return COMPUTED_ANEW
    longest = min(state.longest or 10**9, max(len(row.ids) for row in rows))
    if longest * SHORTER >= SHORTEST:
        state.longest = int(longest * SHORTER)
        return f"texts are cut to {state.longest} tokens from now on"
    return ""


def fewer_at_once(rows: int, of: int) -> str:
    """That so many rows of a step's are read at once, in words."""
    return f"{rows} of {of} rows are read at once from now on; each step still learns from all of them"


def release() -> None:
    """Give back what a step that did not fit has left behind."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    memory.give_back_freed()
    watch_memory()  # what was given back may be taken again, though its addresses count as taken


def watch_memory() -> None:
    """Have memory that the machine has not got show as an error. On a processor: a GPU says so by itself."""
    from engine.lib import models

    if models.pick_device() == "cpu":
        memory.refuse_more_than_there_is()
