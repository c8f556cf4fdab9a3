"""Give a person many accounts in one act, with the enrolment list that comes of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext as _

from msp.errors import BadInput
from technicians.actions.ask_to_enrol import ask_to_enrol
from technicians.actions.assign import assign
from technicians.models import Assignment, Authenticator, EnrolmentRequest, Technician
from tenants.models import SharedAccount

MOST_NAMED = 5


@dataclass(frozen=True)
class Assigned:
    """What became of it; `had` are the accounts that the person held before, and that stay as they are."""

    assignments: tuple[Assignment, ...]
    requests: tuple[EnrolmentRequest, ...]
    had: tuple[SharedAccount, ...]


@transaction.atomic
def assign_many(
    technician: Technician,
    accounts: Sequence[SharedAccount],
    *,
    by: Technician,
    reason: str,
    until: dt.datetime | None = None,
) -> Assigned:
    """Everything or nothing. On each new account without an authenticator of theirs the person is asked to enrol.

    Raises NotPermitted, BadInput (nothing new, not active, an assignment that begins later), LedgerClosed.
    """
    if not reason.strip():
        raise BadInput(_("Say why: the reason stands on every assignment. Nothing was changed."))
    # Given twice at once: the second waits here, and then finds what the first gave.
    technician = Technician.objects.select_for_update().get(pk=technician.pk)
    held = set(Assignment.objects.live().filter(technician=technician).values_list("account_id", flat=True))
    new = [account for account in accounts if account.pk not in held]
    if not new:
        names = ", ".join(str(account) for account in accounts[:MOST_NAMED]) + (
            ", ..." if accounts[MOST_NAMED:] else ""
        )
        raise BadInput(
            _("%(name)s has %(accounts)s already; nothing was changed.") % {"name": technician, "accounts": names}
        )
    made = [assign(technician, account, by=by, reason=reason.strip(), until_at=until) for account in new]
    bound = Authenticator.objects.filter(technician=technician)
    because = EnrolmentRequest.Because.ASSIGNED if bound.exists() else EnrolmentRequest.Because.JOINED
    there = set(bound.on_the_account().values_list("method__account_id", flat=True))
    requests = ask_to_enrol(
        technician,
        [account for account in new if account.pk not in there and not account.break_glass],
        because=because,
        by=by,
    )
    return Assigned(tuple(made), tuple(requests), tuple(a for a in accounts if a.pk in held))
