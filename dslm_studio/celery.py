"""The Celery application. Tasks take ids and call one service."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dslm_studio.settings")

app = Celery("dslm_studio")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
