"""From the store into the tables."""

from evaluation.services import report_take_in
from runs.models import Artifact
from runs.registries import on_artifact


@on_artifact("report")
def reports(artifact: Artifact) -> None:
    report_take_in(artifact=artifact)
