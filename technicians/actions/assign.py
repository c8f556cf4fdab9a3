"""Give a technician a shared account for a time, or take it back."""

from __future__ import annotations

import datetime as dt

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from technicians.actions.check_out import end_check_outs_of
from technicians.actions.ended_assignments import demand_changes_after
from technicians.actions.follow_with_methods import follow_with_methods
from technicians.actions.keep_code import end_kept_codes
from technicians.models import Assignment, Technician
from tenants.exit_queries import demand_not_going, hold_customer_of
from tenants.models import Run, SharedAccount


def assign(
    technician: Technician,
    account: SharedAccount,
    *,
    by: Technician,
    reason: str,
    from_at: dt.datetime | None = None,
    until_at: dt.datetime | None = None,
) -> Assignment:
    """Raises NotPermitted and BadInput: left, another reseller's, overlapping, ends before it begins.

    Nobody is given an account that its customer takes over.
    """
    if not by.may("assign"):
        raise NotPermitted(_("Your role may not assign accounts; nothing was changed."))
    if not technician.is_active:
        raise BadInput(
            _("%(name)s cannot be given an account: %(state)s.")
            % {"name": technician, "state": technician.get_status_display()}
        )
    if technician.reseller_id != account.reseller_id or by.reseller_id != account.reseller_id:
        raise NotPermitted(_("This account belongs to another reseller; nothing was changed."))
    from_at = from_at or timezone.now()
    if until_at is not None and until_at <= from_at:
        raise BadInput(_("An assignment must end after it begins; nothing was saved."))
    try:
        with transaction.atomic():
            hold_customer_of(account)
            demand_not_going([account])
            made = Assignment.objects.create(
                reseller_id=account.reseller_id,
                technician=technician,
                account=account,
                from_at=from_at,
                until_at=until_at,
                reason=reason,
                granted_by=by,
            )
            record(
                "assignment.granted",
                reseller_id=account.reseller_id,
                actor=by,
                tenant_id=account.tenant_id,
                account_id=account.pk,
                technician_id=technician.pk,
                reason=reason,
                from_at=from_at,
                until_at=until_at,
            )
    except IntegrityError as clash:
        raise BadInput(
            _("%(name)s has %(account)s already during a part of that time; nothing was saved.")
            % {"name": technician, "account": account}
        ) from clash
    return made


@transaction.atomic
def end_assignment(assignment: Assignment, *, by: Technician) -> Run | None:
    """It ends now, and a run takes the person's methods there away. Ending it twice changes nothing.

    Answers that run, None when no method of theirs is there.
    """
    if not by.may("assign"):
        raise NotPermitted(_("Your role may not assign accounts; nothing was changed."))
    now = timezone.now()
    if Assignment.objects.live(now).filter(pk=assignment.pk).update(until_at=now):
        account = assignment.account
        record(
            "assignment.ended",
            reseller_id=assignment.reseller_id,
            actor=by,
            tenant_id=account.tenant_id,
            account_id=account.pk,
            technician_id=assignment.technician_id,
        )
        end_check_outs_of(assignment.technician, by=by, account=account)
        end_kept_codes(technician=assignment.technician, account=account, because=_("The assignment ended."), by=by)
        demand_changes_after([assignment], by=by)
        assignment.until_at = now
        return next(iter(follow_with_methods([assignment], by=by)), None)
    return None
