"""manage.py artifacts_share: copy what this machine has into the shared store, and drop what was erased on another."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from engine.manifest import ManifestError
from runs.artifacts import artifact_share
from runs.models import Artifact
from runs.store import StoreAway, cache, shared_store


class Command(BaseCommand):
    help = "After ARTIFACT_STORE_URL was set for the first time: copy all artifacts into the store. Later: tidy the cache of this machine."

    def handle(self, *args: Any, **options: Any) -> None:
        store = shared_store()
        if store is None:
            raise CommandError("Set ARTIFACT_STORE_URL first: it names the store that the machines share.")
        try:
            damaged = [artifact for artifact in Artifact.objects.filter(ready=True).iterator() if not _shared(artifact)]
            cache.sweep(store)
        except StoreAway as error:
            raise CommandError(f"{error}. Run this again: what is copied already is left as it is.") from error
        for artifact in damaged:
            self.stderr.write(f"{artifact} is damaged on this machine and was not copied.")
        self.stdout.write(f"The store has every artifact of this machine but {len(damaged)}." if damaged else "The store has them all.")


def _shared(artifact: Artifact) -> bool:
    try:
        artifact_share(artifact)
    except ManifestError:
        return False
    return True
