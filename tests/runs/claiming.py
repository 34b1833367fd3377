"""Many workers of two machines at one queue on a real database: run as a program, because they are processes with connections of their own.

    DATABASE_URL=… STUDIO_HOME=… python -m tests.runs.claiming

Prints one line of JSON: what the workers claimed, and what the database says of when each run worked, where and for whom.
"""

import json
import os
import random
import subprocess
import sys
import threading
import time
from typing import Any

HOSTS, WORKERS, THREADS = ("one", "two"), 2, 3  # processes of each machine, and threads of each
PROJECTS, RUNS = 4, 6  # of each
SLOTS, CAP = 2, 1
WORK = 0.02  # seconds that a run takes at most
PATIENCE = 90.0


def main() -> None:
    os.environ |= {"DJANGO_SETTINGS_MODULE": "tests.settings", "STUDIO_GPU_SLOTS": str(SLOTS), "STUDIO_PROJECT_RUNS": str(CAP)}
    os.environ["CUDA_VISIBLE_DEVICES"] = "0,1"
    import django

    django.setup()
    from runs import services

    for told in ("ring", "run_enqueue"):  # there is no Redis here: the workers look by themselves
        setattr(services, told, lambda *_, **__: None)
    if len(sys.argv) > 1:
        workers(sys.argv[1])
        return
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    prepare()
    command = [sys.executable, "-m", "tests.runs.claiming"]
    at_work = [subprocess.Popen([*command, host], stdout=subprocess.PIPE) for host in HOSTS for _ in range(WORKERS)]
    answers = [json.loads(process.communicate(timeout=300)[0]) for process in at_work]
    assert all(process.returncode == 0 for process in at_work)
    print(json.dumps(told_of(answers)))


def prepare() -> None:
    from projects.models import User
    from projects.services import project_create
    from runs.models import Run

    owner = User.objects.create_user("owner@example.org")
    for number in range(PROJECTS):
        project = project_create(name=f"Project {number}", by=owner)
        for each in range(RUNS):
            Run.objects.create(project=project, stage="sft", title=f"{number}.{each}", queue="gpu", priority=each % 3)


def workers(host: str) -> None:
    claimed: list[str] = []
    failed: list[str] = []
    threads = [threading.Thread(target=work, args=(host, claimed, failed)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps({"claimed": claimed, "failed": failed}))


def work(host: str, claimed: list[str], failed: list[str]) -> None:
    """One worker: tries any queued run, in no order, as messages that were sent twice or late would have it; works; ends it."""
    from django.db import connection

    from runs.models import Run, Status
    from runs.services import run_claim, run_end

    chance = random.Random()
    until = time.monotonic() + PATIENCE
    try:
        while (queued := list(Run.objects.filter(status=Status.QUEUED).values_list("pk", flat=True))) and time.monotonic() < until:
            run_id = chance.choice(queued)
            if run_claim(run_id, f"{host}:{threading.get_ident()}", host):
                claimed.append(str(run_id))
                time.sleep(chance.random() * WORK)
                assert run_end(run_id, Status.SUCCEEDED)
    except Exception as error:
        failed.append(repr(error))
    finally:
        connection.close()


def told_of(answers: list[dict[str, list[str]]]) -> dict[str, Any]:
    from django.db import connection

    from runs.models import Run, RunEvent

    at: dict[Any, dict[str, float]] = {}
    for run_id, ts, data in RunEvent.objects.filter(type="status").values_list("run", "ts", "data"):
        at.setdefault(run_id, {})[data["status"]] = ts
    return {
        "database": connection.vendor,
        "failed": [error for answer in answers for error in answer["failed"]],
        "claimed": [run_id for answer in answers for run_id in answer["claimed"]],
        "worked": [
            {
                "host": run.host,
                "device": run.device,
                "project": run.project_id,
                "from": at[run.pk]["STARTING"],
                "to": at[run.pk]["SUCCEEDED"],
            }
            for run in Run.objects.all()
        ],
    }


if __name__ == "__main__":
    main()
