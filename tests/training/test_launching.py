"""The page of every method: what it offers, what it refuses, what stays when the method changes, and what it launches."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from catalogue.models import BaseModelImport
from projects.models import AuditEvent, Project, User
from runs.models import Artifact, Run
from tests.catalogue import made
from training.methods import methods
from training.models import Pipeline
from training.offer import preference_rows

ClientFor = Callable[[User], Client]


def page(project: Project, part: str = "start") -> str:
    return reverse(f"training:{part}", args=[project.slug])


def preferences(project: Project, count: int = 12, **facts: Any) -> Artifact:
    """A dataset with ``count`` rejected answers that its facts say nothing of."""
    rows = []
    for number in range(count):
        row = json.loads(made.row(f"What is the {number}th?", "It is this."))
        rows.append(json.dumps({**row, "rejected": [{"role": "assistant", "content": "No idea."}], "fork": 1}))
    return made.dataset(project, extra=rows)


def posted(method: str, **fields: Any) -> dict[str, Any]:
    return {"by_method": method, "base_key": made.BASE_KEY, "preset": "balanced", "seed": "0", "name": "", **fields}


@pytest.mark.parametrize("method", [key for key, one in methods().items() if not one.asks])
def test_every_method_has_a_page_of_its_settings(method: str, engineer: User, project: Project, client_for: ClientFor) -> None:
    base = made.base()
    made.adapter(project, base, preferences(project))
    answer = client_for(engineer).get(page(project), {"by_method": method})
    assert answer.status_code == 200
    assert answer.context["method"].key == method
    fields = [name for name, spec in methods()[method].info.schema()["properties"].items() if not spec.get("internal")]
    text = answer.content.decode()
    assert all(f'name="{method}-{name}"' in text for name in fields)


def test_the_part_of_the_method_is_the_same_alone_as_on_its_page(engineer: User, project: Project, client_for: ClientFor) -> None:
    made.base()
    made.dataset(project)
    client = client_for(engineer)
    alone = client.post(page(project, "method"), posted("sft_full", shown="sft", had=["evaluate"], evaluate="on"))
    assert alone["HX-Trigger-After-Settle"] == "method-shown"
    part = alone.content.decode()
    assert "<html" not in part and 'name="sft_full-learning_rate"' in part and 'name="sft-rank"' not in part


def test_what_was_typed_stays_where_both_methods_suggest_the_same(engineer: User, project: Project, client_for: ClientFor) -> None:
    made.base()
    made.dataset(project)
    typed = {"shown": "sft", "sft-batch_size": "3", "sft-epochs": "1", "sft-learning_rate": "0.0003", "sft-max_length": "1024"}
    settings = client_for(engineer).post(page(project, "method"), posted("sft_full", **typed)).context["settings"]
    assert settings["batch_size"].value() == 3
    assert float(settings["learning_rate"].value()) == methods()["sft_full"].info.params.model_fields["learning_rate"].default


def test_a_box_that_was_emptied_stays_empty_and_one_that_was_not_there_is_ticked(
    engineer: User, project: Project, client_for: ClientFor
) -> None:
    made.base()
    made.dataset(project)
    form = client_for(engineer).post(page(project, "method"), posted("sft", shown="sft_prompt", had=["evaluate"])).context["form"]
    assert not form["evaluate"].value() and form["quantize"].value()


def test_a_version_without_rejected_answers_is_not_offered_for_preferences(engineer: User, project: Project, client_for: ClientFor) -> None:
    made.base()
    plain, both = made.dataset(project), preferences(project)
    form = client_for(engineer).get(page(project), {"by_method": "dpo"}).context["form"]
    assert form.offer.datasets == [both]
    [(_, reason)] = form.offer.refused
    assert "has none of the pairs with a rejected answer that DPO learns from" in reason
    refused = client_for(engineer).post(page(project), posted("dpo", dataset=str(plain.pk)))
    assert refused.status_code == 422 and not Pipeline.objects.exists()


def test_rejected_answers_are_taken_from_the_facts_and_counted_where_those_say_nothing(project: Project) -> None:
    old = preferences(project, 5)
    assert "preference" not in old.facts
    assert preference_rows(old) == 5
    assert preference_rows(Artifact(facts={"preference": 7})) == 7


def test_preferences_go_on_from_an_adapter_of_the_project_on_the_same_model(
    engineer: User, project: Project, outsider: User, client_for: ClientFor
) -> None:
    base, data = made.base(), preferences(project)
    own = made.adapter(project, base, data)
    made.adapter(project, made.artifact(None, "hf-model", {"config.json": "{}"}), data, "Of another model")
    other = outsider.projects.get()
    foreign = made.adapter(other, base, made.dataset(other))
    client = client_for(engineer)
    assert client.get(page(project), {"by_method": "dpo"}).context["form"].offer.adapters == [own]
    wrong = client.post(page(project), posted("dpo", dataset=str(data.pk), adapter=str(foreign.pk)))
    assert wrong.status_code == 422
    answer = client.post(page(project), posted("dpo", dataset=str(data.pk), adapter=str(own.pk), evaluate="on", quantize="on"))
    run = Run.objects.get(stage="dpo", status="QUEUED")
    assert answer["Location"] == run.get_absolute_url()
    assert {item.role: item.artifact for item in run.inputs.all()} == {"model": base, "adapter": own, "dataset": data}
    assert list(Pipeline.objects.get().runs.values_list("stage", flat=True).order_by("pipeline_steps__position")) == [
        "dpo", "evaluate", "merge", "quantize",
    ]  # fmt: skip


def test_several_methods_run_one_after_another(engineer: User, project: Project, client_for: ClientFor) -> None:
    made.base()
    data = preferences(project)
    client_for(engineer).post(page(project), posted("sft", dataset=str(data.pk), preset="quick", then="dpo", evaluate="on"))
    runs = {run.stage: run for run in Pipeline.objects.get().runs.all()}
    assert set(runs) == {"sft", "dpo", "evaluate"}
    assert runs["dpo"].params["max_steps"] == 40  # as thorough as the first
    assert runs["dpo"].inputs.get(role="adapter").from_run == runs["sft"]
    assert runs["evaluate"].inputs.get(role="adapter").from_run == runs["dpo"]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"then": "dpo"}, "needs pairs with a rejected answer; this version has 0"),
        ({"then": "sft_full", "then_2": "sft_full"}, "can be used once"),
        ({"then": "distill"}, "Select a valid choice"),
    ],
)
def test_a_row_of_methods_that_cannot_be_is_refused(
    fields: dict[str, str], says: str, engineer: User, project: Project, client_for: ClientFor
) -> None:
    made.base()
    answer = client_for(engineer).post(page(project), posted("sft", dataset=str(made.dataset(project).pk), **fields))
    assert answer.status_code == 422 and says in answer.content.decode()
    assert not Pipeline.objects.exists()


def test_distilling_takes_the_chosen_teacher_and_no_other_projects(
    engineer: User, project: Project, outsider: User, client_for: ClientFor
) -> None:
    base, data = made.base(), made.dataset(project)
    teacher = made.merged(project, base, made.adapter(project, base, data))
    other = outsider.projects.get()
    foreign = made.merged(other, base, made.adapter(other, base, made.dataset(other)))
    client = client_for(engineer)
    assert client.post(page(project), posted("distill_lora", dataset=str(data.pk), teacher=str(foreign.pk))).status_code == 422
    client.post(page(project), posted("distill_lora", dataset=str(data.pk), teacher=str(teacher.pk)))
    assert Run.objects.get(stage="distill_lora").inputs.get(role="teacher").artifact == teacher


def test_learning_from_a_reward_model_takes_the_chosen_one_on_the_same_base(
    engineer: User, project: Project, outsider: User, client_for: ClientFor
) -> None:
    base, data = made.base(), made.dataset(project)
    client = client_for(engineer)
    assert "There is no reward model on this base model yet" in client.post(page(project, "method"), posted("rloo")).content.decode()
    judge = made.reward_model(project, base, data)
    other = outsider.projects.get()
    foreign = made.reward_model(other, base, made.dataset(other))
    assert client.post(page(project), posted("rloo", dataset=str(data.pk), reward=str(foreign.pk))).status_code == 422
    client.post(page(project), posted("rloo", dataset=str(data.pk), reward=str(judge.pk)))
    assert Run.objects.get(stage="rloo").inputs.get(role="reward").artifact == judge


def test_a_reward_model_and_learning_from_it_go_into_one_pipeline(engineer: User, project: Project, client_for: ClientFor) -> None:
    made.base()
    data = preferences(project)
    client_for(engineer).post(page(project), posted("sft", dataset=str(data.pk), then="reward", then_2="rloo", evaluate="on"))
    runs = {run.stage: run for run in Pipeline.objects.get().runs.all()}
    assert set(runs) == {"sft", "reward", "rloo", "evaluate"}
    for stage in ("reward", "rloo"):
        assert runs[stage].inputs.get(role="adapter").from_run == runs["sft"]
    assert runs["rloo"].inputs.get(role="reward").from_run == runs["reward"]
    assert runs["evaluate"].inputs.get(role="adapter").from_run == runs["rloo"]


def test_a_teacher_that_is_asked_for_answers_is_named_to_the_stage(engineer: User, project: Project, client_for: ClientFor) -> None:
    base = made.base()
    writer = f"artifact:{base.pk}"
    client_for(engineer).post(page(project), posted("distill_answers", dataset=str(made.dataset(project).pk), writer=writer, then="sft"))
    runs = {run.stage: run for run in Pipeline.objects.get().runs.all()}
    assert runs["distill_answers"].params["endpoint"] == writer
    assert runs["sft"].inputs.get(role="dataset").from_run == runs["distill_answers"]
    assert not AuditEvent.objects.filter(action="data.send").exists()  # it is on this machine


def test_reading_documents_needs_documents(engineer: User, project: Project, client_for: ClientFor) -> None:
    made.base()
    made.dataset(project)
    client = client_for(engineer)
    text = client.post(page(project, "check"), posted("pretrain")).content.decode()
    assert "No document has been read yet" in text
    assert client.post(page(project), posted("pretrain")).status_code == 422
    assert not Pipeline.objects.exists()


def test_a_stage_that_is_no_method_of_the_page_is_not_begun(engineer: User, project: Project, client_for: ClientFor) -> None:
    made.base()
    answer = client_for(engineer).post(page(project), posted("import_base", dataset=str(made.dataset(project).pk)))
    assert answer.status_code == 422
    assert not Run.objects.filter(status="QUEUED").exists()


def test_a_page_costs_the_same_however_many_versions_and_adapters_there_are(
    engineer: User, project: Project, client_for: ClientFor, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    base, client = made.base(), client_for(engineer)
    adapters = [made.adapter(project, base, preferences(project), f"Number {number}") for number in range(2)]
    counts = []
    for _ in range(2):
        with django_assert_max_num_queries(60) as made_now:
            form = client.get(page(project), {"by_method": "dpo"}).context["form"]
        counts.append(len(made_now))
        assert len(form.offer.adapters) == len(adapters)
        adapters += [made.adapter(project, base, preferences(project), f"More {number}") for number in range(4)]
    assert counts[0] == counts[1]


def test_a_batch_is_not_looked_for_before_the_model_is_here(engineer: User, project: Project, client_for: ClientFor) -> None:
    made.base()
    BaseModelImport.objects.all().delete()
    text = client_for(engineer).post(page(project, "batch"), posted("sft", dataset=str(made.dataset(project).pk))).content.decode()
    assert "has not been imported yet" in text and 'role="alert"' in text
