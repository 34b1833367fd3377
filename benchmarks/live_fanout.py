"""How fast and how surely events reach many browsers: `python -m benchmarks.live_fanout [--clients 200] [--seconds 60] [--json FILE]`.

One web process with the studio's real ASGI application, a real Redis, SQLite; a process that writes a training's events and brings them
into the database as a run's supervisor does; and as many WebSockets on that run. Measured from the time that the engine puts on an event
to its arrival.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil

from benchmarks import report
from benchmarks.seeded_studio import studio

LIMIT = 0.5  # seconds
TICK = 0.1  # seconds between two looks of a supervisor at what its engine has said
PATIENCE = 30.0


def write(run_id: UUID, seconds: float, pace: float) -> None:
    """Engine and supervisor: for ``seconds``, ``pace`` steps a second, each with its metrics and progress, now and then a sample."""
    import django

    django.setup()
    from engine.events import EventWriter
    from runs.ingesting import ingest
    from runs.models import Run

    run = Run.objects.get(pk=run_id)
    say, begun, step = EventWriter(run.attempt_folder), time.monotonic(), 0
    while (passed := time.monotonic() - begun) < seconds:
        while step < passed * pace:
            step += 1
            values = dict.fromkeys(("train_loss", "learning_rate", "grad_norm", "tokens_per_second", "memory_bytes"), 2 + 1 / step)
            say.write("metric", step=step, values=values)
            say.write("progress", done=step, total=int(seconds * pace), unit="steps", rate=pace, seconds_left=seconds - passed)
            if step % 20 == 0:
                say.write("sample", title=f"After step {step}", prompt="What does it do?", text="It wraps a block. " * 8)
        ingest(run)
        time.sleep(TICK)
    ingest(run)


@contextmanager
def servers(home: Path) -> Iterator[tuple[str, int]]:
    """Redis and one web process for the studio in ``home``; yields host and port, and the process's id."""
    from dslm_studio.launch import programs

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (home / "redis").mkdir(mode=0o700, exist_ok=True)
    path = home / "redis" / "redis.sock"
    redis = [str(programs.redis_binary()), "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(home / "redis")]
    web = [sys.executable, "-m", "uvicorn", "dslm_studio.asgi:application", "--port", str(port), "--lifespan", "off", "--no-access-log"]
    with open(home / "servers.txt", "wb") as told:
        started = [subprocess.Popen(command, stdout=told, stderr=told) for command in (redis, web)]
        try:
            deadline = time.monotonic() + PATIENCE
            while not (path.exists() and _answers(port)):
                if time.monotonic() > deadline:
                    raise SystemExit((home / "servers.txt").read_text())
                time.sleep(0.2)
            yield f"127.0.0.1:{port}", started[1].pid
        finally:
            for process in started:
                process.terminate()
                process.wait(20)


def _answers(port: int) -> bool:
    with socket.socket() as line:
        line.settimeout(1)
        return line.connect_ex(("127.0.0.1", port)) == 0


async def watch(address: str, cookie: str, waits: list[float], seen: list[int], ready: asyncio.Semaphore) -> None:
    """One browser: what it was sent, and how long after it was written."""
    from websockets.asyncio.client import connect

    origin = address.replace("ws://", "http://").split("/ws/")[0]
    async with connect(address, origin=origin, additional_headers={"Cookie": cookie}, open_timeout=PATIENCE) as line:  # type: ignore[arg-type]
        ready.release()
        async for message in line:
            now = time.time()
            for event in json.loads(message)["events"]:
                waits.append(now - event["ts"])
                seen.append(event["seq"])


async def measure(
    address: str, cookie: str, run: Any, given: argparse.Namespace, web: psutil.Process
) -> tuple[list[float], list[list[int]], float]:
    """Connect all, let the run speak, wait until the last has heard everything, or for ``PATIENCE`` seconds.

    Out: seconds from writing to arrival, what each was sent, and how much of a core the web process took meanwhile.
    """
    waits: list[float] = []
    seen: list[list[int]] = [[] for _ in range(given.clients)]
    ready = asyncio.Semaphore(0)
    lines = [asyncio.create_task(watch(address, cookie, waits, one, ready)) for one in seen]
    for _ in lines:
        await ready.acquire()
    writer = multiprocessing.get_context("spawn").Process(target=write, args=(run.pk, given.seconds, given.pace))
    computed, begun = sum(web.cpu_times()[:2]), time.monotonic()
    writer.start()
    await asyncio.to_thread(writer.join)
    busy = (sum(web.cpu_times()[:2]) - computed) / (time.monotonic() - begun)
    last = await asyncio.to_thread(_last_seq, run)
    deadline = time.monotonic() + PATIENCE
    while any(not one or one[-1] < last for one in seen) and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    for line in lines:
        line.cancel()
    await asyncio.gather(*lines, return_exceptions=True)
    return waits, seen, busy


def _last_seq(run: Any) -> int:
    run.refresh_from_db()
    return int(run.last_seq)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--pace", type=float, default=2.0, help="steps a second")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with studio() as home:
        os.environ["REDIS_URL"] = ""
        from django.conf import settings
        from django.test import Client

        from projects.models import User
        from projects.services import project_create
        from runs.models import Run, Status

        owner = User.objects.create_user("olivia@example.org", None, name="Olivia")
        project = project_create(name="Python reference", by=owner)
        run = Run.objects.create(project=project, stage="sft", title="Train", queue="gpu", created_by=owner, status=Status.RUNNING)
        run.attempt_folder.mkdir(parents=True)
        client = Client()
        client.force_login(owner)
        cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
        with servers(home) as (host, pid):
            address = f"ws://{host}/ws/p/{project.slug}/runs/{run.pk}/?after=0"
            waits, seen, busy = asyncio.run(measure(address, cookie, run, given, psutil.Process(pid)))
        last = _last_seq(run)
    missing = sum(len(set(range(1, last + 1)) - set(one)) for one in seen)
    twice = sum(len(one) - len(set(one)) for one in seen)
    waits.sort()
    share = sum(wait <= LIMIT for wait in waits) / max(len(waits), 1)
    rows = [
        report.Row("events written", "", last, None, ""),
        report.Row("arrivals", "", len(waits), None, ""),
        report.Row(f"within {LIMIT * 1000:.0f} ms", "%", 100 * share, None, "", "at least 95"),
        report.Row("web process, of one core", "%", 100 * busy, None, ""),
        report.Row("missing", "", missing, None, "", "none"),
        report.Row("sent twice", "", twice, None, "", "none"),
        *(report.Row(f"{name}", "ms", 1000 * waits[min(int(part * len(waits)), len(waits) - 1)], None, "")
          for name, part in (("median", 0.5), ("95th percentile", 0.95), ("slowest", 1.0)) if waits),
    ]  # fmt: skip
    print(report.table(rows))
    if given.json:
        asked = {"clients": given.clients, "seconds": given.seconds, "pace": given.pace}
        report.write(given.json, report.report("live_fanout", rows, ("channels", "channels-redis", "uvicorn"), {"settings": asked}))


if __name__ == "__main__":
    main()
