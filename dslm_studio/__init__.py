"""Settings, urls, asgi, celery: the only place that knows every app."""

from dslm_studio.celery import app as celery_app

__all__ = ["celery_app"]
