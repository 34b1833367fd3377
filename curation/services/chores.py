"""Long work for a page: begun by a person, done by a worker, stopped, told of when it has ended, and lost when its worker dies.

A kind of chore is one function, registered by ``chore_kind`` in a module beside this one.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from curation.models import Chore, ChoreState
from curation.models.chore import LIVE, keys_packed
from curation.services.chosen import Stopped, Tick
from curation.services.pulse import Pulse
from projects import audit
from projects.models import Membership, Project, User
from projects.roles import may

log = logging.getLogger(__name__)

AT_ONCE = 5_000  # pairs; what is about more of them is a chore, what is about fewer is done while the person waits
SILENT = timedelta(seconds=60)  # without a beat: the worker has died
UNHEARD = timedelta(seconds=15)  # after which the workers are told again of what nobody has taken up


@dataclass(frozen=True)
class Ended:
    """How it went, in words for who asked. ``file`` is the name for downloading what was written to ``Chore.path``."""

    message: str
    link: str = ""
    link_words: str = ""
    file: str = ""


@dataclass(frozen=True)
class Kind:
    """``work(chore, tick)`` does it; ``can`` is the capability it takes; ``told`` are errors whose words say what to do."""

    work: Callable[[Chore, Tick], Ended]
    can: str
    told: tuple[type[Exception], ...]


KINDS: dict[str, Kind] = {}


def chore_kind(key: str, *, can: str, told: tuple[type[Exception], ...] = ()) -> Callable[[Callable[[Chore, Tick], Ended]], Any]:
    """Register what does the chores of a kind."""

    def register(work: Callable[[Chore, Tick], Ended]) -> Callable[[Chore, Tick], Ended]:
        KINDS[key] = Kind(work, can, told)
        return work

    return register


def chore_begin(
    *,
    project: Project,
    by: User,
    kind: str,
    title: str,
    params: dict[str, Any],
    ids: Sequence[UUID] = (),
    total: int = 0,
    link: str = "",
    link_words: str = "",
) -> Chore:
    """Have a worker do it; the one at work already where the same person asks for the same twice.

    ``ids`` are the pairs it is about, ``total`` how many things it is to do where there are no ids. ``link`` leads from its notice to where
    it was asked for, or later its result is.
    """
    asked = {"kind": kind, "title": title[:200], "params": params, "total": total or len(ids), "link": link}
    with transaction.atomic():
        if found := Chore.objects.filter(project=project, by=by, state__in=LIVE, **asked).first():
            return found
        chore = Chore.objects.create(project=project, by=by, keys=keys_packed(ids), link_words=link_words, **asked)
        transaction.on_commit(lambda: chore_announce(chore.pk))
    return chore


def chore_announce(chore_id: UUID, *, expires: float | None = None) -> None:
    """Tell the workers. Where they cannot be reached it is told again by ``chores_reconcile``."""
    from curation.tasks import curation_chore

    try:
        curation_chore.apply_async([str(chore_id)], retry=False, expires=expires)
    except Exception as error:  # kombu and redis raise their own kinds
        log.warning("The workers could not be told of chore %s: %s", chore_id, error)


def chore_run(chore_id: UUID) -> None:
    """Do it. Called by a worker; a second worker with the same id does nothing. Whatever goes wrong is told to who asked."""
    now = timezone.now()
    if not Chore.objects.filter(pk=chore_id, state=ChoreState.QUEUED).update(state=ChoreState.RUNNING, started_at=now, beat_at=now):
        return
    chore = Chore.objects.select_related("project", "by").get(pk=chore_id)
    kind, pulse = KINDS[chore.kind], Pulse(chore)
    if refused := _refused(chore, kind):
        _end(chore, ChoreState.FAILED, Ended(refused), 0)
        return
    try:
        with pulse:
            ended = kind.work(chore, pulse.tick)
        if early := pulse.refused and pulse.done < chore.total:
            ended = replace(ended, message=f"Stopped after {pulse.done:,} of {chore.total:,} pairs. {ended.message}")
        _end(chore, ChoreState.STOPPED if early else ChoreState.SUCCEEDED, ended, pulse.done)
    except Stopped:
        _end(chore, ChoreState.STOPPED, Ended("Stopped. Nothing was made."), pulse.done)
    except kind.told as error:
        _end(chore, ChoreState.FAILED, Ended(" ".join(getattr(error, "fields", {}).values()) or str(error)), pulse.done)
    except Exception:
        log.exception("Chore %s", chore_id)
        words = f"Something went wrong. {_left_words(chore, pulse.done)} The worker's log has the details."
        _end(chore, ChoreState.FAILED, Ended(words), pulse.done)


def chore_stop(*, chore: Chore, by: User) -> bool:
    """Have it end early: at once where nobody has taken it up, else after the batch it is at. False where it has ended already."""
    untouched = Chore.objects.filter(pk=chore.pk, state=ChoreState.QUEUED)
    fields = {"message": "Stopped before it began. Nothing was changed.", "ended_at": timezone.now(), "keys": b"", "stopping": True}
    stopped = untouched.update(state=ChoreState.STOPPED, **fields) or Chore.objects.filter(
        pk=chore.pk, state=ChoreState.RUNNING, stopping=False
    ).update(stopping=True)
    if stopped:
        audit.record(chore.project, by, "chore.stop", chore.title)
    return bool(stopped)


def chore_put_away(*, chore: Chore) -> None:
    """Its notice has been seen."""
    Chore.objects.filter(pk=chore.pk, seen_at=None).exclude(state__in=LIVE).update(seen_at=timezone.now())


def chores_reconcile() -> None:
    """Every few seconds: tell the workers again of what they do not know, and say of what has no worker any more that it is lost."""
    now = timezone.now()
    for pk in Chore.objects.filter(state=ChoreState.QUEUED, created_at__lt=now - UNHEARD).values_list("pk", flat=True):
        chore_announce(pk, expires=UNHEARD.total_seconds())
    silent = Chore.objects.filter(state=ChoreState.RUNNING, beat_at__lt=now - SILENT)
    for chore in silent.select_related("project", "by"):
        words = f"The worker that did it went away. {_left_words(chore, chore.done)}"
        _end(chore, ChoreState.LOST, Ended(words), chore.done, of=silent.filter(pk=chore.pk))


def _refused(chore: Chore, kind: Kind) -> str:
    """Why who asked may not have it done any more; empty where they may."""
    membership = Membership.objects.filter(project=chore.project_id, user=chore.by_id).first() if chore.by_id else None
    if membership is None or not may(membership.role, kind.can):
        return "Whoever asked for it may not do this in the project any more. Nothing was changed."
    return ""


def _left_words(chore: Chore, done: int) -> str:
    """What is there of something that ended too early, and what to do."""
    if not chore.keys:
        return "Nothing was made. Ask for it again."
    return f"About {done:,} of {chore.total:,} pairs were done, and stay so. Choose the pairs again for the rest."


def _end(chore: Chore, state: ChoreState, ended: Ended, done: int, of: QuerySet[Chore] | None = None) -> None:
    """One that was thought lost may still tell how it ended. What it took up the disk for goes unless it is offered."""
    rows = Chore.objects.filter(pk=chore.pk, state__in=[ChoreState.RUNNING, ChoreState.LOST]) if of is None else of
    told: dict[str, Any] = {"link": ended.link, "link_words": ended.link_words} if ended.link else {}
    changed = rows.update(
        state=state, message=ended.message[:1000], file=ended.file, done=done, step="", keys=b"", ended_at=timezone.now(), **told
    )
    if not (changed and ended.file):
        chore.path.unlink(missing_ok=True)
    if changed and state in (ChoreState.FAILED, ChoreState.LOST):
        after = {"kind": chore.kind, "done": done, "total": chore.total}
        audit.record(chore.project, chore.by, f"chore.{'fail' if state == ChoreState.FAILED else 'lose'}", chore.title, after=after)
