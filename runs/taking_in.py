"""From outputs/ into the store and the apps' tables. Idempotent: a supervisor that died half-way is followed by one that finishes."""

import logging

from engine import manifest, registry
from runs.artifacts import artifact_register
from runs.models import Artifact, Run
from runs.registries import takers

log = logging.getLogger(__name__)


class TakeInError(Exception):
    """An output could not be stored or taken in; ``where`` names its role."""

    def __init__(self, message: str, where: str) -> None:
        super().__init__(message)
        self.where = where


def take_in_outputs(run: Run, *, whole: bool) -> None:
    """Register every artifact the attempt announced, call the takers of its kind, and mark it ready last.

    Raises ``TakeInError`` when one fails, or when the attempt is ``whole`` and an output is not there that its stage promised.
    """
    announced = run.events.filter(attempt=run.attempt, type="artifact").order_by("seq")
    for event in announced:
        role = event.data["role"]
        try:
            artifact = artifact_register(
                project=run.project,
                kind=event.data["kind"],
                folder=run.attempt_folder / event.data["path"],
                produced_by=run,
                role=role,
                ready=False,
            )
        except (OSError, manifest.ManifestError) as error:
            raise TakeInError(f"What it made could not be stored: {error}", role) from error
        _take_in(artifact)
    if whole:
        made = set(announced.values_list("data__role", flat=True))
        lacking = {role for role, kind in registry.get(run.stage).produces.items() if not kind.endswith("?")} - made
        if lacking:
            raise TakeInError(f"It ended without making {', '.join(sorted(lacking))}.", sorted(lacking)[0])


def _take_in(artifact: Artifact) -> None:
    if artifact.ready:
        return
    for taker in takers(artifact.kind):
        try:
            taker(artifact)
        except Exception as error:
            log.exception("Taking in %s", artifact)
            raise TakeInError(f"What it made could not be taken in: {error}", artifact.role) from error
    Artifact.objects.filter(pk=artifact.pk).update(ready=True)
    artifact.ready = True
