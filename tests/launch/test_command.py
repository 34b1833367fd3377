"""The launcher by its real command."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import Mock

import pytest

from dslm_studio.launch import bootstrap, install, machine
from dslm_studio.launch.instance import Studio
from dslm_studio.launch.state import Home
from dslm_studio.launch.terminal import Problem
from dslm_studio.launch.testing import bare_environment
from engine import probes

ROOT = Path(__file__).resolve().parents[2]


def studio(*arguments: str, root: Path = ROOT, home: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """``./studio`` with these arguments; in another clone with a Python that has nothing but its standard library."""
    variables = bare_environment() | environment
    if home:
        variables["STUDIO_HOME"] = str(home)
    python = [sys.executable] if root == ROOT else [sys.executable, "-S"]
    return subprocess.run([*python, str(root / "studio"), *arguments], capture_output=True, text=True, env=variables, timeout=60)


@pytest.fixture
def bare_clone(tmp_path: Path) -> Path:
    """A copy of what the launcher needs, not installed, in a folder with spaces."""
    clone = tmp_path / "a bare clone"
    (clone / "dslm_studio").mkdir(parents=True)
    shutil.copy(ROOT / "studio", clone)
    for package in ("dslm_studio/launch", "engine"):
        shutil.copytree(ROOT / package, clone / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file in (*ROOT.glob("requirements*.txt"), ROOT / "constraints.txt"):
        shutil.copy(file, clone)
    return clone


@pytest.fixture
def empty_path(tmp_path: Path) -> str:
    """A PATH without any program, so that nothing can be installed."""
    (tmp_path / "bin").mkdir()
    return str(tmp_path / "bin")


def test_an_unknown_verb_is_refused_before_anything_is_installed(bare_clone: Path) -> None:
    answer = studio("dance", root=bare_clone)
    assert answer.returncode == 2 and "invalid choice" in answer.stderr
    assert not (bare_clone / ".venv").exists()


def test_doctor_works_before_the_installation(bare_clone: Path) -> None:
    answer = studio("doctor", "--json", root=bare_clone)
    found = json.loads(answer.stdout)
    assert answer.returncode == 1
    assert found["installed"] is False and "torch" in found["outstanding"]
    assert {check["name"] for check in found["checks"]} >= {"system", "Python", "C++ compiler", "cmake", "memory", "disk", "ports"}


def test_status_and_stop_say_that_nothing_runs_before_the_installation(bare_clone: Path) -> None:
    assert studio("status", root=bare_clone).returncode == 1
    assert studio("stop", root=bare_clone).returncode == 0


def test_everything_that_is_missing_is_named_at_once(bare_clone: Path, empty_path: str) -> None:
    answer = studio("up", root=bare_clone, PATH=empty_path)
    assert answer.returncode == 1
    assert "C++ compiler: missing" in answer.stdout and "cmake: missing" in answer.stdout
    assert "Traceback" not in answer.stdout + answer.stderr
    assert not (bare_clone / ".venv").exists()


def test_a_taken_port_is_said_before_the_installation(bare_clone: Path, empty_path: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert f"Port {port} on 127.0.0.1 is taken" in studio("up", "--port", port, root=bare_clone, PATH=empty_path).stdout
        assert f"Port {port} on 127.0.0.1 is taken" in studio("demo", root=bare_clone, PATH=empty_path, STUDIO_PORT=port).stdout
    assert "no address of this machine" in studio("up", "--host", "192.0.2.1", root=bare_clone, PATH=empty_path).stdout


def test_a_missing_chromium_is_said_before_the_installation(bare_clone: Path, empty_path: str) -> None:
    assert "Chromium: missing" in studio("test", root=bare_clone, PATH=empty_path, STUDIO_CHROMIUM="").stdout
    assert "Chromium" not in studio("test", "--fast", root=bare_clone, PATH=empty_path, STUDIO_CHROMIUM="").stdout
    named = studio("test", root=bare_clone, PATH=empty_path, STUDIO_CHROMIUM="/nowhere/chromium").stdout
    assert "/nowhere/chromium, which is no program" in named


@pytest.mark.parametrize(("need", "said"), [("DISK_TO_SERVE", "disk: "), ("MEMORY", "memory: ")])
def test_what_serving_needs_is_said_before_the_installation_and_at_each_start(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], need: str, said: str
) -> None:
    monkeypatch.setenv("STUDIO_HOME", str(home.folder))
    monkeypatch.delenv("STUDIO_SKIP_CHECKS", raising=False)
    monkeypatch.setattr(bootstrap, "signal", Mock())  # the launcher's handlers are not for the tests' process
    monkeypatch.setattr(machine, need, 10**18)
    monkeypatch.setattr(install, "outstanding", lambda dev: install.parts(dev=dev))
    monkeypatch.setattr(install, "_install", lambda todo: pytest.fail("it went on to install"))
    assert bootstrap.main(["up"]) == 1
    assert said in capsys.readouterr().out
    assert home.lock()
    with pytest.raises(Problem, match=said), Studio(home, host="127.0.0.1", port=None) as studio:
        studio.start()


def test_a_finding_can_be_skipped_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STUDIO_SKIP_CHECKS", raising=False)
    lacking = [machine.Check("memory", False, "2 GB"), machine.Check("git", False, "missing", needed=False)]
    with pytest.raises(Problem, match="memory"):
        machine.demand(lacking, "")
    monkeypatch.setenv("STUDIO_SKIP_CHECKS", "cmake, memory")
    machine.demand(lacking, "")


@pytest.mark.parametrize(("system", "kind"), [("Darwin", "arm64"), ("Linux", "aarch64")])
def test_another_kind_of_machine_is_warned_of_before_the_installation_and_not_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, system: str, kind: str
) -> None:
    monkeypatch.setattr(machine.platform, "system", lambda: system)
    monkeypatch.setattr(machine.platform, "machine", lambda: kind)
    checks = machine.to_install(tmp_path, tmp_path, everything=False)
    machine.demand(checks, "Nothing was installed.")
    assert f"system: {system} on {kind}. DSLM Studio is developed and tested on Linux on x86_64" in capsys.readouterr().out


def test_doctor_is_truthful(tmp_path: Path) -> None:
    answer = studio("doctor", "--json", home=tmp_path)
    found = json.loads(answer.stdout)
    assert found["machine"]["cores"] == probes.cores()
    assert abs(found["machine"]["disk_free_bytes"] - shutil.disk_usage(tmp_path).free) < 10**9
    libraries = {row["name"]: row for row in found["libraries"]}
    import django

    assert libraries["Django"]["installed"] == django.__version__
    needed = [check["ok"] for check in found["checks"] if check["needed"]]
    assert found["ok"] == (all(needed) and all(row["ok"] for row in found["libraries"]))
    assert answer.returncode == (0 if found["ok"] else 1)
    redis = next(check for check in found["checks"] if check["name"] == "Redis")
    assert redis["ok"] and redis["value"].startswith("6.2")
    import engine.registry

    assert {row["key"] for row in found["stages"]} == {info.key for info in engine.registry.all_stages()}


def test_doctor_sees_a_taken_port(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        answer = studio("doctor", "--json", home=tmp_path, STUDIO_PORT=str(taken.getsockname()[1]))
    found = next(check for check in json.loads(answer.stdout)["checks"] if check["name"] == "ports")
    assert answer.returncode == 1 and not found["ok"] and "taken" in found["value"]


def test_doctor_asks_the_redis_that_would_be_used(tmp_path: Path) -> None:
    answer = studio("doctor", "--json", home=tmp_path, REDIS_URL="redis://:secret@127.0.0.1:9/0")
    found = next(check for check in json.loads(answer.stdout)["checks"] if check["name"] == "Redis")
    assert answer.returncode == 1 and not found["ok"] and "does not answer" in found["value"]
    assert "secret" not in answer.stdout


def test_doctor_says_why_a_model_cannot_be_quantised_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from dslm_studio.launch import doctor

    monkeypatch.setattr(doctor, "TOOLS", tmp_path)
    stages, _ = doctor.list_stages()
    assert {row["key"]: row["missing"] for row in stages if not row["available"]} == {"quantize": ["the GGUF converter"]}
    assert not doctor.check_converter().ok


@pytest.mark.parametrize(("cuda", "said"), [(False, 1), (True, 0)])
def test_doctor_says_when_pytorch_cannot_use_the_gpu(monkeypatch: pytest.MonkeyPatch, cuda: bool, said: int) -> None:
    from dslm_studio.launch import doctor

    monkeypatch.setattr(probes, "torch_has_cuda", lambda: cuda)
    assert len(doctor.check_gpus([{"name": "H200", "memory_bytes": 1}])) == said
    assert doctor.check_gpus([]) == []


def test_no_colour_and_no_live_lines_without_a_terminal(tmp_path: Path) -> None:
    assert "\033" not in studio("doctor", home=tmp_path).stdout


@pytest.mark.slow
def test_it_starts_says_where_it_runs_and_stops_without_a_trace(tmp_path: Path) -> None:
    import urllib.request

    home = tmp_path / "the home of one"
    variables = bare_environment() | {"STUDIO_HOME": str(home)}
    launcher = subprocess.Popen(
        [sys.executable, "-m", "dslm_studio.launch", "up"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=variables,
        cwd=ROOT,
    )
    try:
        state = home / "studio.json"
        deadline = time.monotonic() + 120
        while not (state.exists() and json.loads(state.read_text())["ready"]):
            assert launcher.poll() is None, launcher.stdout.read()
            assert time.monotonic() < deadline
            time.sleep(0.2)
        recorded = json.loads(state.read_text())
        pids = [child["pid"] for child in recorded["children"].values()]
        assert set(recorded["children"]) == {"redis", "inference", "web", "worker-default", "worker-gpu", "scheduler"}
        with urllib.request.urlopen(f"http://127.0.0.1:{recorded['port']}/healthz", timeout=5) as answer:
            assert json.load(answer)["ok"]
        second = studio("up", home=home)
        assert second.returncode == 0 and recorded["url"] in second.stdout
        deadline = time.monotonic() + 20
        while (seen := studio("status", home=home)).returncode and time.monotonic() < deadline:
            time.sleep(0.5)
        assert seen.returncode == 0, seen.stdout
        worker, sign = recorded["children"]["worker-gpu"]["pid"], home / "alive" / "worker-gpu"
        os.kill(worker, signal.SIGSTOP)
        os.utime(sign, (0, 0))  # as if it had hung for long
        seen = studio("status", home=home)
        os.kill(worker, signal.SIGCONT)
        assert seen.returncode == 1 and re.search(r"worker-gpu +does not answer", seen.stdout)
        assert studio("stop", home=home).returncode == 0
        output, _ = launcher.communicate(timeout=30)
    finally:
        launcher.terminate()
        launcher.wait(120)
    assert "Sign in" in output and recorded["url"] in output
    assert not state.exists() and not (home / "redis" / "redis.sock").exists()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
