import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from celery import Celery
from redis import Redis

from dslm_studio.launch import processes, programs
from dslm_studio.launch.install import ROOT
from dslm_studio.launch.instance import Studio
from dslm_studio.launch.processes import Program, Supervisor
from dslm_studio.launch.state import Home, Instance, recorded, started
from dslm_studio.launch.terminal import Problem
from dslm_studio.launch.testing import bare_environment

pytestmark = pytest.mark.slow  # starts real processes
Make = Callable[..., Program]


def until(condition: Callable[[], bool], supervisor: Supervisor | None = None, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        if supervisor:
            supervisor.look()
        time.sleep(0.02)


def test_it_starts_a_killed_program_again(supervisor: Supervisor, program: Make, capsys: pytest.CaptureFixture[str]) -> None:
    child = supervisor.start(program("sleeper"))
    supervisor.wait_ready(["sleeper"], 5)
    first = child.process.pid
    os.kill(first, signal.SIGKILL)
    until(lambda: child.process is not None and child.process.pid != first, supervisor)
    assert started(child.process.pid)
    assert "sleeper ended (SIGKILL); starting it again" in capsys.readouterr().out


def test_the_pause_before_a_further_start_grows(supervisor: Supervisor, program: Make) -> None:
    child = supervisor.start(program("brief", "raise SystemExit(3)"))
    child.was_ready = True
    pauses = []
    for deaths in (1, 2):
        until(lambda deaths=deaths: child.deaths == deaths, supervisor)
        pauses.append(child.start_at - time.monotonic())
    assert pauses[1] > pauses[0]


def test_it_gives_up_on_a_program_that_never_came_up_and_shows_its_log(supervisor: Supervisor, program: Make) -> None:
    supervisor.start(program("broken", "import sys; sys.exit('the port is taken')", ready=lambda: False))
    with pytest.raises(Problem, match=r"broken does not start \(exit 1\)[\s\S]*the port is taken"):
        supervisor.wait_ready(["broken"], 20)


def test_a_program_that_ignores_sigterm_is_killed_with_its_whole_group(supervisor: Supervisor, program: Make, home: Home) -> None:
    source = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "helper = subprocess.Popen([sys.executable, '-c', 'import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)'])\n"
        "print(helper.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    supervisor.start(program("stubborn", source, grace=0.5))
    log = home.log("stubborn")
    until(lambda: log.read_text().strip().isdigit())
    helper = int(log.read_text())
    time.sleep(0.3)
    assert supervisor.stop(["stubborn"]) == ["stubborn"]
    until(lambda: started(helper) is None)


def test_what_a_dead_leader_left_in_its_group_ends_with_it(supervisor: Supervisor, program: Make, home: Home) -> None:
    source = (
        "import subprocess, sys, time\n"
        "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    child = supervisor.start(program("parent", source))
    log = home.log("parent")
    until(lambda: log.read_text().strip().isdigit())
    helper = int(log.read_text())
    os.kill(child.process.pid, signal.SIGKILL)
    until(lambda: started(helper) is None, supervisor)


def test_stopping_touches_only_its_own(supervisor: Supervisor, program: Make) -> None:
    other = Supervisor()
    bystander = other.start(program("bystander"))
    try:
        supervisor.start(program("mine"))
        supervisor.stop(["mine"])
        assert bystander.process.poll() is None
    finally:
        other.stop(["bystander"])


def test_two_homes_run_side_by_side(tmp_path) -> None:
    supervisors, paths = [], []
    try:
        for name in ("one home", "another home"):
            home = Home(tmp_path / name)
            home.prepare()
            path, _ = programs.socket_path(home)
            paths.append(path)
            supervisor = Supervisor()
            supervisors.append(supervisor)
            supervisor.start(programs.redis(home, path))
            supervisor.wait_ready(["redis"], 10)
            Redis.from_url(programs.redis_url(path)).set("home", name)
        assert [Redis.from_url(programs.redis_url(path)).get("home") for path in paths] == [b"one home", b"another home"]
        supervisors[0].stop(["redis"])
        assert programs.answers_ping(paths[1])
    finally:
        for supervisor in supervisors:
            supervisor.stop(["redis"])


def test_redis_keeps_its_queue_when_it_is_killed(supervisor: Supervisor, home: Home) -> None:
    path, _ = programs.socket_path(home)
    url = programs.redis_url(path)
    child = supervisor.start(programs.redis(home, path))
    supervisor.wait_ready(["redis"], 10)
    Redis.from_url(url).rpush("queue", "work")
    time.sleep(1.3)  # it writes each second
    first = child.process.pid
    os.kill(first, signal.SIGKILL)
    until(lambda: child.process is not None and child.process.pid != first and programs.answers_ping(path), supervisor)
    assert Redis.from_url(url).lrange("queue", 0, -1) == [b"work"]


@pytest.mark.parametrize("name", ["plain", "with spaces", "umlaut ü, hash # and 100 %"])
def test_every_client_understands_the_socket_of_a_folder(tmp_path, supervisor: Supervisor, name: str) -> None:
    home = Home(tmp_path / name)
    home.prepare()
    path, folder = programs.socket_path(home)
    supervisor.start(programs.redis(home, path))
    supervisor.wait_ready(["redis"], 10)
    url = programs.redis_url(path)
    assert programs.redis_answers(url)
    assert Redis.from_url(url).ping()
    with Celery("probe", broker=url.replace("unix://", "redis+socket://")).connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, timeout=3)
    if folder:
        shutil.rmtree(folder)


def test_a_path_too_long_for_a_socket_gets_a_private_folder(tmp_path) -> None:
    home = Home(tmp_path / ("long" * 30))
    home.prepare()
    path, folder = programs.socket_path(home)
    assert folder is not None
    try:
        assert len(os.fsencode(path)) <= programs.SOCKET_PATH_LIMIT
        assert folder.stat().st_mode & 0o777 == 0o700
    finally:
        folder.rmdir()


def test_other_processes_find_the_redis_in_a_temporary_folder(tmp_path: Path, supervisor: Supervisor) -> None:
    home = Home(tmp_path / ("long" * 30))
    home.prepare()
    path, folder = programs.socket_path(home)
    assert folder is not None
    url, me = programs.redis_url(path), recorded(os.getpid())
    home.write(Instance(launcher=me, url="", health="", serve_url="", redis_url=url, port=1, serve_port=2, began=0, temporary=str(folder)))
    try:
        supervisor.start(programs.redis(home, path))
        supervisor.wait_ready(["redis"], 10)
        environment = bare_environment() | {"STUDIO_HOME": str(home.folder)}
        code = "from django.core.cache import cache; cache.set('found', 'yes'); print(cache.get('found'))"
        command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", code]
        answer = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert answer.stdout.strip() == "yes", answer.stderr
    finally:
        supervisor.stop(["redis"])
        shutil.rmtree(folder)


@pytest.fixture
def broker(home: Home, supervisor: Supervisor) -> dict[str, str]:
    """The environment of a studio whose Redis runs."""
    path, _ = programs.socket_path(home)
    supervisor.start(programs.redis(home, path))
    supervisor.wait_ready(["redis"], 10)
    return programs.variables(home, host="127.0.0.1", port=1, serve_port=2, redis=programs.redis_url(path))


def test_workers_and_scheduler_are_ready_when_they_work_and_show_life_from_then_on(
    home: Home, supervisor: Supervisor, broker: dict[str, str]
) -> None:
    supervisor.start(programs.worker(home, broker, "gpu", 1))
    supervisor.start(programs.scheduler(home, broker))
    signs = [home.sign("worker-gpu"), home.sign("scheduler")]
    assert not any(programs.shows_life(sign) for sign in signs)
    supervisor.wait_ready(["worker-gpu", "scheduler"], 60)
    ready = [sign.stat().st_mtime for sign in signs]
    until(lambda: all(sign.stat().st_mtime > then for sign, then in zip(signs, ready, strict=True)), seconds=15)
    long_ago = time.time() - 60
    os.kill(supervisor.children["worker-gpu"].process.pid, signal.SIGSTOP)
    os.utime(signs[0], (long_ago, long_ago))
    try:
        assert [programs.shows_life(sign) for sign in signs] == [False, True]
    finally:
        os.kill(supervisor.children["worker-gpu"].process.pid, signal.SIGCONT)


@pytest.mark.parametrize("name", ["worker-gpu", "scheduler"])
def test_it_gives_up_on_a_worker_or_scheduler_that_cannot_be_imported(
    home: Home, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(processes, "BACK_OFF", (0.01,))
    environment = programs.variables(home, host="127.0.0.1", port=1, serve_port=2, redis="") | {"DJANGO_SETTINGS_MODULE": "nowhere"}
    home.sign(name).touch()  # what an earlier start left says nothing of this one
    supervisor.start(programs.scheduler(home, environment) if name == "scheduler" else programs.worker(home, environment, "gpu", 1))
    with pytest.raises(Problem, match=rf"{name} does not start [\s\S]*nowhere"):
        supervisor.wait_ready([name], 60)


@pytest.mark.parametrize(("slots", "watchers"), [("", "1"), ("3", "3")])
def test_the_gpu_worker_watches_as_many_trainings_as_may_run(
    home: Home, monkeypatch: pytest.MonkeyPatch, slots: str, watchers: str
) -> None:
    monkeypatch.setenv("STUDIO_GPU_SLOTS", slots)
    monkeypatch.delenv("REDIS_URL", raising=False)
    started = []
    monkeypatch.setattr(Supervisor, "start", lambda self, program: started.append(program))
    monkeypatch.setattr(Supervisor, "wait_ready", lambda *_: None)
    monkeypatch.setattr(Studio, "_manage", lambda *_: "")
    Studio(home, host="127.0.0.1", port=None).start()
    command = next(program.command for program in started if program.name == "worker-gpu")
    assert command[command.index("-c") + 1] == watchers


@pytest.mark.parametrize("text", ["two", "0", "-1"])
def test_gpu_slots_that_are_no_number_are_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("STUDIO_GPU_SLOTS", text)
    with pytest.raises(Problem, match="STUDIO_GPU_SLOTS"):
        programs.gpu_slots()


def test_the_inference_server_starts_without_secrets(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://user:password@host/db")
    everything = programs.variables(home, host="127.0.0.1", port=8100, serve_port=8101, redis="unix:///x")
    known = programs.inference_environment(everything, home)
    assert everything["DATABASE_URL"] and everything["STUDIO_SECRET_KEY"]
    assert not {"DATABASE_URL", "STUDIO_SECRET_KEY", "REDIS_URL"} & known.keys()
    assert known["STUDIO_SERVE_SECRET"] == everything["STUDIO_SERVE_SECRET"]
