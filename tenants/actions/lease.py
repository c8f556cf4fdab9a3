"""Who works on an account: taken by compare-and-set in one row, held before every act, given back at the end."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from msp.errors import LeaseLost
from tenants.models import Lease, Target


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
    holder, now = uuid.uuid4(), timezone.now()
    mine = {"target_id": target.pk, "holder": holder, "until": _end()}
    if not Lease.objects.filter(account_id=target.account_id, until__lte=now).update(**mine):
        try:
            with transaction.atomic():
                Lease.objects.create(account_id=target.account_id, **mine)
        except IntegrityError:
            return None
    return HeldLease(target.account_id, holder)


def _end() -> dt.datetime:
    return timezone.now() + dt.timedelta(seconds=settings.LEASE_SECONDS)
