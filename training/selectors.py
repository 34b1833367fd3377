"""What pages read of pipelines and of runs to compare."""

from projects.models import Project
from runs.models import ACTIVE, Artifact, Run, Status
from training.models import Pipeline, PipelineRun


def datasets_of(project: Project) -> list[Artifact]:
    """The project's dataset versions that can be trained on, newest first."""
    return list(
        Artifact.objects.filter(project=project, kind="dataset", ready=True).select_related("dataset_version").order_by("-created_at")
    )


def dataset_label(dataset: Artifact) -> str:
    """ "Version 3, 312 pairs" as far as its facts say."""
    facts = dataset.facts
    if version := getattr(dataset, "dataset_version", None):
        count = version.counts.get("train") if isinstance(version.counts, dict) else None
        return f"{version}, {count:,} training pairs" if isinstance(count, int) else str(version)
    name = facts.get("name") or (f"Version {facts['version']}" if facts.get("version") else f"Dataset {str(dataset.pk)[:8]}")
    count = facts.get("train")
    count = count.get("rows") if isinstance(count, dict) else count
    return f"{name}, {count:,} training pairs" if isinstance(count, int) else f"{name}, {dataset.created_at:%-d %b %Y}"


def pipeline_of(run: Run) -> Pipeline | None:
    """The latest pipeline that ``run`` is a step of."""
    return Pipeline.objects.filter(runs=run, project=run.project).select_related("sweep__project").order_by("-created_at").first()


def step_state(status: str) -> str:
    """The stepper's word for a run's status."""
    if status == Status.SUCCEEDED:
        return "done"
    if status in ACTIVE:
        return "current"
    return "failed" if status in (Status.FAILED, Status.LOST, Status.STOPPED) else "ahead"


def pipeline_runs(pipeline: Pipeline) -> list[Run]:
    steps = PipelineRun.objects.filter(pipeline=pipeline).select_related("run", "run__project").order_by("position")
    return [step.run for step in steps]
