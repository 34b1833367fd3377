import pytest

from planning.models import Plan
from planning.rules import load
from planning.selectors import plan_for_training, plan_of
from planning.services import AnswersError, plan_create, recommend
from projects.models import AuditEvent
from projects.registries import provided
from projects.services import project_delete

pytestmark = pytest.mark.django_db
ANSWERS = {
    "change": "sometimes",
    "citations": "yes",
    "behaviour": "format",
    "learn_from": "some",
    "language": "ordinary",
    "hardware": "cpu",
    "limits": ["budget"],
}


def test_a_plan_keeps_answers_advice_and_the_rules_it_came_from(project, owner):
    plan = plan_create(project=project, by=owner, answers=ANSWERS)
    assert str(plan) == "RAG + LoRA + Quantise"
    assert plan.answers["limits"] == ["budget"] and plan.answers["hardware"] == ["cpu"]
    assert plan.rules_version == load().version
    assert plan.recommendation["layers"][0]["reasons"]
    event = AuditEvent.objects.get(action="plan.create")
    assert event.after["base_model"] == plan.base_key == "smollm2-135m-instruct"


def test_open_questions_are_named(project, owner):
    with pytest.raises(AnswersError) as refused:
        plan_create(project=project, by=owner, answers={**ANSWERS, "hardware": "", "change": "hourly"})
    assert set(refused.value.fields) == {"hardware", "change"}
    assert not Plan.objects.exists()


def test_the_latest_plan_counts_and_training_gets_it(project, owner):
    plan_create(project=project, by=owner, answers={**ANSWERS, "behaviour": "no", "learn_from": "none"})
    latest = plan_create(project=project, by=owner, answers=ANSWERS)
    assert plan_of(project) == latest
    (given,) = [answer for answer in provided("plan", project) if answer]
    assert given == plan_for_training(project)
    assert given["base_key"] == "smollm2-135m-instruct"
    assert given["steps"][0]["stage"] == "sft"


def test_another_model_that_fits_can_be_chosen_and_no_other(project, owner):
    assert plan_create(project=project, by=owner, answers=ANSWERS, base_key="gemma-3-270m").base_key == "gemma-3-270m"
    assert plan_create(project=project, by=owner, answers=ANSWERS, base_key="phi-4").base_key == "smollm2-135m-instruct"


def test_without_a_plan_training_gets_nothing(project):
    assert plan_for_training(project) is None


def test_an_estimate_comes_with_a_model(project):
    estimates = recommend(ANSWERS).estimates
    assert 0 < estimates["memory_bytes"] < 8e9 and estimates["disk_bytes"] > 0
    assert 30 < estimates["seconds"] < 3600 and estimates["pairs"] == 400


def test_without_training_no_time_is_made_up(project):
    estimates = recommend({**ANSWERS, "behaviour": "no", "learn_from": "none"}).estimates
    assert estimates["memory_bytes"] > 0 and "seconds" not in estimates


def test_a_deleted_project_takes_its_plans_with_it(project, owner):
    plan_create(project=project, by=owner, answers=ANSWERS)
    project_delete(project=project, by=owner)
    assert not Plan.objects.exists()
