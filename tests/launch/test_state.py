import errno
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from dslm_studio.launch import ports, state
from dslm_studio.launch.install import ROOT
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
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", first[0]))
        taken.listen()
        second = ports.choose(home)
        assert second[0] != first[0] and second[1] == first[1]


def test_a_port_that_was_asked_for_and_is_taken_is_refused(home: Home) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(Problem, match="is taken") as refused:
            ports.choose(home, web=taken.getsockname()[1])
    assert "--port" in refused.value.mend


@pytest.mark.parametrize(
    ("error", "said", "mend"),
    [
        (OSError(errno.EADDRINUSE, "Address already in use"), "is taken", "--port"),
        (PermissionError(errno.EACCES, "Permission denied"), "may not be used by this user", "1024"),
        (OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address"), "no address of this machine", "--host"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "is unknown", "--host"),
        (OSError(errno.EAFNOSUPPORT, "Address family not supported"), "Address family not supported", "--host"),
    ],
)
def test_each_reason_why_a_port_cannot_be_had_has_its_own_mend(error: OSError, said: str, mend: str) -> None:
    problem = ports.explained(error, 80, "host.example")
    assert said in problem.message and mend in problem.mend


@pytest.mark.parametrize("host", ["192.0.2.1", "a..b"])
def test_a_host_that_is_not_this_machines_is_not_called_a_taken_port(home: Home, host: str) -> None:
    for web in (None, 8123):
        with pytest.raises(Problem, match=r"no address of this machine|unknown") as refused:
            ports.choose(home, host=host, web=web)
        assert "--host" in refused.value.mend


@pytest.mark.parametrize("host", ["*", "[::1]", "localhost"])
def test_a_host_is_asked_about_as_the_server_will_have_it(host: str) -> None:
    error = ports.refusal(0, host)
    assert error is None or (host == "[::1]" and error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT))


def test_a_port_that_only_root_may_use_is_not_called_taken() -> None:
    if Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text().strip() == "0":
        pytest.skip("every user of this machine may use every port")
    code = (
        "import os\n"
        "from dslm_studio.launch import ports\n"
        "os.geteuid() or os.setuid(65534)\n"  # root may have any port
        "print(ports.check(1, '127.0.0.1').value)\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert "Port 1 on 127.0.0.1 may not be used by this user" in answer.stdout, answer.stderr


def test_a_home_that_cannot_be_made_is_said_plainly(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Problem, match="cannot be written"):
        Home(tmp_path / "file" / "home").prepare()


def test_rotation_of_a_missing_log_does_nothing(home: Home) -> None:
    state.rotate(home.log("nothing"))
    assert not home.log("nothing").exists()
