"""What curation does with what runs make."""

from curation.services import pairs_take_in
from curation.services.gating import report_take_in
from runs.models import Artifact
from runs.registries import on_artifact


@on_artifact("pairs")
def take_in_pairs(artifact: Artifact) -> None:
    pairs_take_in(artifact)


@on_artifact("quality-report")
def take_in_report(artifact: Artifact) -> None:
    report_take_in(artifact)
