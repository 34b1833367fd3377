"""Bringing base models in: once, whoever asks."""

import json
import struct
from pathlib import Path

import pytest
from django.db import connection

from catalogue import families, services
from catalogue.models import LocalModel
from catalogue.selectors import base_model, base_models
from projects.models import AuditEvent, User
from runs.models import Artifact, Run, Status
from tests.catalogue import made


def test_it_starts_one_import_for_all_who_ask(owner: User) -> None:
    first = services.base_model_ensure(key=made.BASE_KEY, by=owner)
    assert isinstance(first, Run)
    assert first.stage == "import_base"
    assert first.project is None
    assert first.params["source"].endswith(".gguf")
    assert services.base_model_ensure(key=made.BASE_KEY, by=None) == first
    assert Run.objects.count() == 1


def test_an_imported_model_is_the_answer(owner: User) -> None:
    model = made.base()
    assert services.base_model_ensure(key=made.BASE_KEY, by=owner) == model


def test_a_failed_import_is_started_again(owner: User) -> None:
    first = services.base_model_ensure(key=made.BASE_KEY, by=owner)
    Run.objects.filter(pk=first.pk).update(status=Status.FAILED)
    again = services.base_model_ensure(key=made.BASE_KEY, by=owner)
    assert isinstance(again, Run)
    assert again.pk != first.pk


def test_an_unknown_key_and_an_absent_model_are_refused_with_a_reason(owner: User) -> None:
    with pytest.raises(services.CatalogueError, match="no base model"):
        services.base_model_ensure(key="gpt-9", by=owner)
    with pytest.raises(services.CatalogueError, match="Compute page"):
        services.base_model_ensure(key="phi-4", by=owner)
    assert not Run.objects.exists()


@pytest.mark.django_db
def test_states_cost_the_same_however_many_models_there_are(django_assert_num_queries: pytest.FixtureRequest) -> None:
    made.base()
    with django_assert_num_queries(4):  # type: ignore[operator]
        states = base_models()
    assert [state.key for state in states if state.imported] == [made.BASE_KEY]


def safetensors(shape: list[int]) -> bytes:
    header = json.dumps({"__metadata__": {}, "weight": {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]}}).encode()
    return struct.pack("<Q", len(header)) + header


@pytest.fixture
def models_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "models"
    good = root / "good"
    good.mkdir(parents=True)
    (good / "config.json").write_text('{"max_position_embeddings": 512}')
    (good / "tokenizer.json").write_text("{}")
    (good / "model.safetensors").write_bytes(safetensors([4, 8]))
    (tmp_path / "outside").mkdir()
    (root / "link").symlink_to(tmp_path / "outside")
    monkeypatch.setenv("STUDIO_MODELS_DIR", str(root))
    return root


def test_a_folder_under_the_models_folder_becomes_a_base_model(owner: User, models_dir: Path) -> None:
    row = services.local_model_add(name="Our own", path="good", licence="Ours", by=owner)
    assert (row.parameters, row.context) == (32, 512)
    state = base_model(row.key)
    assert state is not None
    assert state.here
    assert state.spec.licence == "Ours"
    run = services.base_model_ensure(key=row.key, by=owner)
    assert isinstance(run, Run)
    assert run.params["source"] == str(models_dir / "good")
    assert AuditEvent.objects.filter(action="base_model.add").exists()


@pytest.mark.parametrize("path", ["../outside", "link", "/etc", "", ".", "nothing"])
def test_a_place_outside_the_models_folder_is_refused(owner: User, models_dir: Path, path: str) -> None:
    with pytest.raises(services.CatalogueError):
        services.local_model_add(name="Bad", path=path, by=owner)
    assert not LocalModel.objects.exists()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("config.json", b"no json", "config.json"),
        ("config.json", b'{"auto_map": {"AutoModel": "x.Y"}}', "Python code"),
        ("model.safetensors", b"damaged", "safetensors"),
        ("model.safetensors", None, "no weights"),
        ("tokenizer.json", None, "tokenizer"),
    ],
)
def test_a_folder_that_is_no_safe_model_is_refused(owner: User, models_dir: Path, name: str, content: bytes | None, says: str) -> None:
    file = models_dir / "good" / name
    file.unlink() if content is None else file.write_bytes(content)
    with pytest.raises(services.CatalogueError, match=says):
        services.local_model_add(name="Bad", path="good", by=owner)


def test_a_name_that_is_taken_is_refused(owner: User, models_dir: Path) -> None:
    services.local_model_add(name="Our own", path="good", by=owner)
    with pytest.raises(services.CatalogueError, match="already"):
        services.local_model_add(name="Our own", path="good", by=owner)
    with pytest.raises(services.CatalogueError, match="already"):
        services.local_model_add(name="phi-4", path="good", by=owner)


def test_a_model_in_parts_is_put_together_and_checked(tmp_path: Path, settings: object, monkeypatch: pytest.MonkeyPatch) -> None:
    import hashlib
    from dataclasses import replace

    settings.STUDIO_HOME = tmp_path  # type: ignore[attr-defined]
    parts = ("catalogue/apps.py", "catalogue/urls.py")
    whole = b"".join(Path("catalogue", part.split("/")[1]).read_bytes() for part in parts)
    source = families.Source(package="catalogue", file="m.gguf", parts=parts, sha256=hashlib.sha256(whole).hexdigest())
    spec = replace(families.load()["gemma-3-270m"], source=source)
    place = source.local()
    assert place is not None
    assert services._source_file(spec, place).read_bytes() == whole
    damaged = replace(spec, key="damaged", source=replace(source, sha256="0" * 64))
    with pytest.raises(services.CatalogueError, match="damaged"):
        services._source_file(damaged, place)


@pytest.mark.django_db(transaction=True)
def test_a_large_file_is_put_together_before_the_database_is_locked(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    locked = list[bool]()
    monkeypatch.setattr(services, "_source_file", lambda spec, place: locked.append(connection.in_atomic_block) or place)
    services.base_model_ensure(key=made.BASE_KEY, by=owner)
    assert locked == [False]


def test_base_models_are_artifacts_of_no_project(owner: User) -> None:
    made.base()
    assert Artifact.objects.get(kind="hf-model").project is None
