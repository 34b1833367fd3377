"""Launching: runs whose inputs point at one another, all or none of them."""

import pytest

from projects.models import AuditEvent, Project, User
from runs.models import Run, Status
from tests.catalogue import made
from training.models import Pipeline
from training.selectors import pipeline_runs
from training.services import PipelineError, Step, pipeline_launch

STEPS: list[Step] = [
    {"stage": "sft", "params": {"epochs": 2}},
    {"stage": "evaluate", "params": {}},
    {"stage": "merge", "params": {}},
    {"stage": "quantize", "params": {"level": "q8_0"}},
]


def launch(project: Project, by: User, steps: list[Step] = STEPS, **options: object) -> Pipeline:
    data = options.pop("dataset", None) or made.dataset(project)
    return pipeline_launch(project=project, by=by, base_key=made.BASE_KEY, dataset=data, steps=steps, **options)  # type: ignore[arg-type]


def wires(run: Run) -> dict[str, object]:
    """Role → the artifact, or the stage and role it waits for."""
    return {
        item.role: item.artifact or (item.from_run.stage, item.from_role)
        for item in run.inputs.select_related("artifact", "from_run")
        if item.from_run or item.artifact
    }


def test_each_step_takes_what_the_steps_before_it_make(project: Project, owner: User) -> None:
    base, data = made.base(), made.dataset(project)
    runs = {run.stage: run for run in pipeline_runs(launch(project, owner, dataset=data))}
    assert list(runs) == ["sft", "evaluate", "merge", "quantize"]
    assert wires(runs["sft"]) == {"model": base, "dataset": data}
    assert wires(runs["evaluate"]) == {"model": base, "adapter": ("sft", "adapter"), "dataset": data}
    assert wires(runs["merge"]) == {"model": base, "adapter": ("sft", "adapter")}
    assert wires(runs["quantize"]) == {"model": ("merge", "model")}


def test_only_the_first_step_can_begin(project: Project, owner: User) -> None:
    made.base()
    states = {run.stage: run.status for run in pipeline_runs(launch(project, owner))}
    assert states == {
        "sft": Status.QUEUED,
        "evaluate": Status.WAITING,
        "merge": Status.WAITING,
        "quantize": Status.WAITING,
    }


def test_an_absent_base_model_is_imported_first(project: Project, owner: User) -> None:
    runs = pipeline_runs(launch(project, owner))
    assert [run.stage for run in runs] == ["import_base", "sft", "evaluate", "merge", "quantize"]
    assert runs[0].project is None
    assert wires(runs[1])["model"] == ("import_base", "model")
    assert runs[1].status == Status.WAITING


def test_two_pipelines_share_one_import(project: Project, owner: User) -> None:
    first, second = launch(project, owner), launch(project, owner)
    assert pipeline_runs(first)[0] == pipeline_runs(second)[0]
    assert first.name != second.name


def test_parameters_seed_and_names_reach_the_runs(project: Project, owner: User) -> None:
    made.base()
    pipeline = launch(project, owner, name="Gentle", seed=11)
    runs = {run.stage: run for run in pipeline_runs(pipeline)}
    assert runs["sft"].params["epochs"] == 2
    assert runs["quantize"].params["level"] == "q8_0"
    assert {run.seed for run in runs.values()} == {11}
    assert runs["sft"].title.endswith(": Gentle")
    assert AuditEvent.objects.filter(project=project, action="pipeline.launch").count() == 1


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ([], "at least one"),
        ([{"stage": "nothing", "params": {}}], "no stage"),
        ([{"stage": "merge", "params": {}}], "needs a adapter|needs an adapter"),
        ([*STEPS[:3], {"stage": "quantize", "params": {"level": "q1"}}], "settings"),
    ],
)
def test_a_pipeline_that_cannot_be_is_refused_whole(project: Project, owner: User, steps: list[Step], says: str) -> None:
    made.base()
    before = Run.objects.count()
    with pytest.raises(PipelineError, match=says):
        launch(project, owner, steps)
    assert Run.objects.count() == before
    assert not Pipeline.objects.exists()


def test_a_wrong_parameter_is_named_by_step_and_field(project: Project, owner: User) -> None:
    made.base()
    with pytest.raises(PipelineError) as caught:
        launch(project, owner, [{"stage": "sft", "params": {"epochs": -1}}])
    assert list(caught.value.fields) == ["sft-epochs"]


def test_another_projects_dataset_is_refused(project: Project, owner: User, outsider: User) -> None:
    made.base()
    with pytest.raises(PipelineError, match="another project"):
        launch(project, owner, dataset=made.dataset(outsider.projects.get()))


def test_a_base_model_that_is_not_here_is_refused_with_what_to_do(project: Project, owner: User) -> None:
    with pytest.raises(PipelineError, match="Compute page"):
        pipeline_launch(project=project, by=owner, base_key="phi-4", dataset=made.dataset(project), steps=STEPS)
