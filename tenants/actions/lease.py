"""Who works on an account: taken by compare-and-set in one row, held before every act, given back at the end."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass

from django.conf import settings
from django.db import connection
from django.utils import timezone

from msp.errors import LeaseLost
from tenants.models import Lease, Target

TAKEN_WHERE_NOBODY_HOLDS_IT = """
    INSERT INTO tenants_lease AS lease (account_id, target_id, holder, until) VALUES (%s, %s, %s, %s)
    ON CONFLICT (account_id) DO UPDATE
    SET target_id = EXCLUDED.target_id, holder = EXCLUDED.holder, until = EXCLUDED.until WHERE lease.until <= %s
"""


@dataclass(frozen=True)
class HeldLease:
    """A lease that this worker took. It ends by itself, so a dead worker blocks an account for minutes at most."""

    account_id: uuid.UUID
    holder: uuid.UUID

    def hold(self) -> None:
        """Lock the row and stay its holder; call it inside the transaction of every write. Raises LeaseLost.

        It lengthens the lease, so that the call which follows the commit cannot outlive it.
        """
        held = Lease.objects.filter(account_id=self.account_id, holder=self.holder, until__gt=timezone.now())
        if not held.update(until=_end()):
            raise LeaseLost("Another worker took over this account; nothing was done here.")

    def give_back(self) -> None:
        Lease.objects.filter(account_id=self.account_id, holder=self.holder).update(until=timezone.now())


def take_lease(target: Target) -> HeldLease | None:
    """The lease on the target's account, or None while somebody else has a live one."""
    holder = uuid.uuid4()
    with connection.cursor() as cursor:
        cursor.execute(TAKEN_WHERE_NOBODY_HOLDS_IT, [target.account_id, target.pk, holder, _end(), timezone.now()])
        return HeldLease(target.account_id, holder) if cursor.rowcount else None


def _end() -> dt.datetime:
    return timezone.now() + dt.timedelta(seconds=settings.LEASE_SECONDS)
