"""The pages of models and of the machine: who sees what, and that they cost the same however much there is."""

import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import Client
from django.urls import reverse

from catalogue.tree import family_tree
from curation.models import DatasetVersion
from evaluation.services import report_take_in
from playground.selectors import model_label, models_to_talk_to
from projects import audit
from projects.models import AuditEvent, Project, User
from runs.artifacts import artifact_path
from runs.models import Artifact
from runs.services import RunError, run_create
from tests.catalogue import made

ClientFor = Callable[[User], Client]


def body(response: Any) -> bytes:
    async def collect() -> bytes:
        return b"".join([part async for part in response.streaming_content])

    return async_to_sync(collect)()


@pytest.fixture
def family(project: Project) -> dict[str, Artifact]:
    base, data = made.base(), made.dataset(project)
    tuned = made.adapter(project, base, data)
    whole = made.merged(project, base, tuned)
    small = made.gguf(project, whole)
    report_take_in(artifact=made.report(project, base, tuned, data))
    return {"base": base, "data": data, "adapter": tuned, "merged": whole, "gguf": small}


def test_the_tree_goes_from_base_to_file(project: Project, family: dict[str, Artifact]) -> None:
    nodes = family_tree(project)
    assert [(node.artifact, node.depth) for node in nodes] == [
        (family["base"], 0), (family["adapter"], 1), (family["merged"], 2), (family["gguf"], 3),
    ]  # fmt: skip
    assert nodes[1].scores["token_f1"] == 0.3
    assert nodes[0].scores["token_f1"] == 0.2


def test_a_soft_prompt_stands_below_its_base_and_its_page_says_why_it_cannot_be_merged(
    project: Project, owner: User, client_for: ClientFor
) -> None:
    base, data = made.base(), made.dataset(project)
    soft = made.soft_prompt(project, base, data)
    assert [(node.artifact, node.kind) for node in family_tree(project)] == [(base, "Base model"), (soft, "Soft prompt")]
    page = client_for(owner).get(reverse("catalogue:model", args=[project.slug, soft.pk])).content.decode()
    assert "cannot be merged" in page and "changes no weight" in page
    assert "Chat with it" in page
    assert soft in models_to_talk_to(project)
    assert model_label(soft).startswith("Soft prompt · First")


@pytest.mark.parametrize(("stage", "role"), [("merge", "adapter"), ("quantize", "model")])
def test_what_writes_weights_takes_no_soft_prompt(project: Project, owner: User, stage: str, role: str) -> None:
    base = made.base()
    soft = made.soft_prompt(project, base, made.dataset(project))
    with pytest.raises(RunError) as raised:
        run_create(project=project, stage=stage, params={}, inputs={"model": base, role: soft}, by=owner)
    assert "soft-prompt" in raised.value.fields[role]


def test_the_tree_costs_the_same_however_many_models_there_are(
    project: Project, family: dict[str, Artifact], django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(3):
        family_tree(project)
    for n in range(3):
        tuned = made.adapter(project, family["base"], family["data"], f"More {n}")
        made.gguf(project, made.merged(project, family["base"], tuned))
    with django_assert_num_queries(3):
        assert len(family_tree(project)) == 13


def test_the_card_tells_hashes_seeds_and_data(viewer: User, project: Project, family: dict[str, Artifact], client_for: ClientFor) -> None:
    small = family["gguf"]
    page = client_for(viewer).get(reverse("catalogue:model", args=[project.slug, small.pk]))
    text = page.content.decode()
    for one in family.values():
        assert one.sha256 in text
    assert "Measured on" in text or "measured on" in text
    assert reverse("playground:chat", args=[project.slug]) + f"?model={small.pk}" in text
    card = client_for(viewer).get(reverse("catalogue:card_file", args=[project.slug, small.pk]))
    assert family["data"].sha256 in card.content.decode()


def test_the_card_names_licence_dataset_version_and_approvals(
    viewer: User, owner: User, project: Project, family: dict[str, Artifact], client_for: ClientFor
) -> None:
    data, card = family["data"], reverse("catalogue:card_file", args=[project.slug, family["gguf"].pk])
    DatasetVersion.objects.create(
        project=project, artifact=data, number=3, counts={}, sha256=data.sha256, seed=7, documents={}, created_by=owner
    )
    audit.record(project, owner, "dataset.cut", "v3")
    AuditEvent.objects.update(at=family["adapter"].created_at)
    text = client_for(viewer).get(card).content.decode()
    assert f"Dataset version “Version 3”, sha256 {data.sha256}" in text
    assert "- Licence of the base model: Apache 2.0" in text
    assert "Olivia, dataset.cut" in text


def test_a_gguf_comes_as_the_file_itself(engineer: User, project: Project, family: dict[str, Artifact], client_for: ClientFor) -> None:
    response = client_for(engineer).get(reverse("catalogue:download", args=[project.slug, family["gguf"].pk]))
    content = (artifact_path(family["gguf"]) / "model-q4_k_m.gguf").read_bytes()
    assert response["Content-Length"] == str(len(content))
    assert '.gguf"' in response["Content-Disposition"]
    assert body(response) == content
    assert project.audit_events.get(action="model.download").actor == engineer


def test_a_folder_comes_as_a_zip(owner: User, project: Project, family: dict[str, Artifact], client_for: ClientFor) -> None:
    response = client_for(owner).get(reverse("catalogue:download", args=[project.slug, family["merged"].pk]))
    with zipfile.ZipFile(io.BytesIO(body(response))) as archive:
        assert "sub/config.json" in archive.namelist()
        assert archive.testzip() is None


@pytest.mark.parametrize("role", ["viewer", "annotator", "reviewer"])
def test_taking_a_model_out_is_for_builders(
    role: str, member: Callable[[str], User], project: Project, family: dict[str, Artifact], client_for: ClientFor
) -> None:
    client = client_for(member(role))
    assert client.get(reverse("catalogue:download", args=[project.slug, family["gguf"].pk])).status_code == 403
    assert client.get(reverse("catalogue:models", args=[project.slug])).status_code == 200


@pytest.mark.parametrize("name", ["catalogue:model", "catalogue:download", "catalogue:card_file"])
def test_another_projects_model_does_not_exist(
    name: str, outsider: User, project: Project, family: dict[str, Artifact], client_for: ClientFor
) -> None:
    client, own = client_for(outsider), outsider.projects.get()
    assert client.get(reverse(name, args=[project.slug, family["gguf"].pk])).status_code == 404
    assert client.get(reverse(name, args=[own.slug, family["gguf"].pk])).status_code == 404


def test_what_is_no_model_cannot_be_downloaded_as_one(
    owner: User, project: Project, family: dict[str, Artifact], client_for: ClientFor
) -> None:
    assert client_for(owner).get(reverse("catalogue:download", args=[project.slug, family["data"].pk])).status_code == 404


# --- the machine ---


@pytest.fixture
def admin(db: None) -> User:
    return User.objects.create_superuser("ada@example.org", None, name="Ada")


def test_everybody_sees_the_machine_and_only_administrators_its_details(viewer: User, admin: User, client_for: ClientFor) -> None:
    plain = client_for(viewer).get(reverse("compute")).content.decode()
    full = client_for(admin).get(reverse("compute")).content.decode()
    assert "SmolLM2 135M Instruct" in plain
    assert "Versions" not in plain
    assert reverse("base_model_import", args=[made.BASE_KEY]) not in plain
    assert "Versions" in full
    assert reverse("base_model_import", args=[made.BASE_KEY]) in full


def test_other_peoples_work_shows_without_its_names(outsider: User, owner: User, project: Project, client_for: ClientFor) -> None:
    run = made.ended_run(project, "sft", title="Secret plan")
    run.status = "RUNNING"
    run.save()
    text = client_for(outsider).get(reverse("compute")).content.decode()
    assert "Secret plan" not in text
    assert str(project) not in text
    assert "Another project" in text
    assert "Secret plan" in client_for(owner).get(reverse("compute")).content.decode()


@pytest.mark.parametrize("name", ["base_model_import", "base_model_download"])
def test_only_administrators_bring_models_in(name: str, owner: User, admin: User, client_for: ClientFor) -> None:
    address = reverse(name, args=["phi-3.5-mini-instruct"])
    assert client_for(owner).post(address).status_code == 403
    assert client_for(admin).get(address).status_code == 405


def test_an_import_starts_from_the_page(admin: User, client_for: ClientFor) -> None:
    page = client_for(admin).post(reverse("base_model_import", args=[made.BASE_KEY]), follow=True)
    assert "Import SmolLM2 135M Instruct" in page.content.decode()


def test_offline_the_download_is_refused_with_what_to_do(admin: User, client_for: ClientFor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    page = client_for(admin).post(reverse("base_model_download", args=["phi-4"]), follow=True)
    assert "stay offline" in page.content.decode()


def test_a_wrong_folder_is_said_beside_its_field(
    admin: User, client_for: ClientFor, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("STUDIO_MODELS_DIR", str(tmp_path))
    page = client_for(admin).post(reverse("local_model_add"), {"name": "X", "path": "../etc"})
    assert page.status_code == 422
    assert "must lie inside" in page.content.decode()


def test_the_machines_page_costs_the_same_however_many_runs_there_are(
    owner: User, project: Project, client_for: ClientFor, django_assert_max_num_queries: Any
) -> None:
    client = client_for(owner)
    for _ in range(5):
        run = made.ended_run(project, "sft")
        run.status = "QUEUED"
        run.save()
    with django_assert_max_num_queries(16):
        client.get(reverse("compute"))
