"""Somebody's phone is gone: whoever finds it must not get in anywhere, and its owner stays at work."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _

from msp.access.actions import end_sign_ins
from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from technicians.actions.ask_to_enrol import ask_to_enrol
from technicians.actions.end_enrolment import end_enrolments_of
from technicians.actions.keep_code import end_kept_codes
from technicians.actions.take_methods_away import take_methods_away
from technicians.life_queries import holdings_to_take, on_their_way_out
from technicians.models import Assignment, EnrolmentRequest, KeptCode, LostDevice, Role, Technician
from technicians.plans import DeparturePlan
from technicians.removal_plans import plan_removal
from tenants.models import Reach, Run, SharedAccount


def preview_lost_phone(technician: Technician, *, by: Technician, change_passwords: bool = False) -> DeparturePlan:
    """What `report_lost_phone` would do now. Raises NotPermitted, BadInput (away, nothing to take); changes nothing."""
    _may_report(technician, by)
    plan = plan_removal(holdings_to_take(technician), change_passwords=change_passwords)
    if plan.accounts or KeptCode.objects.live().filter(technician=technician).exists():
        return plan
    if on_their_way_out(technician):
        raise BadInput(
            _("Every authenticator of %(name)s is on its way out already; look at that run. Nothing was changed.")
            % {"name": technician}
        )
    raise BadInput(
        _("No authenticator of %(name)s is on any account, so there is nothing to take away. Nothing was changed.")
        % {"name": technician}
    )


@transaction.atomic
def report_lost_phone(
    technician: Technician, *, by: Technician, reason: str, change_passwords: bool = False, end_sign_in: bool = False
) -> LostDevice:
    """Take the person's methods away everywhere and put the accounts on their enrolment list; they stay active.

    `change_passwords`: also each password in force that this person has fetched. `end_sign_in`: their sign-in to
    Latchkey was on that phone too. Raises NotPermitted, BadInput, LedgerClosed; then nothing was changed.
    """
    if not reason.strip():
        raise BadInput(_("Say what happened: the reason is part of the evidence. Nothing was changed."))
    # Reported twice at once, or while the person leaves: the second waits here, and plans from what the first left.
    technician = Technician.objects.select_for_update().get(pk=technician.pk)
    plan = preview_lost_phone(technician, by=by, change_passwords=change_passwords)
    if end_sign_in:
        _end_sign_in(technician, by)
    because = _("The phone was lost.")
    enrolments = end_enrolments_of(technician, because=because, by=by)
    codes = end_kept_codes(technician=technician, because=because, by=by)
    run = take_methods_away(technician, plan, kind=Run.Kind.LOST_DEVICE, reason=reason.strip(), by=by)
    lost = LostDevice.objects.create(
        reseller=technician.reseller, technician=technician, run=run, reported_by=by, reason=reason.strip()
    )
    record(
        "phone.lost",
        reseller_id=technician.reseller_id,
        actor=by,
        run_id=run.pk,
        technician_id=technician.pk,
        reason=reason.strip(),
        accounts=len(plan.accounts),
        methods=plan.methods_to_go,
        passwords=plan.passwords_to_rotate,
        kept_codes=codes,
        enrolments=enrolments,
        sign_in_ended=end_sign_in,
    )
    _ask_anew(technician, plan, by=by)
    return lost


def may_end_sign_in(technician: Technician, by: Technician) -> bool:
    """Nobody locks themselves out, and an owner's sign-in is ended by an owner."""
    return by.pk != technician.pk and (technician.role != Role.OWNER or by.role == Role.OWNER)


def _ask_anew(technician: Technician, plan: DeparturePlan, *, by: Technician) -> None:
    """On what they hold now; where an assignment has ended the method goes and nothing comes in its place."""
    lost_on = [account.holding.account_id for account in plan.accounts if account.holding.methods]
    held = Assignment.objects.live().filter(technician=technician, account__in=lost_on, account__break_glass=False)
    accounts = SharedAccount.objects.filter(pk__in=held.values("account_id"))
    ask_to_enrol(technician, accounts, because=EnrolmentRequest.Because.LOST_PHONE, by=by)


def _end_sign_in(technician: Technician, by: Technician) -> None:
    if not may_end_sign_in(technician, by):
        raise NotPermitted(
            _("The sign-in of %(name)s has to be ended by somebody else; nothing was changed.") % {"name": technician}
        )
    technician.set_unusable_password()
    technician.save(update_fields=["password"])
    end_sign_ins(technician)


def _may_report(technician: Technician, by: Technician) -> None:
    if technician.reseller_id != by.reseller_id or (technician.pk != by.pk and not by.may("offboard")):
        raise NotPermitted(_("Your role may not report somebody else's phone as lost; nothing was changed."))
    if technician.pk != by.pk and by.reach != Reach.EVERYTHING:
        raise NotPermitted(
            _(
                "You see only some tenants, and a lost phone concerns every tenant of %(name)s. "
                "Ask somebody who sees all of them; nothing was changed."
            )
            % {"name": technician}
        )
    if technician.status == Technician.Status.LEFT:
        raise BadInput(
            _("%(name)s has left, and that run takes every authenticator away. Nothing was changed.")
            % {"name": technician}
        )
    if technician.status == Technician.Status.SUSPENDED:
        raise BadInput(
            _("%(name)s is suspended, and that run takes every authenticator away. Nothing was changed.")
            % {"name": technician}
        )
