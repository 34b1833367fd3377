import json
import os
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from dslm_studio.launch import install, terminal
from dslm_studio.launch.terminal import Problem


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone whose requirements are one tiny package that lies beside it, so that pip needs no index."""
    root = tmp_path / "a clone"
    root.mkdir()
    with zipfile.ZipFile(root / "small-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("small.py", "VALUE = 1\n")
        wheel.writestr("small-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: small\nVersion: 1.0\n")
        wheel.writestr("small-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("small-1.0.dist-info/RECORD", "")
    for name in ("requirements", "requirements-models", "requirements-dev", "constraints"):
        (root / f"{name}.txt").write_text("torch==1.0\n" if name == "requirements" else "")
    venv = root / ".venv"
    monkeypatch.setattr(install, "ROOT", root)
    monkeypatch.setattr(install, "VENV", venv)
    monkeypatch.setattr(install, "PYTHON", venv / "bin" / "python")
    monkeypatch.setattr(install, "STAMP", venv / "studio-installed.json")
    monkeypatch.setattr(install, "TOOLS", venv / "tools")
    monkeypatch.setenv("STUDIO_HOME", str(root / "var"))
    return root


def pretend_installed(clone: Path, *, dev: bool = False) -> None:
    install.PYTHON.parent.mkdir(parents=True)
    install.PYTHON.symlink_to(sys.executable)
    install.STAMP.write_text(json.dumps({part.key: part.digest for part in install.parts(dev=dev)}))


def test_a_complete_installation_leaves_nothing_to_do(clone: Path) -> None:
    pretend_installed(clone)
    assert install.outstanding(dev=False) == []
    assert [part.key for part in install.outstanding(dev=True)] == ["requirements-dev"]


def test_only_the_part_whose_requirements_changed_is_installed_again(clone: Path) -> None:
    pretend_installed(clone)
    (clone / "requirements-models.txt").write_text("small==2.0\n")
    assert [part.key for part in install.outstanding(dev=False)] == ["requirements-models"]


def test_other_versions_of_what_libraries_bring_along_are_installed_over_them(clone: Path) -> None:
    pretend_installed(clone, dev=True)
    (clone / "constraints.txt").write_text("small==1.0\n")
    assert [part.key for part in install.outstanding(dev=True)] == ["requirements", "requirements-dev"]
    assert all(part.arguments[-4:-2] == ("-c", "constraints.txt") for part in install.outstanding(dev=True))


def test_the_converter_goes_into_a_folder_of_its_own(clone: Path) -> None:
    (clone / "requirements-converter.txt").write_text("converter==1.0\n")
    tools = next(part for part in install.parts(dev=False) if part.key == "requirements-converter")
    assert tools.arguments[:4] == ("--no-deps", "--require-hashes", "--target", str(install.TOOLS))


def test_a_venv_whose_python_is_gone_is_installed_anew(clone: Path) -> None:
    pretend_installed(clone)
    install.PYTHON.unlink()
    install.PYTHON.symlink_to("/nowhere/python3")
    assert {part.key for part in install.outstanding(dev=False)} >= {"torch", "requirements"}


@pytest.mark.slow
def test_an_interrupted_installation_goes_on_where_it_stopped(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = install.Part("small", "Installing small", ("--no-index", "./small-1.0-py3-none-any.whl"), "1")
    broken = install.Part("broken", "Installing what is not there", ("--no-index", "there-is-no-such-thing==1"), "2")
    monkeypatch.setattr(install, "parts", lambda dev: [small, broken])
    monkeypatch.setattr(install.machine, "to_install", lambda *_, **__: [])
    with pytest.raises(Problem, match="pip ended with 1") as failed:
        install.ensure()
    assert "goes on where it stopped" in failed.value.mend
    assert [part.key for part in install.outstanding(dev=False)] == ["broken"]
    assert subprocess.run([str(install.PYTHON), "-c", "import small"]).returncode == 0


def test_pip_keeps_the_users_configuration_but_stays_in_the_venv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.example/simple")
    monkeypatch.setenv("PIP_USER", "1")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    environment = install.environment()
    assert environment["PIP_INDEX_URL"] == "https://index.example/simple"
    assert "PIP_USER" not in environment and "PYTHONPATH" not in environment
    assert int(environment["CMAKE_BUILD_PARALLEL_LEVEL"]) >= 1


@pytest.mark.slow
def test_an_index_that_cannot_be_reached_is_said_so(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}/simple"  # bound, but nobody listens
        for name, value in {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": nobody, "PIP_RETRIES": "1", "NO_PROXY": "*"}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
        monkeypatch.setattr(
            install, "parts", lambda dev: [install.Part("far", "Installing from afar", ("there-is-no-such-thing==1",), "1")]
        )
        monkeypatch.setattr(install.machine, "to_install", lambda *_, **__: [])
        with pytest.raises(Problem, match="pip ended with 1") as failed:
            install.ensure()
    assert "The package index could not be reached" in failed.value.mend and "goes on where it stopped" in failed.value.mend


def test_a_live_step_becomes_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with terminal.Step("Migrating") as step:
        step.result = "Migrated"
    assert capsys.readouterr().out.strip().split("  ")[0].endswith("Migrated")
