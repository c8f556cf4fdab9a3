"""Celery's doors: each wakes one action."""

from __future__ import annotations

from celery import shared_task

from msp.access.actions import forget_links
from technicians.actions.keep_upload import forget_uploads


@shared_task(name="technicians.tasks.tidy")
def tidy() -> None:
    forget_uploads()
    forget_links()
