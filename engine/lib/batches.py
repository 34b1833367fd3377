"""Batches of texts of like length, so that little is spent on padding."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.lib.chat_rows import Encoded

POOL = 50  # batches sorted together: enough to pair like with like, few enough to keep a big epoch well mixed


@dataclass(frozen=True)
class Batch:
    """``ids`` is right-padded; ``positions`` (flat) are those whose next token is an answer token, ``targets`` those tokens.

    ``owners`` is the row of each target. There is no attention mask: attention looks back only, so padding on the right
    is never seen by a real token.
    """

    ids: Any
    positions: Any
    targets: Any
    owners: Any
    tokens: int


def shuffled(lengths: Sequence[int], batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """One epoch's batches of row numbers: the same for the same seed and epoch, whatever happened before."""
    dice = random.Random(f"{seed}/{epoch}")
    order = list(range(len(lengths)))
    dice.shuffle(order)
    batches = []
    for start in range(0, len(order), POOL * batch_size):
        pool = sorted(order[start : start + POOL * batch_size], key=lambda row: lengths[row])
        batches += [pool[i : i + batch_size] for i in range(0, len(pool), batch_size)]
    dice.shuffle(batches)
    return batches


def by_length(lengths: Sequence[int], batch_size: int) -> list[list[int]]:
    """Batches for scoring, longest first: running out of memory then happens at once."""
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]


def collate(rows: Sequence[Encoded], pad: int, device: str = "cpu") -> Batch:
    """``rows`` as tensors on ``device``."""
    import torch

    longest = max(len(row.ids) for row in rows)
    ids = torch.full((len(rows), longest), pad)
    positions, targets, owners = [], [], []
    for number, row in enumerate(rows):
        ids[number, : len(row.ids)] = torch.tensor(row.ids)
        for place, is_answer in enumerate(row.answer):
            if is_answer and place > 0:
                positions.append(number * longest + place - 1)
                targets.append(row.ids[place])
                owners.append(number)
    return Batch(
        ids.to(device),
        torch.tensor(positions, device=device),
        torch.tensor(targets, device=device),
        torch.tensor(owners, device=device),
        sum(len(row.ids) for row in rows),
    )
