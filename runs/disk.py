"""Room on the disk: what ended runs may keep to be resumed from, and whether a run finds what it will need."""

import logging
import os
import shutil
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import transaction

from engine import probes
from engine.exits import InputError
from engine.spec import CHECKPOINTS
from projects.registries import provided
from projects.templatetags.studio import size
from runs.models import RESUMABLE, Run
from runs.services import run_say

log = logging.getLogger(__name__)

GONE = CHECKPOINTS + ".gone"  # what they are called while they are removed, so that nobody goes on from a half
REMOVED = "Its checkpoints were removed to make room on the disk. Resumed, it begins from the start."


def make_room_for(run: Run) -> None:
    """See that the disk has what ``run`` is estimated to need, where that is known. Raises ``InputError`` when it does not."""
    need = max((answer for answer in provided("disk_needed", run) if answer), default=0)
    checkpoints_tidy(need)
    free = _free()
    if free < need:
        raise InputError(
            "disk",
            f"It needs about {size(need)} on the disk, and {size(free)} are free.",
            where=str(settings.STUDIO_HOME),
            mend="Free some disk, or ask who runs this studio to, then resume the run.",
        )


def checkpoints_tidy(need: int = 0) -> int:
    """Remove checkpoints of ended runs, those that ended first before the others, as far as they are over their budget or the disk has
    less free than ``need`` bytes and the reserve. Each run's events say so. Returns the bytes they had.
    """
    for left in settings.RUN_ROOT.glob(f"*/*/{GONE}"):  # by a process that was killed
        shutil.rmtree(left, ignore_errors=True)
    kept = _kept()
    whole = sum(bytes for _, _, bytes in kept)
    removed = 0
    for run, folders, bytes in kept:
        over = max(whole - removed - settings.CHECKPOINT_BUDGET_BYTES, need + settings.DISK_RESERVE_BYTES - _free())
        if over <= 0:
            break
        if _remove(run, folders):
            log.info("Removed %s of checkpoints of run %s", size(bytes), run.pk)
            removed += bytes
    return removed


def _kept() -> list[tuple[Run, list[Path], int]]:
    """Ended runs that could be resumed from checkpoints here, with the folders and their bytes; the first to end comes first."""
    folders: dict[UUID, list[Path]] = {}
    for folder in settings.RUN_ROOT.glob(f"*/*/{CHECKPOINTS}"):
        try:
            folders.setdefault(UUID(folder.parts[-3]), []).append(folder)
        except ValueError:  # not the folder of a run
            continue
    runs = Run.objects.filter(pk__in=folders, status__in=RESUMABLE).order_by("ended_at")
    sized = [(run, folders[run.pk], sum(map(_bytes, folders[run.pk]))) for run in runs]
    return [(run, where, bytes) for run, where, bytes in sized if bytes]


def _remove(run: Run, folders: list[Path]) -> bool:
    """False when the run goes on meanwhile."""
    with transaction.atomic():
        if not run_say(run.pk, REMOVED, status__in=RESUMABLE, attempt=run.attempt):
            return False
        for folder in folders:
            os.rename(folder, folder.with_name(GONE))
    for folder in folders:
        shutil.rmtree(folder.with_name(GONE), ignore_errors=True)
    return True


def _bytes(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:  # another process removes it
            continue
    return total


def _free() -> int:
    return probes.disk(settings.STUDIO_HOME)["free"]
