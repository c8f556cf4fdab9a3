"""The Celery application: it only wakes workers up; what there is to do stands in the database."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from celery import Celery
from celery.signals import beat_init, worker_ready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "msp.settings")

app = Celery("latchkey")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["tenants", "technicians"])


@worker_ready.connect
@beat_init.connect
def tell_the_supervisor(**_: Any) -> None:
    """The supervisor waits for this file before it calls the start finished."""
    place = os.environ.get("LATCHKEY_READY_FILE")
    if place:
        Path(place).touch(mode=0o600)
