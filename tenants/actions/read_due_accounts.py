"""Read every account now and then without being asked, so that what changes elsewhere is noticed."""

from __future__ import annotations

import datetime as dt
import logging
from collections import defaultdict
from typing import TYPE_CHECKING, Any
from uuid import UUID

from celery import current_app
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from kombu.exceptions import OperationalError

from tenants.actions.observe_tenant import observe_tenant
from tenants.exit_queries import customers_who_went
from tenants.models import SharedAccount

if TYPE_CHECKING:
    from msp.outside import Outside

log = logging.getLogger(__name__)

AT_ONCE = 200
"""Accounts in one minute: a fleet is read over hours, beside the runs and not before them."""


def ask_for_due_readings(every: dt.timedelta) -> int:
    """Have the accounts read whose last reading is older than `every`. Says how many; called by the clock.

    Each gets its next time before it is asked for, so a lost message costs one reading and nothing is asked twice.
    """
    now = timezone.now()
    never = Q(read_again_at=None) & (Q(observed_at=None) | Q(observed_at__lte=now - every))
    patient = Q(tenant__busy_until=None) | Q(tenant__busy_until__lte=now)
    with transaction.atomic():
        due = list(
            SharedAccount.objects.select_for_update(of=("self",), skip_locked=True, no_key=True)
            .at_microsoft()
            .filter(patient, never | Q(read_again_at__lte=now))
            .exclude(tenant__customer__in=customers_who_went())
            .order_by(F("read_again_at").asc(nulls_first=True), "pk")
            .values_list("pk", "tenant_id")[:AT_ONCE]
        )
        SharedAccount.objects.filter(pk__in=[pk for pk, _tenant in due]).update(read_again_at=now + every)
    of_tenants: defaultdict[Any, list[str]] = defaultdict(list)
    for pk, tenant_id in due:
        of_tenants[tenant_id].append(str(pk))
    for accounts in of_tenants.values():
        try:
            current_app.send_task("tenants.tasks.read_accounts", [accounts], retry=False)
        except (OperationalError, OSError) as trouble:
            log.warning("The broker did not take a message (%s); the accounts are read later.", type(trouble).__name__)
            break
    return len(due)


def read_accounts(account_ids: list[UUID], *, outside: Outside) -> int:
    """Read these accounts of one tenant; says how many were. What the tenant has no patience for comes later."""
    accounts = SharedAccount.objects.filter(pk__in=account_ids).select_related("tenant")
    reading = observe_tenant(accounts, outside=outside)
    if reading.left:
        later = timezone.now() + dt.timedelta(seconds=reading.retry_after)
        SharedAccount.objects.filter(pk__in=[account.pk for account in reading.left]).update(read_again_at=later)
    return len(reading.read)
