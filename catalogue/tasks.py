"""Celery's door: a key in, one service called."""

from celery import shared_task

from catalogue.downloading import fetch


@shared_task
def base_model_fetch(key: str) -> None:
    fetch(key)
