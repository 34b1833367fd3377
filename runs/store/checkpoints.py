"""Where a run can go on from: checkpoints in its folder and, where there is a shared store, copies of them that outlive the machine."""

import logging
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from engine import manifest
from engine.faults import fault
from engine.spec import CHECKPOINTS, WORK
from runs.models import Run
from runs.store import SharedStore, shared_store

log = logging.getLogger(__name__)

KEPT = 2  # copies of a run's checkpoints: should the last be damaged, there is the one before


def latest_checkpoint(run: Run) -> str:
    """The newest checkpoint of any attempt, as a path relative to the run's folder; empty if there is none.

    One that lies here is verified; one in the shared store is when it is fetched. Raises ``StoreAway``.
    """
    return next((path for path, _ in _sound(run)), "")


def checkpoint_folder(run: Run) -> Path | None:
    """The folder that ``run`` goes on from, on this machine, fetched where it is not; None when it starts from the beginning.

    A damaged one is passed over for the one before, and ``run.resume_from`` tells. Raises ``StoreAway``.
    """
    if not run.resume_from:
        return None
    store = shared_store()
    if store is None and (run.folder / run.resume_from).is_dir():  # as it was found whole when the run was queued
        return run.folder / run.resume_from
    for path, here in _sound(run):
        if _order(path) <= _order(run.resume_from) and (here or (store and _fetch(store, run, path))):
            if path != run.resume_from:
                _tell(run, path)
            return run.folder / path
    _tell(run, "")
    return None


def forget_checkpoints(run: Run) -> None:
    """Remove the copies in the shared store, where there is one. Raises ``StoreAway``."""
    if store := shared_store():
        store.erase(_prefix(run))


class Uploads:
    """Copies of an attempt's checkpoints, made as it goes by a thread of their own. Without a shared store it does nothing."""

    def __init__(self, run: Run) -> None:
        self._store = shared_store()
        self._prefix = _prefix(run)
        self._attempt = run.attempt_folder
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="checkpoints") if self._store else None
        self._going: Future[str] | None = None
        self._done = ""

    def look(self) -> None:
        """Begin to copy the newest checkpoint if it is not copied yet and no other is on its way."""
        if self._store is None or self._pool is None or not self._settle():
            return
        newest = max(self._attempt.glob(f"{CHECKPOINTS}/*"), default=None)
        if newest is None or newest.name == self._done:
            return
        linked = self._attempt / WORK / "uploading"  # the engine removes old checkpoints: by these links the bytes stay
        shutil.rmtree(linked, ignore_errors=True)
        try:
            shutil.copytree(newest, linked, copy_function=os.link)
        except OSError:  # it has just been replaced by a newer one
            return
        self._going = self._pool.submit(self._copy, self._store, linked, newest.name)

    def finish(self) -> None:
        """Wait until the last checkpoint is copied, or cannot be: the run may go on elsewhere."""
        for _ in range(2):  # what is on its way, then the last
            if self._going:
                self._going.exception()
            self.look()
        if self._going:
            self._going.exception()
            self._settle()

    def close(self) -> None:
        if self._pool:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _settle(self) -> bool:
        """Whether nothing is on its way (any more)."""
        if self._going is None:
            return True
        if not self._going.done():
            return False
        going, self._going = self._going, None
        if error := going.exception():
            log.warning("A checkpoint could not be copied to the store: %s", error)
        else:
            self._done = going.result()
        return True

    def _copy(self, store: SharedStore, folder: Path, step: str) -> str:
        key = f"{self._prefix}/{self._attempt.name}/{CHECKPOINTS}/{step}"
        fault("checkpoint.before_upload")
        manifest.verify(folder)
        store.upload(folder, key)
        fault("checkpoint.after_upload")
        shutil.rmtree(folder, ignore_errors=True)
        for older in sorted(store.keys(self._prefix), key=_by_attempt)[:-KEPT]:
            store.erase(older)
        return step


def _sound(run: Run) -> Iterator[tuple[str, bool]]:
    """Checkpoints one can go on from, newest first: path, and whether it lies here, with the hashes it should have."""
    here = {folder.relative_to(run.folder).as_posix() for folder in run.folder.glob(f"*/{CHECKPOINTS}/*")}
    store, prefix = shared_store(), _prefix(run)
    copied = {key.removeprefix(prefix + "/") for key in store.keys(prefix)} if store else set()
    for path in sorted(here | copied, key=_order, reverse=True):
        whole = path in here and _whole(run.folder / path)
        if whole or path in copied:
            yield path, whole


def _fetch(store: SharedStore, run: Run, path: str) -> bool:
    """Bring a copy into the run's folder. False when it is damaged or gone."""
    place = run.folder / path
    fetched = run.folder / ".fetched"  # one supervisor a run: nobody else is here
    shutil.rmtree(fetched, ignore_errors=True)
    try:
        store.fetch(f"{_prefix(run)}/{path}", fetched)
    except (manifest.ManifestError, FileNotFoundError) as error:
        log.warning("Checkpoint %s of run %s is passed over: %s", path, run.pk, error)
        shutil.rmtree(fetched, ignore_errors=True)
        return False
    shutil.rmtree(place, ignore_errors=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    os.rename(fetched, place)
    return True


def _whole(folder: Path) -> bool:
    try:
        manifest.verify(folder)
    except manifest.ManifestError:
        return False
    return True


def _tell(run: Run, path: str) -> None:
    run.resume_from = path
    Run.objects.filter(pk=run.pk, attempt=run.attempt).update(resume_from=path)


def _prefix(run: Run) -> str:
    return f"runs/{run.pk}"


def _order(path: str) -> tuple[str, int]:
    """The step, then the attempt, of "attempt/checkpoints/step"."""
    return path.rsplit("/", 1)[-1], int(path.split("/", 1)[0])


def _by_attempt(key: str) -> tuple[int, str]:
    attempt, _, step = key.split("/")[-3:]
    return int(attempt), step
