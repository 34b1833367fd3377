"""``python -m dslm_studio.launch VERB``: the launcher inside .venv."""

import argparse
import os
import signal
import time

import psutil

from dslm_studio.launch import ports, programs, terminal, verbs
from dslm_studio.launch.install import home as home_folder
from dslm_studio.launch.instance import WORKERS, Studio, open_home, stop_runs
from dslm_studio.launch.state import Home, Instance, Recorded, clean_up
from dslm_studio.launch.terminal import Problem, Step


def main(arguments: list[str]) -> int:
    options = verbs.parse(arguments)
    try:
        return VERBS[options.verb](options)
    except Problem as error:
        terminal.problem(error)
        return 1
    except KeyboardInterrupt:
        return 130


def up(options: argparse.Namespace) -> int:
    return _serve(options, demo=False, exit_after=False)


def demo(options: argparse.Namespace) -> int:
    return _serve(options, demo=True, exit_after=options.exit_after)


def _serve(options: argparse.Namespace, *, demo: bool, exit_after: bool) -> int:
    port, host = ports.wanted_port(options.port), ports.wanted_host(options.host)
    home = open_home()
    if not home.lock():
        return _already_running(home, 1 if demo else 0)
    code = 0
    with Studio(home, host=host, port=port) as studio:
        studio.start()
        if studio.stopping:
            return 130
        studio.greet()
        if demo:
            code = studio.run_through("studio_demo")
            if code and not studio.stopping:
                terminal.bad(f"The demo did not finish (exit {code}).", f"Logs: {home.logs}")
            if exit_after or studio.stopping:
                return code
            studio.greet()
        terminal.note("Ctrl+C stops it.")
        studio.serve()
        terminal.say()
    return code


def _already_running(home: Home, code: int) -> int:
    """Say where the studio of this home runs; it may still be starting."""
    instance = home.read()
    deadline = time.monotonic() + 5
    while instance is None and time.monotonic() < deadline and home.locked():
        time.sleep(0.1)
        instance = home.read()
    if instance is None:
        raise Problem(f"Another launcher is busy with {home.folder}.", "Wait a moment and try again.")
    state = "It already runs" if instance.ready else "It is already starting"
    terminal.good(f"{state} at {terminal.bold(instance.url)} (process {instance.launcher.pid}).")
    terminal.say("  ./studio stop ends it." + (" The demo needs a studio of its own: stop this one first." if code else ""))
    return code


def status(options: argparse.Namespace) -> int:
    home = Home(home_folder())
    instance = home.read()
    if instance is None or not (home.locked() and instance.launcher.alive()):
        left = instance.orphans() if instance else {}
        if left:
            terminal.warn(f"The launcher was killed; still running: {', '.join(f'{n} ({c.pid})' for n, c in left.items())}.")
            terminal.say("  ./studio up takes over, ./studio stop ends them.")
        else:
            terminal.say(f"Nothing is running in {home.folder}.")
        return 1
    terminal.say(
        f"{terminal.bold(instance.url)}  since {time.strftime('%Y-%m-%d %H:%M', time.localtime(instance.began))}, in {home.folder}"
    )
    answers = _answers(home, instance)
    rows = [("launcher", instance.launcher), *instance.children.items()]
    all_well = instance.ready
    for name, child in rows:
        well = child.alive() and answers.get(name, True)
        all_well &= well
        words = "runs" if well else ("does not answer" if child.alive() else "is being started again")
        restarts = instance.restarts.get(name, 0)
        line = f"{name:<15} {words:<10} {child.pid:>8}  {_memory(child)}" + (f"  restarted {restarts}×" if restarts else "")
        terminal.good(line) if well else terminal.warn(line)
    for name in sorted(set(EXPECTED) - set(instance.children)):
        if name != "redis" or instance.redis_url:
            all_well = False
            terminal.warn(f"{name:<15} not running")
    return 0 if all_well else 1


EXPECTED = ("redis", "inference", "web", "worker-default", "worker-gpu", "scheduler")


def _answers(home: Home, instance: Instance) -> dict[str, bool]:
    found = {
        "web": programs.answers_http(instance.health),
        "inference": programs.answers_http(f"http://127.0.0.1:{instance.serve_port}/health"),
        **{name: programs.shows_life(home.sign(name)) for name in WORKERS},
    }
    if instance.redis_url:
        found["redis"] = programs.redis_answers(instance.redis_url)
    return found


def _memory(child: Recorded) -> str:
    """The memory of the process and its own children that share its session, in words."""
    try:
        process = psutil.Process(child.pid)
        family = [process, *process.children(recursive=True)] if child.pid > 1 else [process]
        own = [member for member in family if os.getsid(member.pid) == os.getsid(child.pid)]
        return f"{sum(member.memory_info().rss for member in own) / 10**6:>6.0f} MB"
    except (psutil.Error, ProcessLookupError):
        return "        ?"


def stop(options: argparse.Namespace) -> int:
    home = Home(home_folder())
    if not home.folder.is_dir():
        terminal.say("Nothing is running.")
        return 0
    instance = home.read()
    if home.locked():
        if instance is None or not instance.launcher.alive():
            raise Problem("A launcher holds this home but has not said yet who it is.", "Wait a moment and try again.")
        with Step("Stopping") as step:
            step.detail = "running trainings save"
            os.kill(instance.launcher.pid, signal.SIGTERM)
            grace = programs.given("STUDIO_STOP_GRACE")
            deadline = time.monotonic() + (int(grace) if grace.isdigit() else 60) + 90
            while home.locked():
                if time.monotonic() > deadline:
                    raise Problem(f"Process {instance.launcher.pid} has not stopped.", f"Its logs: {home.logs}")
                time.sleep(0.1)
            step.result = "Stopped"
        return 0
    if instance is None:
        terminal.say("Nothing is running.")
        return 0
    return _stop_what_is_left(home, instance)


def _stop_what_is_left(home: Home, instance: Instance) -> int:
    """The launcher was killed: let trainings save, then end what it had started."""
    if not home.lock():
        raise Problem("A launcher is just starting on this home.", "Wait a moment and try again.")
    try:
        with Step("Stopping what a killed launcher left behind") as step:
            # Trainings live on without their launcher, even when all its other processes are gone
            redis = instance.redis_url or programs.given("REDIS_URL")
            environment = programs.variables(home, host="127.0.0.1", port=instance.port, serve_port=instance.serve_port, redis=redis)
            stop_runs(environment)
            ended = clean_up(home, instance)
            step.result = f"Stopped: {', '.join(ended)}" if ended else "Nothing was running any more"
    finally:
        home.unlock()
    return 0


def test(options: argparse.Namespace) -> int:
    from dslm_studio.launch import testing

    return testing.run(fast=options.fast, arguments=options.pytest)


def doctor(options: argparse.Namespace) -> int:
    from dslm_studio.launch import doctor as examining

    return examining.run(as_json=options.as_json)


VERBS = {"up": up, "demo": demo, "status": status, "stop": stop, "test": test, "doctor": doctor}
