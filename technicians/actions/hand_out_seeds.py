"""The seeds of one QR code leave the vault, for the one person whose they are: written down before, and once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from secrets import SystemRandom
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from msp.access.migration import MigrationAccount
from msp.access.otpauth import account_of
from msp.errors import BadInput
from msp.ledger.record import record
from technicians.actions.hold_bulk import hold_enrolments
from technicians.actions.show_seed import app_issuer
from technicians.models import BulkCode, Enrolment, Technician

if TYPE_CHECKING:
    from msp.outside import Outside

ASKED = 2
"""So many codes of each QR code are asked for: of one account alone, a single look at a phone would be enough."""


@dataclass(frozen=True)
class HandedOut:
    """One QR code's worth of seeds. `until` is when the enrolments in it expire."""

    code: BulkCode
    accounts: tuple[MigrationAccount, ...] = field(repr=False)
    until: dt.datetime


def hand_out_seeds(
    code: BulkCode,
    enrolments: Sequence[Enrolment],
    *,
    by: Technician,
    until: dt.datetime,
    now: dt.datetime,
    outside: Outside,
    as_what: str,
) -> HandedOut:
    """In the transaction that holds the sitting. Raises BadInput when one of them ended meanwhile, LedgerClosed."""
    waiting = Enrolment.objects.filter(
        pk__in=[e.pk for e in enrolments], status=Enrolment.Status.WAITING_FOR_SCAN, expires_at__gt=now
    )
    held = {e.pk: e for e in hold_enrolments(waiting)}
    ready = [held[e.pk] for e in enrolments if e.pk in held]
    if len(ready) < len(enrolments) or any(e.registration is None or e.registration.sealed is None for e in ready):
        raise BadInput(_("Something changed on one of these accounts at this moment; nothing was shown. Try again."))
    asked = SystemRandom().sample(ready, min(ASKED, len(ready)))
    code.asked, code.shown_at = [str(e.pk) for e in asked], now
    code.save()
    Enrolment.objects.filter(pk__in=held).update(code_number=code.number, shown_at=now, expires_at=until)
    for enrolment in ready:
        record(
            "enrolment.seed_shown",
            reseller_id=enrolment.reseller_id,
            actor=by,
            tenant_id=enrolment.account.tenant_id,
            account_id=enrolment.account_id,
            technician_id=enrolment.technician_id,
            enrolment=str(enrolment.pk),
            bulk=str(code.bulk_id),
            code_number=code.number,
            as_what=as_what,
        )
    return HandedOut(code, tuple(_opened(enrolment, outside) for enrolment in ready), until)


def _opened(enrolment: Enrolment, outside: Outside) -> MigrationAccount:
    registration, account = enrolment.registration, enrolment.account
    assert registration is not None
    key = outside.vault.open(bytes(registration.sealed or b""), registration.place)
    return MigrationAccount(key, app_issuer(account, enrolment.technician), account_of(account.user_principal_name))
