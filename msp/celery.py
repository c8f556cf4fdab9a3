"""The Celery application: it only wakes workers up; what there is to do stands in the database."""

from __future__ import annotations

import importlib
import os
import warnings
from pathlib import Path
from typing import Any

from celery import Celery
from celery.signals import beat_init, setup_logging, worker_init, worker_ready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "msp.settings")

# In a container root is the usual user; messages are JSON only, so nothing in them can become code.
warnings.filterwarnings("ignore", message="You're running the worker with superuser privileges")

app = Celery("latchkey")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["tenants", "technicians"])


@setup_logging.connect
def keep_djangos_logging(**_: Any) -> None:
    """Celery sets up logging of its own unless somebody listens here; ours is in the settings."""


@worker_init.connect
def stop_without_the_root_key(**_: Any) -> None:
    """A worker that could seal nothing must not take work. By name: the models need Django to be set up first."""
    importlib.import_module("msp.ops.root_key").stop_on_trouble()


@worker_ready.connect
@beat_init.connect
def tell_the_supervisor(**_: Any) -> None:
    """The supervisor waits for this file before it calls the start finished."""
    place = os.environ.get("LATCHKEY_READY_FILE")
    if place:
        Path(place).touch(mode=0o600)
