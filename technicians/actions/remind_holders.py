"""Remind those who stay that an account has a new password, until they have fetched it; never the password."""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import NotPermitted
from msp.ledger.record import record
from technicians.models import PasswordNotice, Technician
from technicians.reshare_queries import AccountShares, accounts_changed_by, shares_of
from tenants.models import Run

AT_MOST_EVERY = dt.timedelta(hours=1)
"""Whoever was told or reminded within this is left in peace."""


@transaction.atomic
def remind_holders(run: Run, *, by: Technician) -> int:
    """Tell each of those who stay and have not fetched the password in force once more, on every account `by` sees.

    Says how many words were sent (one a person and account). Raises NotPermitted, LedgerClosed.
    """
    if not by.may("offboard") or run.reseller_id != by.reseller_id:
        raise NotPermitted(_("Your role may not remind others of new passwords; nothing was sent."))
    return sum(_remind(account, run, by) for account in shares_of(accounts_changed_by(run, by)))


def _remind(shared: AccountShares, run: Run, by: Technician) -> int:
    version, now = shared.version, timezone.now()
    if version is None:
        return 0
    due = now if settings.MAIL_FROM else None
    reminded = []
    for share in shared.still_without:
        notice, made = PasswordNotice.objects.select_for_update().get_or_create(
            reseller_id=version.reseller_id,
            technician_id=share.technician_id,
            version=version,
            defaults={"created_at": now, "mail_due_at": due},
        )
        if not made and not _is_worth_a_word(notice, now):
            continue
        if not made:
            # When the password became new stays as it was: the mail says since when.
            notice.read_at, notice.mail_due_at, notice.mail_tries = None, due, 0
            notice.save(update_fields=["read_at", "mail_due_at", "mail_tries"])
        reminded.append(str(share.technician_id))
    if reminded:
        record(
            "password.holders_reminded",
            reseller_id=version.reseller_id,
            actor=by,
            tenant_id=shared.account.tenant_id,
            account_id=shared.account.pk,
            run_id=run.pk,
            version=version.number,
            holders=reminded,
        )
    return len(reminded)


def _is_worth_a_word(notice: PasswordNotice, now: dt.datetime) -> bool:
    """Not while a mail waits or went out lately, nor where it stands unread in Latchkey and no mail can go."""
    if notice.mail_due_at is not None or (notice.read_at is None and not settings.MAIL_FROM):
        return False
    last = max(moment for moment in (notice.created_at, notice.mailed_at, notice.read_at) if moment is not None)
    return last <= now - AT_MOST_EVERY
