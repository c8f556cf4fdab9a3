"""Tell everybody who may use an account that its password is a new one; never the password."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from msp.ledger.record import record
from technicians.models import Assignment, PasswordNotice, Reveal, Technician
from technicians.models.technician import RIGHTS
from tenants.models import SecretVersion

WHO_FETCH = sorted(role for role, rights in RIGHTS.items() if "reveal" in rights)


@transaction.atomic(savepoint=False)
def tell_holders(version: SecretVersion) -> None:
    """Write one notice for each holder who does not have this version yet; the mails follow by beat.

    Call it in the transaction in which the version comes into force; `version.secret.account` has to be loaded. Doing
    it twice tells nobody twice. Raises LedgerClosed.
    """
    account, now = version.secret.account, timezone.now()
    have_it = Reveal.objects.filter(version=version).values("technician_id")
    told = PasswordNotice.objects.filter(version=version).values("technician_id")
    holders = list(
        Technician.objects.active()
        .filter(pk__in=Assignment.objects.live(now).filter(account=account).values("technician_id"))
        .filter(role__in=WHO_FETCH)
        .exclude(pk__in=have_it)
        .exclude(pk__in=told)
        .exclude(pk=version.entered_by_id)
        .order_by("name", "pk")
    )
    if not holders:
        return
    PasswordNotice.objects.bulk_create(
        [
            PasswordNotice(
                reseller_id=version.reseller_id,
                technician=holder,
                version=version,
                created_at=now,
                mail_due_at=now if settings.MAIL_FROM else None,
            )
            for holder in holders
        ],
        ignore_conflicts=True,
    )
    record(
        "password.holders_told",
        reseller_id=version.reseller_id,
        actor=None,
        tenant_id=account.tenant_id,
        account_id=account.pk,
        version=version.number,
        holders=[str(holder.pk) for holder in holders],
    )


@transaction.atomic
def read_notices(technician: Technician) -> int:
    """This person has read every notice written so far; how many were new. It says nothing about fetching."""
    unread = PasswordNotice.objects.unread().filter(technician=technician)
    count = unread.update(read_at=timezone.now(), mail_due_at=None)
    if count:
        record(
            "password.notices_read",
            reseller_id=technician.reseller_id,
            actor=technician,
            technician_id=technician.pk,
            notices=count,
        )
    return count
