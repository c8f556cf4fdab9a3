"""Say whose a method is that was there before Latchkey: by one's own word, by a sign-in, or by a manager's word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import ProtectedError
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from msp.microsoft.tenant_ports import Cursor
from technicians.actions.bind_authenticator import bind_authenticator
from technicians.actions.do_take_over_task import open_tasks_again, task_done_by_claim
from technicians.claim_plans import LOOKED_BACK, NamedIn, sign_ins_that_name, why_nobody_can_claim, why_not_by_label
from technicians.models import Assignment, Authenticator, Technician
from technicians.take_over_queries import claimed_method
from tenants.actions.observe_account import flag_methods
from tenants.enrolment_policy_queries import enrolment_policy_of
from tenants.models import Method

if TYPE_CHECKING:
    from msp.outside import Outside

Proof = Authenticator.Proof
CLAIMS = (Proof.CLAIMED, Proof.SIGNED_IN, Proof.SAID)
LONGEST_NOTE = 500


def claim(
    method: Method,
    technician: Technician,
    *,
    by: Technician,
    proof: Authenticator.Proof,
    note: str = "",
    event: str | None = None,
    outside: Outside,
) -> Authenticator:
    """Bind a method that is there already. `event` is the id of the sign-in that names it, for SIGNED_IN.

    A binding that an import brought for the same person gets this proof instead. Raises NotPermitted, BadInput (not
    held by this person, not claimable, no evidence, somebody else's), and for SIGNED_IN what reading a log raises.
    """
    _may_claim(method, technician, by, proof, note)
    evidence = note.strip()[:LONGEST_NOTE]
    if proof == Proof.CLAIMED:
        allowed = enrolment_policy_of(method.account).claims
        if refused := why_not_by_label(claimed_method(method), claims_allowed=allowed):
            raise BadInput(_("%(why)s Nothing was bound.") % {"why": refused})
    elif refused := why_nobody_can_claim(claimed_method(method)):
        raise BadInput(_("%(why)s Nothing was bound.") % {"why": refused})
    if proof == Proof.SIGNED_IN:
        evidence = _sign_in(method, event, outside=outside).note
    with transaction.atomic():
        bound = bind_authenticator(method, technician, by=by, proof=proof, note=evidence)
        if bound.proof == Proof.IMPORTED:
            _prove_import(bound, by=by, proof=proof, note=evidence)
        task_done_by_claim(bound, by=by)
    return bound


def sign_ins_naming(method: Method, *, outside: Outside) -> tuple[NamedIn, ...]:
    """What the directory's log of the last days says of this method's device, newest first.

    Raises what reading a log raises: NeedsLicence, NotAllowed, NoConnection, NotSent.
    """
    since = timezone.now() - LOOKED_BACK
    reader = outside.reader_for(*method.account.tenant.way)
    events, _cursor = reader.sign_ins(method.account.ref, Cursor(newest=since))
    return sign_ins_that_name(claimed_method(method), events, since=since)


@transaction.atomic
def unclaim(authenticator: Authenticator, *, by: Technician, reason: str) -> None:
    """Take back a binding that rests on somebody's word: the method is unknown again.

    Raises NotPermitted, and BadInput for one that was proven: that ends when the method is removed.
    """
    if by.pk != authenticator.technician_id and not by.may("enrol"):
        raise NotPermitted(_("Your role may not say whose a method is; nothing was changed."))
    if by.reseller_id != authenticator.reseller_id:
        raise NotPermitted(_("This method belongs to another reseller; nothing was changed."))
    if authenticator.proof not in Authenticator.ON_A_WORD:
        raise BadInput(
            _("That this is %(name)s's was proven, so nobody can take it back. Remove the method instead.")
            % {"name": authenticator.technician}
        )
    if not reason.strip():
        raise BadInput(_("Say why this was wrong; nothing was changed."))
    account = authenticator.method.account
    record(
        "authenticator.unclaimed",
        reseller_id=authenticator.reseller_id,
        actor=by,
        tenant_id=account.tenant_id,
        account_id=account.pk,
        technician_id=authenticator.technician_id,
        method=str(authenticator.method_id),
        proof=authenticator.proof,
        reason=reason.strip(),
    )
    open_tasks_again(authenticator, by=by)
    try:
        authenticator.delete()
    except ProtectedError as held:
        raise BadInput(
            _("Something else here rests on this binding, so it stays. Remove the method instead; nothing was changed.")
        ) from held
    flag_methods(account)


def _may_claim(method: Method, technician: Technician, by: Technician, proof: Authenticator.Proof, note: str) -> None:
    if proof not in CLAIMS:
        raise BadInput(_("This is no kind of claim; nothing was bound."))
    if by.pk != technician.pk and not by.may("enrol"):
        raise NotPermitted(_("Your role may claim methods for yourself only; nothing was bound."))
    if proof == Proof.CLAIMED and by.pk != technician.pk:
        raise NotPermitted(_("Only %(name)s can claim this as theirs; nothing was bound.") % {"name": technician})
    if proof == Proof.SAID:
        if not by.may("enrol"):
            raise NotPermitted(_("Only a manager may say whose a method is; nothing was bound."))
        if not note.strip():
            raise BadInput(_("Write down how you know whose this is; it stays beside the binding. Nothing was bound."))
    held = Assignment.objects.live().filter(technician=technician, account=method.account_id)
    if not technician.is_active or not held.exists():
        raise BadInput(
            _("%(account)s is not assigned to %(name)s, so nothing on it can be theirs. Assign it first.")
            % {"account": method.account, "name": technician}
        )


def _sign_in(method: Method, event: str | None, *, outside: Outside) -> NamedIn:
    """The log is read again: what a form brings back is not believed."""
    found = next((named for named in sign_ins_naming(method, outside=outside) if named.event_id == event), None)
    if found is None:
        raise BadInput(
            _("That sign-in is not among those of the last %(days)d days that name this device. Nothing was bound.")
            % {"days": LOOKED_BACK.days}
        )
    return found


def _prove_import(bound: Authenticator, *, by: Technician, proof: Authenticator.Proof, note: str) -> None:
    account = bound.method.account
    Authenticator.objects.filter(pk=bound.pk).update(proof=proof, note=note)
    bound.proof, bound.note = proof, note
    record(
        "authenticator.proof_changed",
        reseller_id=bound.reseller_id,
        actor=by,
        tenant_id=account.tenant_id,
        account_id=account.pk,
        technician_id=bound.technician_id,
        method=str(bound.method_id),
        was=Proof.IMPORTED,
        proof=proof,
        note=note,
    )
