"""Sweeps: a batch of runs, all or none of them; which did best; what can be done with it."""

import uuid
from typing import Any

import pytest

from projects.models import AuditEvent, Project, User
from projects.services import project_delete
from runs.models import MetricPoint, Priority, Run, RunInput, Status
from runs.rollups import points_store
from runs.services import run_transition
from tests.catalogue import made
from tests.training.sweeps import RANKS, RATES, STEPS, drew, swept, trainings
from training.models import Pipeline, Sweep
from training.selectors import pipeline_runs
from training.services import PipelineError, Step
from training.sweep_selectors import summary
from training.sweeping import sweep_go_on, sweep_start, sweep_stop
from training.varying import MOST_RUNS

pytestmark = pytest.mark.django_db


def test_every_combination_is_a_pipeline_of_its_own_that_waits_with_low_priority(project: Project, owner: User) -> None:
    base, data = made.base(), made.dataset(project)
    sweep = swept(project, owner, RATES, RANKS, dataset=data, name="Gentle or not", seed=3)
    runs = trainings(sweep)
    assert [(run.params["learning_rate"], run.params["rank"]) for run in runs] == [(rate, rank) for rate in RATES[1] for rank in RANKS[1]]
    assert {(run.params["epochs"], run.seed, run.priority, run.status) for run in runs} == {(2, 3, Priority.LOW, Status.QUEUED)}
    assert {item.artifact for run in runs for item in run.inputs.all()} == {base, data}
    assert runs[0].title.endswith(": Gentle or not, learning rate 0.0001, adapter rank 8") and len({run.title for run in runs}) == 6
    assert [[run.stage for run in [row.run, *row.after]] for row in summary(sweep).rows] == [["sft", "evaluate"]] * 6


def test_the_audit_log_says_what_was_varied(project: Project, owner: User) -> None:
    made.base()
    sweep = swept(project, owner, RANKS)
    event = AuditEvent.objects.get(project=project, action="sweep.start")
    assert event.actor == owner and str(sweep.pk) in event.target
    assert event.after == {"stage": "sft", "varied": [{"name": "rank", "values": [8, 16]}], "runs": 2, "priority": 0}


def test_asked_for_again_with_the_same_key_it_is_the_same_sweep(project: Project, owner: User) -> None:
    made.base()
    key = uuid.uuid4()
    first, second = (swept(project, owner, key=key) for _ in range(2))
    assert first == second and Run.objects.filter(stage="sft").count() == 3


def test_an_absent_base_model_is_imported_once_for_all(project: Project, owner: User) -> None:
    runs = trainings(swept(project, owner))
    assert Run.objects.filter(stage="import_base").count() == 1
    assert {run.status for run in runs} == {Status.WAITING}


@pytest.mark.parametrize(
    ("varied", "says"),
    [
        ([("rank", [8])], "two values or more"),
        ([], "two values or more"),
        ([("rank", list(range(1, MOST_RUNS + 2)))], f"make {MOST_RUNS + 1} runs; at most {MOST_RUNS}"),
        ([("rank", [8, -1])], "settings are not right"),
        ([("nothing", [8, 9])], "settings are not right"),
    ],
)
def test_a_sweep_that_cannot_be_is_refused_whole(project: Project, owner: User, varied: Any, says: str) -> None:
    made.base()
    before, events = Run.objects.count(), AuditEvent.objects.count()
    with pytest.raises(PipelineError, match=says):
        data, key = made.dataset(project), uuid.uuid4()
        sweep_start(key=key, project=project, by=owner, base_key=made.BASE_KEY, dataset=data, varied=varied, steps=STEPS)
    assert (Run.objects.count(), AuditEvent.objects.count()) == (before, events)
    assert not Sweep.objects.exists() and not Pipeline.objects.exists()


def test_stopping_ends_what_waits_and_lets_what_works_save(project: Project, owner: User) -> None:
    made.base()
    sweep = swept(project, owner)
    working, ended, _ = trainings(sweep)
    Run.objects.filter(pk=working.pk).update(status=Status.RUNNING)
    Run.objects.filter(pk=ended.pk).update(status=Status.FAILED)
    run_transition(Run.objects.get(inputs__from_run=ended).pk, [Status.WAITING], Status.STOPPED)
    assert sweep_stop(sweep=sweep, by=owner) == 4  # two trainings and their evaluations
    assert [run.status for run in trainings(sweep)] == [Status.STOPPING, Status.FAILED, Status.STOPPED]
    assert Run.objects.filter(stage="evaluate", status=Status.STOPPED).count() == 3
    assert sweep_stop(sweep=sweep, by=owner) == 1  # it saves still
    assert AuditEvent.objects.filter(project=project, action="sweep.stop").count() == 2


def test_an_import_that_others_wait_for_is_not_stopped_with_it(project: Project, owner: User) -> None:
    sweep_stop(sweep=swept(project, owner), by=owner)
    assert Run.objects.get(stage="import_base").status == Status.QUEUED


def test_the_best_is_that_of_the_lowest_loss_that_was_handed_over(project: Project, owner: User) -> None:
    made.base()
    sweep = swept(project, owner)
    one, two, three = trainings(sweep)
    drew(one, [3.0, 2.0, 2.5], handed=10)
    drew(two, [3.0, 2.2, 1.9], handed=10)  # it was lower later, but that state was not kept
    drew(three, [3.0, 1.0])  # at work
    found = summary(sweep)
    assert [row.judged for row in found.rows] == [2.0, 2.2, 1.0]
    assert [row.run for row in found.best] == [one] and [row.best for row in found.rows] == [True, False, False]
    assert found.goes_on and found.ended == 2


def test_methods_that_learn_from_rewards_are_judged_by_them(project: Project, owner: User) -> None:
    made.base()
    sweep = swept(project, owner, RANKS)
    for run, reward in zip(trainings(sweep), [0.5, 0.7], strict=True):
        drew(run, [], [2.0, 2.0], handed=10)
        points_store([MetricPoint(run=run, attempt=1, metric="eval_reward", step=10, value=reward)])
    found = summary(sweep)
    assert found.judge.title == "Validation reward" and [row.place for row in found.best] == [1]
    changing = [name for name in ("json_weight", "temperature", "beta", "rank") if found.judge.depends_on(name, preferences=False)]
    assert changing == ["json_weight", "temperature"]


def test_losses_that_read_the_same_tie(project: Project, owner: User) -> None:
    made.base()
    sweep = swept(project, owner)
    for run, loss in zip(trainings(sweep), [1.50001, 1.50004, 1.6], strict=True):
        drew(run, [3.0, loss], handed=10)
    assert [row.place for row in summary(sweep).best] == [0, 1]


def test_the_best_within_the_budget_is_named_where_the_best_forgot_too_much(project: Project, owner: User) -> None:
    made.base()
    sweep = swept(project, owner)
    for run, loss, general in zip(trainings(sweep), [1.5, 1.7, 1.6], [[2.0, 2.2], [2.0, 2.05], [2.0, 2.09]], strict=True):
        drew(run, [3.0, loss], general, handed=10)
    found = summary(sweep)
    assert [row.over_budget for row in found.rows] == [True, False, False]
    assert [row.place for row in found.best] == [0]
    assert found.within is not None and found.within.place == 2


def test_the_budget_is_that_of_the_state_handed_over_and_of_any_look_while_none_is(project: Project, owner: User) -> None:
    made.base()
    sweep = swept(project, owner)
    one, two, three = trainings(sweep)
    drew(one, [3.0, 2.0, 2.5], [2.0, 2.05, 2.4], handed=10)  # it forgot after the state that was kept
    drew(two, [3.0, 2.5, 2.1], [2.0, 2.05, 2.4], handed=20)
    drew(three, [3.0, 2.5, 2.1], [2.0, 2.4, 2.05])  # at work
    assert [row.over_budget for row in summary(sweep).rows] == [False, True, True]


def test_of_equally_good_ones_those_within_the_budget_come_first(project: Project, owner: User) -> None:
    made.base()
    sweep = swept(project, owner)
    for run, general in zip(trainings(sweep), [2.4, 2.05, 2.05], strict=True):
        drew(run, [3.0, 1.5], [2.0, general], handed=10)
    found = summary(sweep)
    assert [row.place for row in found.best] == [1, 2, 0] and found.within is None and not found.all_over_budget


@pytest.mark.parametrize(("handed", "all_over"), [(1, False), (2, True)])
def test_that_others_forgot_too_much_as_well_is_known_where_there_are_others(
    project: Project, owner: User, handed: int, all_over: bool
) -> None:
    made.base()
    sweep = swept(project, owner)
    for run in trainings(sweep)[:handed]:
        drew(run, [3.0, 1.5], [2.0, 2.4], handed=10)
    found = summary(sweep)
    assert found.best[0].over_budget and found.all_over_budget is all_over


def test_trainings_without_anything_to_validate_on_ended_well_all_the_same(project: Project, owner: User) -> None:
    made.base()
    sweep = swept(project, owner, RANKS)
    one, two = trainings(sweep)
    assert not summary(sweep).not_validated
    drew(one, [], [2.0, 2.0], handed=10)
    assert summary(sweep).not_validated
    drew(two, [3.0, 2.0], handed=10)
    assert not summary(sweep).not_validated


@pytest.mark.parametrize(
    ("stage", "varied", "says"),
    [
        ("sft", ("max_length", [256, 512]), ["Longest text"]),
        ("dpo", ("beta", [0.1, 0.3]), ["Hold to the old answers (beta)"]),
        ("reward", ("center", [0.0, 0.01]), ["Keep scores around zero"]),
        ("sft", RANKS, []),
        ("distill_lora", ("temperature", [1, 2]), []),
    ],
)
def test_losses_measured_differently_are_not_compared(project: Project, owner: User, stage: str, varied: Any, says: list[str]) -> None:
    base = made.base()
    steps: list[Step] = [{"stage": stage, "params": {}}]
    teacher = made.merged(project, base, made.adapter(project, base, made.dataset(project))) if stage == "distill_lora" else None
    sweep = swept(project, owner, varied, steps=steps, teacher=teacher)
    for run in trainings(sweep):
        drew(run, [3.0, 2.0 + run.params.get("rank", 0)], handed=10)
    found = summary(sweep)
    assert found.incomparable == says and bool(found.best) != bool(says)


def finished(project: Project, owner: User, sweep: Sweep, kind: str = "adapter") -> Run:
    """The sweep's first training with what it made, the evaluation of it not having begun."""
    run = trainings(sweep)[0]
    drew(run, [3.0, 2.0], handed=10)
    made.artifact(project, kind, {"adapter_model.safetensors": "x"}, run=run, role="adapter" if kind == "adapter" else "model")
    return run


def test_the_best_is_evaluated_and_made_small_once(project: Project, owner: User) -> None:
    base = made.base()
    sweep = swept(project, owner, steps=STEPS[:1])
    run = finished(project, owner, sweep)
    pipeline = sweep_go_on(sweep=sweep, run=run, by=owner)
    begun = {step.stage: step for step in pipeline_runs(pipeline)}
    assert list(begun) == ["evaluate", "merge", "quantize"]
    assert {item.role: item.artifact for item in begun["merge"].inputs.all()} == {"model": base, "adapter": run.output("adapter")}
    with pytest.raises(PipelineError, match="begun already"):
        sweep_go_on(sweep=sweep, run=run, by=owner)


def test_what_failed_may_be_begun_again_and_what_was_evaluated_is_not(project: Project, owner: User) -> None:
    made.base()
    sweep = swept(project, owner)
    run = finished(project, owner, sweep)
    RunInput.objects.filter(from_run=run).update(artifact=run.output("adapter"))
    begun = pipeline_runs(sweep_go_on(sweep=sweep, run=run, by=owner))
    assert [step.stage for step in begun] == ["merge", "quantize"]
    Run.objects.filter(pk=begun[0].pk).update(status=Status.FAILED)
    assert [step.stage for step in pipeline_runs(sweep_go_on(sweep=sweep, run=run, by=owner))] == ["merge", "quantize"]


def test_the_small_file_is_offered_again_where_only_the_merging_succeeded(project: Project, owner: User) -> None:
    made.base()
    sweep = swept(project, owner)
    run = finished(project, owner, sweep)
    RunInput.objects.filter(from_run=run).update(artifact=run.output("adapter"))
    merge, quantize = pipeline_runs(sweep_go_on(sweep=sweep, run=run, by=owner))
    whole = made.artifact(project, "hf-model", {"model.safetensors": "x"}, run=merge, role="model")
    RunInput.objects.filter(from_run=merge).update(artifact=whole)
    Run.objects.filter(pk=merge.pk).update(status=Status.SUCCEEDED)
    with pytest.raises(PipelineError, match="begun already"):  # the quantising is under way
        sweep_go_on(sweep=sweep, run=run, by=owner)
    Run.objects.filter(pk=quantize.pk).update(status=Status.FAILED)
    assert [step.stage for step in pipeline_runs(sweep_go_on(sweep=sweep, run=run, by=owner))] == ["merge", "quantize"]


def test_without_a_dataset_version_it_is_not_evaluated(project: Project, owner: User) -> None:
    made.base()
    sweep = swept(project, owner, steps=STEPS[:1])
    Pipeline.objects.filter(sweep=sweep).update(dataset=None)  # as when the training read documents alone
    run = finished(project, owner, sweep)
    assert [step.stage for step in pipeline_runs(sweep_go_on(sweep=sweep, run=run, by=owner))] == ["merge", "quantize"]


def followed(project: Project, owner: User, first: str, then: str, kind: str) -> tuple[Sweep, Run, Run]:
    """A sweep of two methods: the first training of its first pipeline, which has made a ``kind``, and the second, which is at work."""
    steps: list[Step] = [{"stage": first, "params": {}}, {"stage": then, "params": {}}]
    sweep = swept(project, owner, ("learning_rate", [1e-5, 2e-5]), steps=steps)
    run = finished(project, owner, sweep, kind)
    RunInput.objects.filter(from_run=run).update(artifact=run.output("adapter" if kind == "adapter" else "model"))
    return sweep, run, summary(sweep).rows[0].after[0]


def test_with_a_second_method_it_is_gone_on_with_what_that_made(project: Project, owner: User) -> None:
    base = made.base()
    sweep, run, second = followed(project, owner, "sft", "dpo", "adapter")
    assert summary(sweep).rows[0].made is None, "what is half made is not offered"
    with pytest.raises(PipelineError, match="made nothing"):
        sweep_go_on(sweep=sweep, run=run, by=owner)
    last = made.artifact(project, "adapter", {"adapter_model.safetensors": "y"}, run=second, role="adapter")
    assert summary(sweep).rows[0].made == last
    begun = {step.stage: step for step in pipeline_runs(sweep_go_on(sweep=sweep, run=run, by=owner))}
    assert list(begun) == ["evaluate", "merge", "quantize"]
    assert {item.role: item.artifact for item in begun["merge"].inputs.all()} == {"model": base, "adapter": last}


def test_an_adapter_on_a_model_trained_whole_is_gone_on_with_on_that_model(project: Project, owner: User) -> None:
    made.base()
    sweep, run, second = followed(project, owner, "sft_full", "dpo", "hf-model")
    last = made.artifact(project, "adapter", {"adapter_model.safetensors": "y"}, run=second, role="adapter")
    begun = {step.stage: step for step in pipeline_runs(sweep_go_on(sweep=sweep, run=run, by=owner))}
    assert {item.role: item.artifact for item in begun["merge"].inputs.all()} == {"model": run.output("model"), "adapter": last}


def test_a_model_trained_whole_is_compared_with_its_base(project: Project, owner: User) -> None:
    base = made.base()
    sweep = swept(project, owner, ("learning_rate", [1e-5, 2e-5]), steps=[{"stage": "sft_full", "params": {}}])
    run = finished(project, owner, sweep, "hf-model")
    begun = {step.stage: step for step in pipeline_runs(sweep_go_on(sweep=sweep, run=run, by=owner))}
    assert list(begun) == ["evaluate", "quantize"]
    whole = run.output("model")
    assert {item.role: item.artifact for item in begun["evaluate"].inputs.all() if item.role != "dataset"} == {"model": whole, "base": base}
    assert begun["quantize"].inputs.get().artifact == whole


def test_a_run_that_made_nothing_or_is_of_another_sweep_is_refused(project: Project, owner: User) -> None:
    made.base()
    sweep, other = swept(project, owner), swept(project, owner)
    for run in (trainings(sweep)[0], finished(project, owner, other)):
        with pytest.raises(PipelineError, match="made nothing"):
            sweep_go_on(sweep=sweep, run=run, by=owner)


def test_a_project_is_deleted_with_its_sweeps(project: Project, owner: User) -> None:
    made.base()
    sweep = swept(project, owner)
    sweep_stop(sweep=sweep, by=owner)
    project_delete(project=project, by=owner)
    assert not Sweep.objects.exists() and not Pipeline.objects.exists() and not Run.objects.filter(stage="sft").exists()
