"""Show a person the seed of their own authenticator once more, for a new phone, while the policy allows it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.access.otpauth import address_of
from msp.errors import BadInput
from technicians.actions.keep_code import write_shown
from technicians.actions.kept_code_rules import locked_for, not_too_often
from technicians.actions.show_seed import ShownSeed, app_issuer
from technicians.models import KeptCode, Technician
from tenants.enrolment_policy_queries import enrolment_policy_of
from tenants.models import EnrolmentPolicy

if TYPE_CHECKING:
    from msp.outside import Outside


def show_seed_again(kept: KeptCode, *, by: Technician, outside: Outside) -> ShownSeed:
    """The same address that was scanned, written down first. The door has asked for a fresh second factor.

    `until` says when it can be seen no more. Raises NotPermitted for anybody else and without a live assignment,
    BadInput when its time is over, the policy says otherwise by now, or too often, KeyTrouble, and LedgerClosed when
    it cannot be written down: then nothing is shown.
    """
    with transaction.atomic():
        person, found = locked_for(by, kept)
        if found.until is None:
            raise BadInput(_("This seed stays here: its codes are shown to you, the seed never is."))
        until = seen_until(found)
        if until <= timezone.now():
            raise BadInput(
                _("The days in which you could see this seed again are over; nothing was shown. Enrol the new phone.")
            )
        not_too_often(person, found)
        write_shown(found, "seed.shown_again", by=person)
        key = outside.vault.open(bytes(found.sealed), found.place)
        issuer, name = app_issuer(found.account, person), found.account.user_principal_name
        return ShownSeed(address_of(key=key, issuer=issuer, account=name), key, issuer, name, until)


def seen_until(kept: KeptCode) -> dt.datetime:
    """When it can be seen no more; needs `account` loaded."""
    return until_by(enrolment_policy_of(kept.account), kept)


def until_by(policy: EnrolmentPolicy, kept: KeptCode) -> dt.datetime:
    """A policy that allows fewer days by now counts at once; one that allows more does not."""
    return min(kept.until or kept.made_at, kept.made_at + dt.timedelta(days=policy.keep_for_later_days))
