"""Celery's doors: each wakes one action."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task
from django.conf import settings
from django.core.cache import cache
from django.utils import timezone

from msp.outside import outside
from tenants.actions.change_due_passwords import change_due_passwords as change_due
from tenants.actions.end_waivers import end_waivers as end_waivers_now
from tenants.actions.nudge import nudge
from tenants.actions.read_due_accounts import ask_for_due_readings
from tenants.actions.read_due_accounts import read_accounts as read
from tenants.actions.sweep import sweep as sweep_now
from tenants.actions.sweep_tokens import sweep_tokens as sweep_tokens_now
from tenants.actions.watch_deadlines import watch_deadlines
from tenants.actions.watch_silence import watch_silence
from tenants.actions.work_target import work_target as work


@shared_task(acks_late=True, name="tenants.tasks.work_target")
def work_target(target_id: str) -> None:
    due_at = work(UUID(target_id), outside=outside())
    if due_at is not None:
        nudge(UUID(target_id), seconds=max(0.1, (due_at - timezone.now()).total_seconds()))


@shared_task(name="tenants.tasks.sweep")
def sweep() -> None:
    cache.set("last-sweep", timezone.now().isoformat(), None)
    sweep_now()


@shared_task(name="tenants.tasks.sweep_tokens")
def sweep_tokens() -> None:
    sweep_tokens_now()


@shared_task(name="tenants.tasks.change_due_passwords")
def change_due_passwords() -> None:
    change_due()


@shared_task(name="tenants.tasks.read_due_accounts")
def read_due_accounts() -> None:
    if settings.READ_EVERY:
        ask_for_due_readings(settings.READ_EVERY)


@shared_task(name="tenants.tasks.read_accounts")
def read_accounts(account_ids: list[str]) -> None:
    read([UUID(account_id) for account_id in account_ids], outside=outside())


@shared_task(name="tenants.tasks.watch_runs")
def watch_runs() -> None:
    watch_silence()
    watch_deadlines()


@shared_task(name="tenants.tasks.end_waivers")
def end_waivers() -> None:
    end_waivers_now()
