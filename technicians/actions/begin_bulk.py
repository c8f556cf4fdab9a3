"""Begin to enrol on many accounts in one sitting: one run makes the tokens, a few QR codes carry the seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from technicians.actions.finish_bulks import finish_bulks
from technicians.actions.open_enrolments import FOR_MANY, open_enrolments
from technicians.bulk_queries import most_per_code, with_own_authenticator
from technicians.models import BulkEnrolment, EnrolmentRequest, Technician
from tenants.models import SharedAccount

if TYPE_CHECKING:
    from msp.outside import Outside

MOST_ACCOUNTS = 200
"""In one sitting: twenty QR codes of ten are as much as anybody scans before the tokens expire."""


class BegunBulk(NamedTuple):
    """The sitting, and for each account that is not in it the reason in words."""

    bulk: BulkEnrolment
    left_out: dict[SharedAccount, str]


@transaction.atomic
def begin_bulk(
    technician: Technician,
    accounts: Sequence[SharedAccount],
    *,
    by: Technician,
    app: str,
    outside: Outside,
    accounts_per_code: int | None = None,
) -> BegunBulk:
    """`accounts` with `tenant` loaded; `accounts_per_code` is a wish that app and policies may make smaller.

    Raises NotPermitted, LedgerClosed, and BadInput when nothing can begin at all.
    """
    if by.pk != technician.pk:
        raise NotPermitted(
            _("Whoever sees the QR codes could scan them: only %(name)s can begin this. Nothing was made.")
            % {"name": technician}
        )
    if app not in BulkEnrolment.App.values:
        raise BadInput(_("Choose the authenticator app that you will scan with; nothing was made."))
    if not accounts:
        raise BadInput(_("Choose at least one account; nothing was made."))
    if len(accounts) > MOST_ACCOUNTS:
        raise BadInput(
            _("One sitting takes at most %(most)d accounts; %(many)d were chosen, and nothing was made.")
            % {"most": MOST_ACCOUNTS, "many": len(accounts)}
        )
    finish_bulks(technician=technician)
    wanted, left_out = _without_own(technician, accounts)
    if not wanted:
        raise BadInput(_("You have an authenticator of your own on each of these accounts; nothing was made."))
    most = most_per_code(wanted, app)
    bulk = BulkEnrolment.objects.create(
        reseller_id=technician.reseller_id,
        technician=technician,
        requested_by=by,
        app=app,
        accounts_per_code=max(1, min(most, accounts_per_code or most)),
        expires_at=timezone.now() + FOR_MANY,
    )
    begun = open_enrolments(technician, wanted, by=by, outside=outside, bulk=bulk)
    left_out |= begun.left_out
    if begun.run is None:
        raise BadInput(_none_of_them(begun.left_out))
    bulk.run = begun.run
    bulk.save(update_fields=["run"])
    record(
        "bulk_enrolment.begun",
        reseller_id=bulk.reseller_id,
        actor=by,
        technician_id=technician.pk,
        run_id=begun.run.pk,
        bulk=str(bulk.pk),
        app=str(app),
        accounts=len(begun.enrolments),
        accounts_per_code=bulk.accounts_per_code,
        left_out=len(left_out),
    )
    return BegunBulk(bulk, left_out)


def _without_own(
    technician: Technician, accounts: Sequence[SharedAccount]
) -> tuple[list[SharedAccount], dict[SharedAccount, str]]:
    """Whoever has an authenticator there needs no second one, unless somebody asked for it: a new phone, a loss."""
    own = with_own_authenticator(technician)
    requests = EnrolmentRequest.objects.open().filter(technician=technician, account__in=accounts)
    asked = set(requests.values_list("account_id", flat=True))
    wanted, left_out = [], {}
    for account in dict.fromkeys(accounts):
        if account.pk in own and account.pk not in asked:
            left_out[account] = _("You have an authenticator of your own there.")
        else:
            wanted.append(account)
    return wanted, left_out


def _none_of_them(left_out: dict[SharedAccount, str]) -> str:
    reasons = " ".join(dict.fromkeys(left_out.values()))
    return _("An enrolment could begin on none of these accounts; nothing was made. %(reasons)s") % {"reasons": reasons}
