"""Show one QR code of a sitting, or make one file of all that is ready. Each seed is handed out once in each size."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils.translation import gettext as _

from msp.access.app_files import PasswordTooShort, aegis_file, two_fas_file
from msp.access.migration import codes_of
from msp.access.otpauth import address_of
from msp.errors import BadInput
from technicians.actions.hand_out_seeds import HandedOut, hand_out_seeds
from technicians.actions.hold_bulk import hold_bulk
from technicians.bulk_queries import Sitting, sitting_of
from technicians.models import BulkCode, BulkEnrolment, Enrolment, Technician
from tenants.enrolment_policy_queries import enrolment_policies_of

if TYPE_CHECKING:
    from msp.outside import Outside


@dataclass(frozen=True)
class ShownCode:
    """`text` is what the QR code holds."""

    text: str = field(repr=False)
    code: BulkCode
    until: dt.datetime


@dataclass(frozen=True)
class AppFile:
    """A file for an app, encrypted with the person's passphrase."""

    name: str
    content: bytes = field(repr=False)


@transaction.atomic
def show_bulk_code(bulk: BulkEnrolment, *, by: Technician, outside: Outside) -> ShownCode:
    """The next one, written down before it leaves. Raises NotPermitted, BadInput, LedgerClosed."""
    sitting = sitting_of(hold_bulk(bulk, by=by))
    _demand_nothing_on_screen(sitting)
    enrolments = sitting.next_up
    if not enrolments:
        raise BadInput(_("There is no QR code to show now; look at the page of this sitting."))
    code = sitting.put_by or BulkCode(reseller_id=bulk.reseller_id, bulk=bulk, number=sitting.next_number)
    until = min(sitting.now + _on_screen(enrolments), sitting.bulk.expires_at)
    handed = hand_out_seeds(
        code, enrolments, by=by, until=until, now=sitting.now, outside=outside, as_what="QR code"
    )  # fmt: skip
    return ShownCode(_text(sitting.bulk, handed), handed.code, handed.until)


@transaction.atomic
def make_app_file(bulk: BulkEnrolment, *, passphrase: str, by: Technician, outside: Outside) -> AppFile:
    """Everything that is ready and was in no QR code yet, for Aegis or 2FAS. It is proven like the QR codes.

    Raises NotPermitted, LedgerClosed, and BadInput: policy, app, nothing ready, a passphrase that is too short.
    """
    sitting = sitting_of(hold_bulk(bulk, by=by))
    if not sitting.may_take_file:
        raise BadInput(_("The enrolment policy, or the app, does not allow a file here; use the QR codes."))
    _demand_nothing_on_screen(sitting)
    ready, size = sitting.unsorted, sitting.bulk.accounts_per_code
    if not ready:
        raise BadInput(_("Nothing is ready for a file now; look at the page of this sitting."))
    if sitting.preparing:
        raise BadInput(_("Some of the accounts are still being made ready; the file is made once, so wait for them."))
    handed = [
        hand_out_seeds(
            BulkCode(reseller_id=bulk.reseller_id, bulk=bulk, number=sitting.next_number + place),
            ready[at : at + size],
            by=by,
            until=sitting.bulk.expires_at,
            now=sitting.now,
            outside=outside,
            as_what="encrypted file",
        )
        for place, at in enumerate(range(0, len(ready), size))
    ]
    accounts = [account for one in handed for account in one.accounts]
    try:
        if sitting.bulk.app == BulkEnrolment.App.AEGIS:
            return AppFile("latchkey-aegis.json", aegis_file(accounts, password=passphrase))
        return AppFile("latchkey.2fas", two_fas_file(accounts, password=passphrase, now=sitting.now))
    except PasswordTooShort:
        raise BadInput(_("A passphrase of at least 12 characters is needed; no file was made.")) from None


def _demand_nothing_on_screen(sitting: Sitting) -> None:
    if sitting.on_screen:
        raise BadInput(
            _(
                "QR code %(number)d was shown before, and is shown once only. Type the codes that it asks for, "
                "or have it shown as smaller ones."
            )
            % {"number": sitting.on_screen.number}
        )


def _on_screen(enrolments: Sequence[Enrolment]) -> dt.timedelta:
    policies = enrolment_policies_of(e.account for e in enrolments).values()
    return dt.timedelta(minutes=min(policy.minutes_on_screen for policy in policies))


def _text(bulk: BulkEnrolment, handed: HandedOut) -> str:
    if bulk.accounts_per_code == 1:
        (one,) = handed.accounts
        return address_of(key=one.key, issuer=one.issuer, account=one.name)
    # Each code is a set of its own, so that the app takes it at once and its codes can be asked for.
    batch_id = secrets.randbits(32) - 2**31
    (text,) = codes_of(handed.accounts, per_code=len(handed.accounts), batch_id=batch_id)
    return text
