"""Ask every live run of this host to save and stop, and wait until they have."""

import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from runs import processes
from runs.models import ACTIVE, PENDING, Run, Status
from runs.services import run_transition
from runs.supervising import this_host


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        runs = list(Run.objects.filter(host=this_host(), status__in=ACTIVE))
        for run in runs:
            run_transition(run.pk, [Status.STARTING, Status.RUNNING], Status.STOPPING, reason="The studio is being stopped")
            processes.ask_to_stop(run.attempt_folder)
        deadline = time.monotonic() + settings.RUN_STOP_GRACE_SECONDS
        for run in runs:
            while processes.group_alive(run.attempt_folder):
                if time.monotonic() > deadline:
                    processes.kill_group(run.attempt_folder)
                    break
                time.sleep(0.1)
        waiting = Run.objects.filter(status__in=PENDING).count()
        self.stdout.write(f"{len(runs)} live runs were stopped, {waiting} wait for the next start.")
