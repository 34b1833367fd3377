"""The model to be trained, whose chat template and tokenizer the quality gate goes by: the planned one, another, or none."""

from typing import Any

import pytest
from django.urls import reverse

from catalogue.models import BaseModelImport
from curation.errors import PairError
from curation.models import PairStatus
from curation.services.gating import gate_start
from planning.models import Plan
from projects.models import Project
from runs.models import Artifact, Run, RunInput

pytestmark = pytest.mark.django_db


@pytest.fixture
def models(project: Project, outsider: Any) -> dict[str, Artifact]:
    """An imported base model, a merged model of this project, and one of another project."""
    key = "smollm2-135m-instruct"
    run = Run.objects.create(stage="import_base", title="Import SmolLM2", params={}, status="SUCCEEDED")
    BaseModelImport.objects.create(key=key, run=run)
    other = Project.objects.exclude(pk=project.pk).get()

    def model(name: str, of: Project | None, by: Run | None = None) -> Artifact:
        return Artifact.objects.create(
            project=of, kind="hf-model", uri=f"made/{name}", bytes=1, sha256="0" * 64, ready=True, role="model", produced_by=by,
            facts={"name": name},
        )  # fmt: skip

    return {"base": model("SmolLM2", None, run), "merged": model("Merged", project), "foreign": model("Foreign", other)}


def chosen_model(project: Project) -> Artifact | None:
    given = RunInput.objects.filter(run__project=project, role="model").first()
    return given.artifact if given else None


def test_the_base_model_that_is_planned_is_what_pairs_are_fitted_to(client_for, project, owner, make_pair, models):
    make_pair("Approved?", status=PairStatus.APPROVED)
    client, url = client_for(owner), reverse("curation:quality_run", args=[project.slug])
    form = client.get(reverse("curation:quality", args=[project.slug])).context["form"]
    assert form["model"].value() == "" and "Foreign" not in str(form["model"])
    Plan.objects.create(project=project, base_key="smollm2-135m-instruct", answers={}, recommendation={"steps": []})
    form = client.get(reverse("curation:quality", args=[project.slug])).context["form"]
    assert form["model"].value() == str(models["base"].pk) and ", as planned" in str(form["model"]) and "Merged" in str(form["model"])
    client.post(url)  # the button beside cutting asks for none
    assert chosen_model(project) == models["base"]


@pytest.mark.parametrize(("choice", "given"), [("", None), ("merged", "merged")])
def test_another_model_or_none_may_be_chosen(client_for, project, owner, make_pair, models, choice, given):
    make_pair("Approved?", status=PairStatus.APPROVED)
    Plan.objects.create(project=project, base_key="smollm2-135m-instruct", answers={}, recommendation={"steps": []})
    asked = {"model": str(models[choice].pk) if choice else ""}
    assert client_for(owner).post(reverse("curation:quality_run", args=[project.slug]), asked).status_code == 302
    assert chosen_model(project) == (models[given] if given else None)


def test_another_projects_model_is_refused(client_for, project, owner, make_pair, models):
    make_pair("Approved?", status=PairStatus.APPROVED)
    answer = client_for(owner).post(reverse("curation:quality_run", args=[project.slug]), {"model": str(models["foreign"].pk)})
    assert answer.status_code == 422 and not Run.objects.filter(project=project).exists()
    with pytest.raises(PairError, match="not on this machine"):
        gate_start(project=project, by=owner, model=str(models["foreign"].pk))
