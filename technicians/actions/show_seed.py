"""Show a seed to the one person whose it is, once, so that it comes into their authenticator app."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.access.otpauth import address_of, label_of
from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from technicians.models import Enrolment, Technician
from tenants.enrolment_policy_queries import enrolment_policy_of
from tenants.models import SharedAccount
from tenants.token_plans import short_code

if TYPE_CHECKING:
    from msp.outside import Outside


@dataclass(frozen=True)
class ShownSeed:
    """What the QR code holds, and under which name the app will list it. `until` is when the enrolment expires."""

    address: str = field(repr=False)
    key: bytes = field(repr=False)
    issuer: str
    account: str
    until: dt.datetime


def app_issuer(account: SharedAccount, technician: Technician) -> str:
    """The name of the entry in an authenticator app: the tenant, and a code that no other person or account has.

    Some apps overwrite an entry of the same name.
    """
    return label_of(account.tenant.customer.name, short_code(f"{account.pk} {technician.pk}", letters=4))


@transaction.atomic
def show_seed(enrolment: Enrolment, *, by: Technician, outside: Outside) -> ShownSeed:
    """Written down before it leaves. Raises NotPermitted, BadInput (not ready, shown before, over), LedgerClosed."""
    if by.pk != enrolment.technician_id:
        raise NotPermitted(_("This code is for %(name)s alone; nothing was shown.") % {"name": enrolment.technician})
    enrolment = (
        Enrolment.objects.select_for_update(of=("self",))
        .select_related("account__tenant__customer", "technician", "registration__account")
        .get(pk=enrolment.pk)
    )
    account, registration, now = enrolment.account, enrolment.registration, timezone.now()
    if enrolment.way != Enrolment.Way.OUR_SEED or registration is None:
        raise BadInput(_("There is no code of ours to scan in this enrolment."))
    if enrolment.shown_at is not None:
        raise BadInput(
            _("This code was on a screen before, and is shown once only. Cancel this enrolment and begin another one.")
        )
    ready = enrolment.status == Enrolment.Status.WAITING_FOR_SCAN and registration.sealed is not None
    if not ready or enrolment.expires_at <= now:
        raise BadInput(_("This enrolment is not ready, or over: nothing was shown. Look at its page."))
    minutes = enrolment_policy_of(account).minutes_on_screen
    until = enrolment.expires_at if enrolment.bulk_id else now + dt.timedelta(minutes=minutes)
    Enrolment.objects.filter(pk=enrolment.pk).update(shown_at=now, expires_at=until)
    record(
        "enrolment.seed_shown",
        reseller_id=enrolment.reseller_id,
        actor=by,
        tenant_id=account.tenant_id,
        account_id=account.pk,
        technician_id=enrolment.technician_id,
        enrolment=str(enrolment.pk),
    )
    key = outside.vault.open(bytes(registration.sealed or b""), registration.place)
    issuer = app_issuer(account, enrolment.technician)
    name = account.user_principal_name
    return ShownSeed(address_of(key=key, issuer=issuer, account=name), key, issuer, name, until)
