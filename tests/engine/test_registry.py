"""The stages there are: one file each, each key once, none after loading; and each says what a form, a page and a caller need."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine import registry
from engine.registry import RegistryError, StageInfo, StageParams, stage
from tests.materials import ROOT

STAGE = """
from engine.registry import StageParams, stage

class Params(StageParams):
    pass

@stage(key={key!r}, title="Nothing", group="test", queue="default", consumes={{}}, produces={{}})
def run(ctx, params: Params) -> None:
    "Do nothing."
"""
STAGES = {info.key: info for info in registry.all_stages()}


class Params(StageParams):
    pass


def declare(key: str) -> None:
    @stage(key=key, title="Nothing", group="test", queue="default", consumes={}, produces={})
    def run(ctx: Any, params: Params) -> None:
        """Do nothing."""


@pytest.fixture
def empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry before loading, with nothing in it."""
    monkeypatch.setattr(registry, "_stages", {})
    monkeypatch.setattr(registry, "_frozen", False)


@pytest.mark.usefixtures("empty")
def test_a_key_is_declared_once() -> None:
    declare("prune")
    with pytest.raises(RegistryError, match="'prune' is declared twice"):
        declare("prune")
    assert list(registry._stages) == ["prune"]


def test_a_stage_that_comes_after_loading_is_refused() -> None:
    registry.load()
    with pytest.raises(RegistryError, match="'prune' comes too late"):
        declare("prune")
    assert "prune" not in {info.key for info in registry.all_stages()}


@pytest.mark.usefixtures("empty")
def test_a_stage_without_parameters_of_its_own_is_refused() -> None:
    with pytest.raises(RegistryError, match="second argument"):

        @stage(key="prune", title="Nothing", group="test", queue="default", consumes={}, produces={})
        def run(ctx: Any, params: dict[str, Any]) -> None:
            """Do nothing."""


def test_an_unknown_key_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(RegistryError, match=r"no stage 'quantise'\. Did you mean 'quantize'"):
        registry.get("quantise")


def told_with(folder: Path, key: str) -> subprocess.CompletedProcess[str]:
    """What ``python -m engine stages`` says where ``folder`` holds one more stage, of that key."""
    (folder / "one_more.py").write_text(STAGE.format(key=key))
    code = f"import sys, engine.stages; engine.stages.__path__.append({str(folder)!r}); sys.argv = ['engine', 'stages']"
    code += "; from engine.__main__ import main; sys.exit(main())"
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)


def test_one_more_file_is_one_more_stage(tmp_path: Path) -> None:
    answer = told_with(tmp_path, "nothing")
    assert set(json.loads(answer.stdout)) == {*STAGES, "nothing"}, answer.stderr


def test_a_file_that_declares_a_key_again_stops_the_loading(tmp_path: Path) -> None:
    answer = told_with(tmp_path, "sft")
    assert answer.returncode != 0 and "'sft' is declared twice" in answer.stderr


def test_the_command_tells_every_stage_with_its_schema() -> None:
    answer = subprocess.run([sys.executable, "-m", "engine", "stages"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    told = json.loads(answer.stdout)
    assert told == {key: {"title": info.title, "help": info.help, "schema": info.schema()} for key, info in STAGES.items()}


@pytest.fixture(params=sorted(STAGES))
def info(request: pytest.FixtureRequest) -> StageInfo:
    return STAGES[request.param]


def test_a_stage_says_what_it_does_and_what_goes_in_and_out(info: StageInfo) -> None:
    assert info.title and info.help.endswith(".") and info.group
    assert info.queue in {"default", "gpu"}
    assert info.produces and set(info.endpoints) <= {"chat", "embeddings"}
    assert all(kind and "?" not in kind for kind, _ in info.roles.values())


def test_a_stage_is_told_apart_by_its_file_and_tested_in_one_of_its_name(info: StageInfo) -> None:
    assert info.run.__module__ == f"engine.stages.{info.key}"
    assert (ROOT / "tests" / "engine" / f"test_{info.key}.py").is_file()


def test_every_parameter_can_be_explained_to_a_person(info: StageInfo) -> None:
    for name, spec in info.schema().get("properties", {}).items():
        assert spec.get("title") and spec.get("description"), name


def test_a_parameter_that_a_stage_does_not_know_is_refused(info: StageInfo) -> None:
    with pytest.raises(ValueError, match="no_such_parameter"):
        info.params(no_such_parameter=1)
