import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dslm_studio.launch import ports, state
from dslm_studio.launch.state import Home, Instance, Recorded, clean_up, recorded
from dslm_studio.launch.terminal import Problem


def sleeper() -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)


def instance_of(launcher: Recorded, **children: Recorded) -> Instance:
    return Instance(launcher=launcher, url="", health="", serve_url="", redis_url="", port=1, serve_port=2, began=0, children=children)


def test_a_second_launcher_does_not_get_the_lock(home: Home) -> None:
    assert home.lock()
    second = Home(home.folder)
    assert not second.lock()
    assert second.locked()
    home.unlock()
    assert not second.locked()
    assert second.lock()
    second.unlock()


def test_the_lock_of_a_killed_launcher_is_free(home: Home) -> None:
    source = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from dslm_studio.launch.state import Home\n"
        "home = Home(Path(sys.argv[1]))\n"
        "print(home.lock(), flush=True)\n"
        "time.sleep(600)\n"
    )
    launcher = subprocess.Popen([sys.executable, "-c", source, str(home.folder)], stdout=subprocess.PIPE, text=True)
    assert launcher.stdout is not None and launcher.stdout.readline().strip() == "True"
    assert home.locked()
    launcher.kill()
    launcher.communicate()
    assert not home.locked()


def test_what_a_killed_launcher_left_is_ended_and_nothing_else(home: Home) -> None:
    launcher, left, reused = sleeper(), sleeper(), sleeper()
    stale = Recorded(pid=reused.pid, started="another:start")  # the id was used again by somebody else
    home.write(instance_of(recorded(launcher.pid), left=recorded(left.pid), reused=stale))
    launcher.kill()
    launcher.wait()
    try:
        instance = home.read()
        assert instance is not None
        assert list(instance.orphans()) == ["left"]
        assert clean_up(home, instance, grace=5) == ["left"]
        assert left.wait(5) == -signal.SIGTERM
        assert reused.poll() is None
        assert home.read() is None
    finally:
        for process in (left, reused):
            process.kill()
            process.wait()


def test_children_of_a_living_launcher_are_no_orphans() -> None:
    child = sleeper()
    try:
        assert instance_of(recorded(os.getpid()), child=recorded(child.pid)).orphans() == {}
    finally:
        child.kill()
        child.wait()


def test_a_zombie_counts_as_gone() -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    record = recorded(child.pid)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not record.alive()
    child.wait()


def test_secrets_and_state_are_readable_by_their_owner_alone(home: Home) -> None:
    key = home.secret_key()
    home.write(instance_of(recorded(os.getpid())))
    assert len(key) > 50 and home.secret_key() == key
    for file in (home.secret_file, home.state_file):
        assert file.stat().st_mode & 0o777 == 0o600
    assert home.redis.stat().st_mode & 0o777 == 0o700


def test_a_half_written_state_file_counts_as_none(home: Home) -> None:
    home.state_file.write_text('{"launcher": {"pid"')
    assert home.read() is None


def test_a_large_log_is_moved_aside_under_its_writer(home: Home) -> None:
    log = home.log("web")
    with open(log, "ab", buffering=0) as writer:
        writer.write(b"x" * 2000)
        state.rotate(log, limit=1000)
        writer.write(b"after\n")
    assert log.read_bytes() == b"after\n"
    assert (home.logs / "web.log.1").stat().st_size == 2000


def test_ports_are_kept_while_they_are_free(home: Home) -> None:
    first = ports.choose(home)
    assert ports.choose(home) == first
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", first[0]))
        taken.listen()
        second = ports.choose(home)
        assert second[0] != first[0] and second[1] == first[1]


def test_a_port_that_was_asked_for_and_is_taken_is_refused(home: Home) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(Problem, match="is taken") as refused:
            ports.choose(home, web=taken.getsockname()[1])
    assert "--port" in refused.value.mend


def test_a_home_that_cannot_be_made_is_said_plainly(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Problem, match="cannot be written"):
        Home(tmp_path / "file" / "home").prepare()


def test_rotation_of_a_missing_log_does_nothing(home: Home) -> None:
    state.rotate(home.log("nothing"))
    assert not home.log("nothing").exists()
