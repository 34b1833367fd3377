"""The launcher by its real command."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def studio(*arguments: str, root: Path = ROOT, home: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {name: value for name, value in os.environ.items() if not name.startswith("STUDIO_")} | environment
    if home:
        variables["STUDIO_HOME"] = str(home)
    return subprocess.run([sys.executable, str(root / "studio"), *arguments], capture_output=True, text=True, env=variables, timeout=60)


@pytest.fixture
def bare_clone(tmp_path: Path) -> Path:
    """A copy of what the launcher needs, not installed, in a folder with spaces."""
    clone = tmp_path / "a bare clone"
    (clone / "dslm_studio").mkdir(parents=True)
    shutil.copy(ROOT / "studio", clone)
    shutil.copytree(ROOT / "dslm_studio" / "launch", clone / "dslm_studio" / "launch", ignore=shutil.ignore_patterns("__pycache__"))
    for file in ROOT.glob("requirements*.txt"):
        shutil.copy(file, clone)
    return clone


def test_an_unknown_verb_is_refused_before_anything_is_installed(bare_clone: Path) -> None:
    answer = studio("dance", root=bare_clone)
    assert answer.returncode == 2 and "invalid choice" in answer.stderr
    assert not (bare_clone / ".venv").exists()


def test_doctor_works_before_the_installation(bare_clone: Path) -> None:
    answer = studio("doctor", "--json", root=bare_clone)
    found = json.loads(answer.stdout)
    assert answer.returncode == 1
    assert found["installed"] is False and "torch" in found["outstanding"]
    assert {check["name"] for check in found["checks"]} >= {"Python", "C++ compiler", "cmake", "memory", "disk"}


def test_status_and_stop_say_that_nothing_runs_before_the_installation(bare_clone: Path) -> None:
    assert studio("status", root=bare_clone).returncode == 1
    assert studio("stop", root=bare_clone).returncode == 0


def test_everything_that_is_missing_is_named_at_once(bare_clone: Path, tmp_path: Path) -> None:
    empty = tmp_path / "bin"
    empty.mkdir()
    answer = studio("up", root=bare_clone, PATH=str(empty))
    assert answer.returncode == 1
    assert "C++ compiler: missing" in answer.stdout and "cmake: missing" in answer.stdout
    assert "Traceback" not in answer.stdout + answer.stderr
    assert not (bare_clone / ".venv").exists()


def test_doctor_is_truthful(tmp_path: Path) -> None:
    answer = studio("doctor", "--json", home=tmp_path)
    found = json.loads(answer.stdout)
    assert found["machine"]["cores"] == len(os.sched_getaffinity(0))
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
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        answer = studio("doctor", "--json", home=tmp_path, STUDIO_PORT=str(taken.getsockname()[1]))
    found = next(check for check in json.loads(answer.stdout)["checks"] if check["name"] == "ports")
    assert answer.returncode == 1 and not found["ok"] and "taken" in found["value"]


def test_no_colour_and_no_live_lines_without_a_terminal(tmp_path: Path) -> None:
    assert "\033" not in studio("doctor", home=tmp_path).stdout


@pytest.mark.slow
def test_it_starts_says_where_it_runs_and_stops_without_a_trace(tmp_path: Path) -> None:
    import urllib.request

    home = tmp_path / "the home of one"
    variables = {name: value for name, value in os.environ.items() if not name.startswith("STUDIO_")} | {"STUDIO_HOME": str(home)}
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
        assert studio("stop", home=home).returncode == 0
        output, _ = launcher.communicate(timeout=30)
    finally:
        launcher.terminate()
        launcher.wait(120)
    assert "Sign in" in output and recorded["url"] in output
    assert not state.exists() and not (home / "redis" / "redis.sock").exists()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
