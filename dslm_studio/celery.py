"""The Celery application. Tasks take ids and call one service."""

import os
import sys
from pathlib import Path

from celery import Celery
from celery.signals import after_task_publish, beat_embedded_init, heartbeat_sent, worker_ready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dslm_studio.settings")

app = Celery("dslm_studio")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


def show_life(**_: object) -> None:
    """Touch the file that the launcher named for this process, if it did: it asks no worker anything."""
    if sign := os.environ.get("STUDIO_SIGN"):
        Path(sign).touch()


if "--beat" in sys.argv:
    # The scheduler lives as long as it sends its tasks. It is the child that sends them: the worker around it is not enough.
    @beat_embedded_init.connect
    def show_the_schedulers_life(**_: object) -> None:
        show_life()
        after_task_publish.connect(show_life)
else:
    worker_ready.connect(show_life)
    heartbeat_sent.connect(show_life)  # every two seconds
