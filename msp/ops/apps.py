from django.apps import AppConfig

from msp.celery import app as celery_app


class OpsConfig(AppConfig):
    name = "msp.ops"
    # Held here so that every process that sets Django up sends its messages through our broker.
    celery = celery_app
