"""Give a technician an authenticator of their own: bind exactly the method that appears while they register it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from msp.microsoft.ports import SLOT_KINDS, SLOTS_PER_ACCOUNT
from technicians.actions.bind_authenticator import bind_authenticator
from technicians.models import Assignment, Authenticator, Enrolment, Technician
from tenants.actions.observe_account import observe_account
from tenants.models import Method, SharedAccount

if TYPE_CHECKING:
    from msp.outside import Outside

OPEN_FOR = dt.timedelta(minutes=30)


def begin_enrolment(technician: Technician, account: SharedAccount, *, by: Technician, outside: Outside) -> Enrolment:
    """Read what is there, so that what is new can be told apart.

    Raises NotPermitted, BadInput (not assigned, no slot free, another enrolment open), and what a reading raises.
    """
    if by.pk != technician.pk and not by.may("enrol"):
        raise NotPermitted(_("Your role may not enrol others; nothing was changed."))
    if not technician.is_active or not Assignment.objects.live().filter(technician=technician, account=account):
        raise BadInput(
            _("%(account)s is not assigned to %(name)s; assign it first.") % {"account": account, "name": technician}
        )
    observe_account(account, outside=outside)
    present = list(account.methods.present())
    if sum(m.kind in SLOT_KINDS for m in present) >= SLOTS_PER_ACCOUNT:
        raise BadInput(
            _("All five authenticator places of %(account)s are taken; remove one first.") % {"account": account}
        )
    now = timezone.now()
    try:
        with transaction.atomic():
            for late in account.enrolments.open().filter(expires_at__lte=now):
                late.advance(Enrolment.Status.EXPIRED)
            enrolment = Enrolment.objects.create(
                reseller_id=account.reseller_id,
                technician=technician,
                account=account,
                status=Enrolment.Status.WAITING_FOR_SCAN,
                requested_by=by,
                expires_at=now + OPEN_FOR,
                seen_before=[str(m.pk) for m in present],
            )
            record(
                "enrolment.begun",
                reseller_id=account.reseller_id,
                actor=by,
                tenant_id=account.tenant_id,
                account_id=account.pk,
                technician_id=technician.pk,
                enrolment=str(enrolment.pk),
            )
    except IntegrityError as clash:
        raise BadInput(
            _("Somebody else is enrolling on %(account)s right now; wait until they are done.") % {"account": account}
        ) from clash
    return enrolment


def finish_enrolment(enrolment: Enrolment, *, by: Technician, outside: Outside) -> Enrolment:
    """Bind the one method that appeared since. Raises BadInput when none or several did: then nobody is bound."""
    if by.pk != enrolment.technician_id and not by.may("enrol"):
        raise NotPermitted(_("Your role may not enrol others; nothing was changed."))
    if enrolment.status != Enrolment.Status.WAITING_FOR_SCAN:
        raise BadInput(_("This enrolment is closed; begin another one."))
    if enrolment.expires_at <= timezone.now():
        with transaction.atomic():
            enrolment.advance(Enrolment.Status.EXPIRED)
        raise BadInput(_("This enrolment took too long and has expired; begin another one."))
    account = enrolment.account
    observe_account(account, outside=outside)
    new = _appeared(enrolment)
    if not new:
        raise BadInput(_("Nothing new is on the account yet. Finish on Microsoft's page, then ask again."))
    if len(new) > 1:
        raise BadInput(
            _(
                "%(count)d methods appeared at once, so it cannot be said whose they are. Nobody was bound: "
                "remove them in the Entra admin center and enrol one person after the other."
            )
            % {"count": len(new)}
        )
    with transaction.atomic():
        bound = bind_authenticator(new[0], enrolment.technician, by=by, proof=Authenticator.Proof.OBSERVED)
        enrolment.advance(Enrolment.Status.ACTIVE, authenticator=bound)
        record(
            "enrolment.finished",
            reseller_id=account.reseller_id,
            actor=by,
            tenant_id=account.tenant_id,
            account_id=account.pk,
            technician_id=enrolment.technician_id,
            enrolment=str(enrolment.pk),
        )
    return enrolment


@transaction.atomic
def cancel_enrolment(enrolment: Enrolment, *, by: Technician) -> None:
    if by.pk != enrolment.technician_id and not by.may("enrol"):
        raise NotPermitted(_("Your role may not enrol others; nothing was changed."))
    enrolment.advance(Enrolment.Status.CANCELLED)
    record(
        "enrolment.cancelled",
        reseller_id=enrolment.reseller_id,
        actor=by,
        account_id=enrolment.account_id,
        tenant_id=enrolment.account.tenant_id,
        technician_id=enrolment.technician_id,
        enrolment=str(enrolment.pk),
    )


def _appeared(enrolment: Enrolment) -> list[Method]:
    present = enrolment.account.methods.present().personal().filter(authenticator__isnull=True)
    return [m for m in present if str(m.pk) not in set(enrolment.seen_before)]
