"""One running studio: start everything in order, watch it, stop everything."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from dslm_studio.launch import machine, ports, programs, terminal
from dslm_studio.launch.files import read_json, write_private
from dslm_studio.launch.install import ROOT
from dslm_studio.launch.install import home as home_folder
from dslm_studio.launch.processes import Child, Supervisor
from dslm_studio.launch.state import Home, Instance, clean_up, recorded
from dslm_studio.launch.terminal import Problem, Step

WORKERS = ("scheduler", "worker-gpu", "worker-default")  # in the order they are stopped
LOOK_EVERY = 0.2  # seconds
START_PATIENCE = 120.0  # seconds until all must answer
STOP_PATIENCE = 30.0  # seconds beyond STUDIO_STOP_GRACE for running trainings to save
OWNER = "owner@studio.local"


class Studio:
    """The processes of one STUDIO_HOME, from lock to unlock. Use as a context manager: leaving it stops everything."""

    def __init__(self, home: Home, *, host: str, port: int | None) -> None:
        self.home, self.host, self.asked_port = home, host, port
        self.supervisor = Supervisor(changed=self._record)
        self.environment: dict[str, str] = {}
        self.instance: Instance | None = None
        self.ended_by: int | None = None  # the signal that asked to stop
        self.impatient = False
        self._handlers: dict[int, object] = {}

    # --- signals ---

    def __enter__(self) -> "Studio":
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._handlers[number] = signal.signal(number, self._asked_to_stop)
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        finally:
            for number, handler in self._handlers.items():
                signal.signal(number, handler)  # type: ignore[arg-type]
            self.home.unlock()

    def _asked_to_stop(self, number: int, _: FrameType | None) -> None:
        self.impatient = self.ended_by is not None and number == signal.SIGINT
        self.ended_by = self.ended_by or number

    @property
    def stopping(self) -> bool:
        return self.ended_by is not None

    # --- starting ---

    def start(self) -> None:
        """Bring everything up, or raise ``Problem``. Returns early when asked to stop."""
        earlier = self.home.read()
        if earlier:
            ended = clean_up(self.home, earlier)
            if ended:
                terminal.note(f"Ended what an earlier studio had left running: {', '.join(ended)}.")
        machine.demand(machine.to_serve(self.home.folder), "Nothing was started.")
        gpu_slots = programs.gpu_slots()
        port, serve_port = ports.choose(self.home, host=self.host, web=self.asked_port)
        given_redis, folder, path = programs.given("REDIS_URL"), None, None
        if not given_redis:
            path, folder = programs.socket_path(self.home)
        redis_url = given_redis or programs.redis_url(path or Path())
        self.environment = programs.variables(self.home, host=self.host, port=port, serve_port=serve_port, redis=redis_url)
        self.instance = Instance(
            launcher=recorded(os.getpid()),
            url=self.environment["STUDIO_URL"],
            serve_url=self.environment["STUDIO_SERVE_URL"],
            redis_url=redis_url if not given_redis else "",
            health=programs.health_url(self.host, port),
            port=port,
            serve_port=serve_port,
            began=time.time(),
            temporary=str(folder) if folder else None,
        )
        self._record()
        if path:
            self.supervisor.start(programs.redis(self.home, path))
        self.supervisor.start(programs.inference(self.home, self.environment, serve_port))
        with Step("Preparing the database and the pages"):
            self._manage("migrate", "--noinput")
            self._collect_static()
        if self.stopping:
            return
        with Step("Starting the processes") as step:
            if path:
                self.supervisor.wait_ready(["redis"], 20, lambda: self.stopping)
            elif not programs.redis_answers(redis_url):
                raise Problem(
                    "The Redis named by REDIS_URL does not answer.", "Start it, or unset REDIS_URL to use the one that comes along."
                )
            self.supervisor.start(programs.web(self.home, self.environment, self.host, port))
            self.supervisor.start(programs.worker(self.home, self.environment, "default", programs.default_slots()))
            self.supervisor.start(programs.worker(self.home, self.environment, "gpu", gpu_slots))
            self.supervisor.start(programs.scheduler(self.home, self.environment))
            waiting = ["inference", "web", "worker-default", "worker-gpu", "scheduler"]
            self.supervisor.wait_ready(waiting, START_PATIENCE, lambda: self.stopping)
            step.result = "Running: " + ", ".join(self.supervisor.children)
        if self.instance:
            self.instance.ready = not self.stopping
            self._record()

    def _manage(self, *arguments: str) -> str:
        """Run ``manage.py`` with the studio's environment; what it printed. Raises ``Problem`` when it fails."""
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "manage.py"), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
            cwd=ROOT,
            start_new_session=True,  # Ctrl+C is for the launcher: a migration is not to be cut in two
        )
        output, errors = process.communicate()
        if process.returncode:
            end = "\n".join((output + errors).strip().splitlines()[-8:])
            raise Problem(f"manage.py {arguments[0]} failed:\n{end}", "Mend what it says and start again.")
        return output

    def _collect_static(self) -> None:
        """Collect the pages' files when one of them has changed."""
        stamp = self.home.folder / "static.json"
        print_now = static_fingerprint()
        if read_json(stamp).get("sources") == print_now and (self.home.folder / "static").is_dir():
            return
        self._manage("collectstatic", "--noinput", "--clear")
        write_private(stamp, json.dumps({"sources": print_now}))

    def _record(self) -> None:
        if self.instance is None:
            return
        children: list[Child] = list(self.supervisor.children.values())
        self.instance.children = {child.program.name: child.record for child in children if child.record and child.process}
        self.instance.restarts = {child.program.name: child.deaths for child in children if child.deaths}
        self.home.write(self.instance)

    # --- serving ---

    def sign_in_link(self) -> tuple[str, str]:
        """The first owner's address and a sign-in link that works once."""
        text = self._manage("studio_first_owner", "--email", programs.given("STUDIO_OWNER_EMAIL") or OWNER)
        found = json.loads(text.strip().splitlines()[-1])
        return found["email"], found["sign_in_link"]

    def greet(self) -> None:
        assert self.instance is not None
        email, link = self.sign_in_link()
        terminal.say()
        terminal.say(f"  {terminal.bold('DSLM Studio')}  {self.instance.url}")
        terminal.say(f"  Sign in      {link}")
        terminal.say(terminal.dim(f"               as {email}; the link works once"))
        terminal.say()
        if self.host not in ("127.0.0.1", "localhost", "::1") and self.instance.url.startswith("http://"):
            terminal.warn(
                "Other machines can reach it, over plain HTTP: passwords travel readable. Put HTTPS in front (README, Configuration)."
            )

    def serve(self) -> None:
        """Watch until asked to stop."""
        while not self.stopping:
            self.supervisor.look()
            time.sleep(LOOK_EVERY)

    def run_through(self, *arguments: str) -> int:
        """Run a ``manage.py`` command in this terminal while watching the rest. Its exit code; 130 when asked to stop."""
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "manage.py"), *arguments],
            stdin=subprocess.DEVNULL,
            env=self.environment,
            cwd=ROOT,
            start_new_session=True,
        )
        try:
            while process.poll() is None and not self.stopping:
                self.supervisor.look()
                time.sleep(LOOK_EVERY)
            if process.returncode is not None:
                return process.returncode
        finally:
            if process.poll() is None:
                _end_group(process, signal.SIGTERM, 8)
        return 130

    # --- stopping ---

    def stop(self) -> None:
        """Stop all that was started and nothing else: trainings save first, then everything in reverse order."""
        if self.instance is None:
            return
        running = list(self.supervisor.children)
        if running:
            with Step("Stopping") as step:
                # First the workers stop taking new work, then running trainings save, and their watchers come to an end.
                for name in WORKERS:
                    if name in self.supervisor.children:
                        self.supervisor.children[name].terminate()
                self._stop_runs(step)
                step.detail = ""
                rest = [name for name in reversed(running) if name not in WORKERS and name != "redis"]
                killed = self.supervisor.stop([*WORKERS, *rest])
                killed += self.supervisor.stop(["redis"])  # all the others rely on it
                step.result = "Stopped" + (f"; had to be killed: {', '.join(killed)}" if killed else "")
        if self.instance.temporary:
            shutil.rmtree(self.instance.temporary, ignore_errors=True)
        self.home.forget()
        self.instance = None

    def _stop_runs(self, step: Step) -> None:
        if "worker-default" not in self.supervisor.children:
            return  # it never came so far that a training could run
        step.detail = "running trainings save"
        stop_runs(self.environment, impatient=lambda: self.impatient)


def stop_runs(environment: dict[str, str], impatient: Callable[[], bool] = lambda: False) -> None:
    """Ask every live run of this home to save and stop, and wait until they have."""
    if not (ROOT / "runs" / "management" / "commands" / "runs_stop_all.py").is_file():
        return
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), "runs_stop_all"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=ROOT,
        start_new_session=True,
    )
    grace = environment.get("STUDIO_STOP_GRACE", "")
    deadline = time.monotonic() + (int(grace) if grace.isdigit() else 60) + STOP_PATIENCE
    while process.poll() is None and time.monotonic() < deadline and not impatient():
        time.sleep(0.05)
    if process.poll() is None:
        _end_group(process, signal.SIGTERM, 2)
        terminal.warn("Running trainings did not all save in time; they go on from their last checkpoint.")
    elif process.returncode and process.stderr:
        end = process.stderr.read().strip().splitlines()[-1:]
        terminal.warn(f"Running trainings could not be asked to stop: {' '.join(end)}")


def _end_group(process: subprocess.Popen[str] | subprocess.Popen[bytes], first: signal.Signals, grace: float) -> None:
    """Signal a process we started, then kill the group it leads."""
    process.send_signal(first)
    try:
        process.wait(grace)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def static_fingerprint() -> str:
    """Changes with any file that ``collectstatic`` would copy: ours by time and size, the libraries' by what is installed."""
    found = hashlib.sha256((ROOT / "requirements.txt").read_bytes())
    settings = ROOT / "dslm_studio" / "settings.py"
    folders = [ROOT / "static", *sorted(ROOT.glob("*/static"))]
    for file in [settings, *(file for folder in folders for file in sorted(folder.rglob("*")) if file.is_file())]:
        facts = file.stat()
        found.update(f"{file.relative_to(ROOT)}:{facts.st_size}:{facts.st_mtime_ns}\n".encode())
    return found.hexdigest()


def open_home() -> Home:
    home = Home(home_folder())
    home.prepare()
    return home
