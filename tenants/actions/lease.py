"""Who works on an account: taken by compare-and-set in one row, held before every act, given back at the end."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from msp.errors import LeaseLost
from tenants.models import Lease

TAKEN_WHERE_NOBODY_HOLDS_IT = """
    INSERT INTO tenants_lease AS lease (account_id, target_id, holder, until)
    SELECT target.account_id, target.id, %(holder)s, %(until)s
    FROM tenants_target AS target
    JOIN tenants_sharedaccount AS account ON account.id = target.account_id
    JOIN tenants_tenant AS tenant ON tenant.id = account.tenant_id
    WHERE target.id = %(target)s AND (
        %(anyhow)s OR target.due_at <= %(now)s AND (tenant.busy_until IS NULL OR tenant.busy_until <= %(now)s)
    )
    ON CONFLICT (account_id) DO UPDATE
    SET target_id = EXCLUDED.target_id, holder = EXCLUDED.holder, until = EXCLUDED.until WHERE lease.until <= %(now)s
    RETURNING account_id
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


def take_lease(target_id: uuid.UUID, *, anyhow: bool = False) -> HeldLease | None:
    """The lease on the target's account; None while somebody else has a live one.

    None as well when the target is not due and while its tenant asks for patience, unless it is wanted `anyhow`.
    """
    holder, now = uuid.uuid4(), timezone.now()
    facts: dict[str, Any] = {"holder": holder, "until": _end(), "target": target_id, "now": now, "anyhow": anyhow}
    with connection.cursor() as cursor:
        cursor.execute(TAKEN_WHERE_NOBODY_HOLDS_IT, facts)
        taken = cursor.fetchone()
    return HeldLease(taken[0], holder) if taken else None


def _end() -> dt.datetime:
    return timezone.now() + dt.timedelta(seconds=settings.LEASE_SECONDS)
