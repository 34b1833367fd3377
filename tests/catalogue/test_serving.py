"""Access to the embedded server names the asked model and nothing else."""

import uuid

import pytest
from django.conf import settings

from catalogue import serving
from engine.grants import check
from projects.models import Project
from runs.artifacts import artifact_erase, artifact_path
from runs.models import Artifact
from tests.catalogue import made


def granted(token: str) -> dict[str, object]:
    return {name: model.model_dump() for name, model in check(settings.SERVE_SECRET, token).models.items()}


def test_a_grant_names_only_the_asked_model(project: Project) -> None:
    base, data = made.base(), made.dataset(project)
    tuned = made.adapter(project, base, data)
    made.adapter(project, base, data, "Second")
    small = made.gguf(project, made.merged(project, base, tuned))
    endpoint = serving.artifact_endpoint(small)
    assert endpoint.model == str(small.pk)
    assert granted(endpoint.token) == {str(small.pk): {"kind": "gguf-model", "path": str(artifact_path(small)), "base": None}}


def test_an_adapters_grant_says_where_its_base_lies(project: Project) -> None:
    base = made.base()
    tuned = made.adapter(project, base, made.dataset(project))
    endpoint = serving.artifact_endpoint(tuned)
    assert granted(endpoint.token) == {
        str(tuned.pk): {"kind": "adapter", "path": str(artifact_path(tuned)), "base": str(artifact_path(base))}
    }


def test_a_soft_prompts_grant_says_where_its_base_lies(project: Project) -> None:
    base = made.base()
    soft = made.soft_prompt(project, base, made.dataset(project))
    endpoint = serving.artifact_endpoint(soft)
    assert granted(endpoint.token) == {
        str(soft.pk): {"kind": "soft-prompt", "path": str(artifact_path(soft)), "base": str(artifact_path(base))}
    }


def test_what_is_no_model_is_not_served(project: Project) -> None:
    with pytest.raises(serving.ServingError, match="not a model"):
        serving.artifact_endpoint(made.dataset(project))


def test_an_erased_model_is_not_served(project: Project) -> None:
    tuned = made.adapter(project, made.base(), made.dataset(project))
    artifact_erase(tuned)
    with pytest.raises(serving.ServingError, match="not complete"):
        serving.artifact_endpoint(Artifact.objects.get(pk=tuned.pk))


def test_an_adapter_without_its_base_is_not_served(project: Project) -> None:
    base = made.base()
    tuned = made.adapter(project, base, made.dataset(project))
    artifact_erase(base)
    with pytest.raises(serving.ServingError, match="base model"):
        serving.artifact_endpoint(tuned)


def test_an_adapter_of_no_run_is_not_served(project: Project) -> None:
    with pytest.raises(serving.ServingError, match="base model"):
        serving.artifact_endpoint(Artifact(pk=uuid.uuid4(), kind="adapter", ready=True, project=project))


def test_the_embedder_is_the_one_in_the_package() -> None:
    endpoint = serving.embedder_endpoint()
    (model,) = granted(endpoint.token).values()
    assert endpoint.model == "all-MiniLM-L6-v2"
    assert model["kind"] == "embedder"


def test_an_embedder_elsewhere_is_used_when_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDIO_EMBEDDER_URL", "http://embedder.internal/v1")
    monkeypatch.setenv("STUDIO_EMBEDDER_TOKEN", "key")
    monkeypatch.setenv("STUDIO_EMBEDDER_MODEL", "bge-small")
    endpoint = serving.embedder_endpoint()
    assert (endpoint.url, endpoint.token, endpoint.model) == ("http://embedder.internal/v1", "key", "bge-small")
