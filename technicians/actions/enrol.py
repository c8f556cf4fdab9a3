"""A technician registers on Microsoft's page: bind exactly the method that appears while they do."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from msp.microsoft.ports import MethodKind
from technicians.actions.bind_authenticator import bind_authenticator
from technicians.actions.end_enrolment import end_enrolment, why_too_late
from technicians.actions.expire_enrolments import expire_enrolments
from technicians.actions.issue_pass import take_back_pass_if_any
from technicians.actions.kept_code_waits import end_those_that_wait_in_vain, it_appeared, kept_and_waiting
from technicians.actions.settle_enrolment import finished
from technicians.models import Assignment, Authenticator, Enrolment, Technician
from tenants.actions.make_registration import free_places
from tenants.actions.observe_account import observe_account
from tenants.enrolment_policy_queries import enrolment_policy_of
from tenants.models import Method, Registration, SharedAccount

if TYPE_CHECKING:
    from msp.outside import Outside

AT_LEAST = dt.timedelta(minutes=30)
"""Signing in at Microsoft and registering there takes longer than scanning a code from a page of ours."""


def begin_enrolment(
    technician: Technician,
    account: SharedAccount,
    *,
    by: Technician,
    outside: Outside,
    way: Enrolment.Way = Enrolment.Way.MICROSOFT_PAGE,
) -> Enrolment:
    """Read what is there, so that what is new can be told apart. `way` may be KEPT_HERE as well, for oneself.

    Raises NotPermitted, BadInput (not assigned, not allowed, no place free, another enrolment open), LedgerClosed, and
    what a reading raises.
    """
    if by.pk != technician.pk and (not by.may("enrol") or way == Enrolment.Way.KEPT_HERE):
        raise NotPermitted(_("Your role may not enrol others; nothing was changed."))
    _demand_allowed(technician, account, way)
    observe_account(account, outside=outside)
    expire_enrolments(account=account)
    policy = enrolment_policy_of(account)
    try:
        with transaction.atomic():
            _demand_place(account)
            enrolment = Enrolment.objects.create(
                reseller_id=account.reseller_id,
                technician=technician,
                account=account,
                way=way,
                status=Enrolment.Status.WAITING_FOR_SCAN,
                requested_by=by,
                expires_at=timezone.now() + max(AT_LEAST, dt.timedelta(minutes=policy.minutes_on_screen)),
                seen_before=[str(pk) for pk in account.methods.present().values_list("pk", flat=True)],
            )
            _record("enrolment.begun", enrolment, by=by, way=str(way))
    except IntegrityError as clash:
        raise BadInput(_why_clash(technician, account)) from clash
    return enrolment


def _why_clash(technician: Technician, account: SharedAccount) -> str:
    names = {"account": account, "name": technician}
    if Enrolment.objects.open().filter(technician=technician, account=account).exists():
        return _("%(name)s is enrolling on %(account)s already: finish or cancel that first.") % names
    return _("Somebody else is enrolling on %(account)s right now; wait until they are done.") % names


def _demand_allowed(technician: Technician, account: SharedAccount, way: Enrolment.Way) -> None:
    names = {"account": account, "name": technician}
    if not technician.is_active or not Assignment.objects.live().filter(technician=technician, account=account):
        raise BadInput(_("%(account)s is not assigned to %(name)s; assign it first.") % names)
    if account.tenant.is_guided:
        raise BadInput(
            _("%(account)s is not at Microsoft: register the authenticator there, then say so on its page.") % names
        )
    policy = enrolment_policy_of(account)
    if not (policy.kept_here if way == Enrolment.Way.KEPT_HERE else policy.microsoft_page):
        raise BadInput(_("The enrolment policy of %(account)s does not allow this way; choose another one.") % names)


def _demand_place(account: SharedAccount) -> None:
    """The row stays locked, as for a token of ours: of two people who want the last place one gets it."""
    SharedAccount.objects.select_for_update(no_key=True).only("pk").get(pk=account.pk)
    if not free_places(account):
        raise BadInput(
            _("All five authenticator places of %(account)s are taken; remove one first.") % {"account": account}
        )


def finish_enrolment(enrolment: Enrolment, *, by: Technician, outside: Outside) -> Enrolment:
    """Bind the one method that appeared since. Raises BadInput when none or several did: then nobody is bound."""
    demand_open(enrolment, by=by)
    account, technician = enrolment.account, enrolment.technician
    kept = kept_and_waiting(account, technician) if enrolment.way == Enrolment.Way.KEPT_HERE else None
    if enrolment.way == Enrolment.Way.KEPT_HERE and kept is None:
        raise BadInput(_("Paste the key from Microsoft's page first: without it no codes could be kept here."))
    observe_account(account, outside=outside)
    new = _the_one_that_appeared(enrolment)
    with transaction.atomic():
        # Whoever ends this person's access waits for us, or we for them.
        technician = Technician.objects.select_for_update(no_key=True).get(pk=technician.pk)
        _demand_still_held(technician, account)
        proven = enrolment.key_proven_at is not None
        proof = Authenticator.Proof.PROVEN if proven else Authenticator.Proof.OBSERVED
        bound = bind_authenticator(new, technician, by=by, proof=proof)
        enrolment.advance(Enrolment.Status.ACTIVE, authenticator=bound, note="")
        if kept is not None:
            it_appeared(kept, bound)
        finished(enrolment)
    take_back_pass_if_any(enrolment, outside=outside)
    return enrolment


def cancel_enrolment(enrolment: Enrolment, *, by: Technician, outside: Outside) -> None:
    """In any way of enrolling. Raises NotPermitted, MoveRefused when it was over already, MoveLost."""
    _demand_may(enrolment, by)
    because = _("%(name)s cancelled it.") % {"name": by}
    with transaction.atomic():
        end_enrolment(enrolment, Enrolment.Status.CANCELLED, because=because, by=by)
        end_those_that_wait_in_vain(technician=enrolment.technician)
    take_back_pass_if_any(enrolment, outside=outside)


def demand_open(enrolment: Enrolment, *, by: Technician) -> None:
    """That this person may act in an enrolment on Microsoft's page, and that it is not over. Expires one that is late.

    Raises NotPermitted, BadInput.
    """
    _demand_may(enrolment, by)
    if enrolment.status != Enrolment.Status.WAITING_FOR_SCAN:
        raise BadInput(_("This enrolment is closed; begin another one."))
    if enrolment.registration_id is not None:
        raise BadInput(_("In this enrolment nothing is registered on Microsoft's page; go on as its page says."))
    if enrolment.expires_at <= timezone.now():
        end_enrolment(enrolment, Enrolment.Status.EXPIRED, because=why_too_late(), by=None)
        raise BadInput(_("This enrolment took too long and has expired; begin another one."))


def _demand_may(enrolment: Enrolment, by: Technician) -> None:
    if by.pk != enrolment.technician_id and not by.may("enrol"):
        raise NotPermitted(_("Your role may not enrol others; nothing was changed."))


def _demand_still_held(technician: Technician, account: SharedAccount) -> None:
    held = Assignment.objects.live().filter(technician=technician, account=account)
    if not technician.is_active or not held.exists():
        raise BadInput(
            _("%(name)s does not hold %(account)s any more. Nobody was bound; what is registered shows as unknown.")
            % {"name": technician, "account": account}
        )


def _the_one_that_appeared(enrolment: Enrolment) -> Method:
    new = _appeared(enrolment)
    if not new:
        raise BadInput(_("Nothing new is on the account yet. Finish on Microsoft's page, then ask again."))
    if len(new) > 1:
        raise BadInput(
            _(
                "%(count)d methods appeared at once, so it cannot be said whose they are. Nobody was bound, and they "
                "stand as unknown on the account. Delete the new ones on Microsoft's page, each where it was made, and "
                "ask again when one new method is left; or cancel, and enrol one person after the other."
            )
            % {"count": len(new)}
        )
    wanted_a_key = enrolment.key_proven_at is not None or enrolment.way == Enrolment.Way.KEPT_HERE
    if wanted_a_key and new[0].kind != MethodKind.SOFTWARE_OATH:
        raise BadInput(
            _(
                "What appeared is another kind (%(kind)s) than the authenticator whose key you gave. Nobody was bound. "
                "Delete it on Microsoft's page, add an authenticator by “I want to use a different authenticator app”, "
                "and ask again."
            )
            % {"kind": new[0].get_kind_display()}
        )
    return new[0]


def _appeared(enrolment: Enrolment) -> list[Method]:
    """Neither a pass nor a token of ours, which has a person of its own."""
    of_ours = Registration.objects.filter(account=enrolment.account).exclude(device_id="").values("device_id")
    present = enrolment.account.methods.present().personal().filter(authenticator__isnull=True)
    others = present.exclude(kind=MethodKind.TEMPORARY_ACCESS_PASS).exclude(directory_id__in=of_ours)
    return [m for m in others if str(m.pk) not in set(enrolment.seen_before)]


def _record(verb: str, enrolment: Enrolment, *, by: Technician, **facts: Any) -> None:
    record(
        verb,
        reseller_id=enrolment.reseller_id,
        actor=by,
        tenant_id=enrolment.account.tenant_id,
        account_id=enrolment.account_id,
        technician_id=enrolment.technician_id,
        enrolment=str(enrolment.pk),
        **facts,
    )
