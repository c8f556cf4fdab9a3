"""What people do about a step in a guided place: take it up, and state what became of it. Nothing is read back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from tenants.actions.findings import open_finding, resolve_findings
from tenants.actions.mend import hold_target
from tenants.actions.rotate_password import make_candidate, put_in_force
from tenants.actions.work_by_hand import work_by_hand
from tenants.guided_plans import CONFIRMS, name_of, whose_turn
from tenants.models import Finding, Method, SecretVersion, SharedAccount, Step, Target
from tenants.plans import ACTS, StepKind, StepState

if TYPE_CHECKING:
    from msp.outside import Outside
    from technicians.models import Technician


def may_state(person: Technician, account: SharedAccount) -> bool:
    """Whoever decides about steps, and whoever holds the account now."""
    seen = SharedAccount.objects.visible_to(person).filter(pk=account.pk)
    return (person.may("waive") or person.may("reveal")) and seen.exists()


@transaction.atomic(durable=True)
def prepare_password(step: Step, *, by: Technician, outside: Outside) -> SecretVersion:
    """The new password of this step, kept before anybody sees it; the same one for everybody who asks.

    Raises NotPermitted, BadInput (not its turn, paused, another change is under way), LedgerClosed.
    """
    step = demand_turn(step, by=by)
    if step.kind != StepKind.ROTATE_PASSWORD:
        raise BadInput(_("This step needs no new password."))
    if step.version is not None:
        return step.version
    account = step.target.account
    if SecretVersion.objects.filter(secret__account=account, status__in=SecretVersion.ON_THE_WAY).exists():
        raise BadInput(
            _("Another change of this password is not settled yet. Settle that first; no new password was made.")
        )
    version = make_candidate(account, outside=outside)
    step.version = version
    step.save(update_fields=["version"])
    _record("password.candidate_stored", step, by=by, version=version.number)
    return version


def take_up(step: Step, *, by: Technician) -> None:
    """The new password goes to this person: from now on it may be in force. Call it where the password is given out."""
    step = demand_turn(step, by=by)
    if step.status != StepState.PLANNED:
        return
    assert step.version is not None
    step.version.advance(SecretVersion.Status.UNVERIFIED)
    step.advance(StepState.SENDING, sent_at=timezone.now(), problem="")
    _record("step.taken_up", step, by=by, version=step.version.number)


@transaction.atomic
def state_done(step: Step, *, by: Technician, note: str, outside: Outside) -> None:
    """A person says that it is done, which is all that will ever be known of it. The next step's turn comes.

    A confirmation comes from somebody who did none of the acts, and says how they looked. Raises NotPermitted,
    BadInput (not its turn, the password was never shown), LedgerClosed; then nothing was changed.
    """
    step = demand_turn(step, by=by)
    target, now = step.target, timezone.now()
    if step.kind == CONFIRMS:
        _demand_somebody_else(step, by, note)
    if step.kind == StepKind.ROTATE_PASSWORD and step.status != StepState.SENDING:
        raise BadInput(
            _("Show the new password first: what is set there must be the one that is kept here. Nothing was changed.")
        )
    if step.status == StepState.UNVERIFIED:
        step.advance(StepState.PLANNED)
    step.advance(StepState.STATED, stated_by=by, stated_at=now, stated_note=note.strip(), problem="")
    _record("step.stated", step, by=by, note=note.strip())
    if step.kind == StepKind.ROTATE_PASSWORD:
        assert step.version is not None
        put_in_force(step.version, proof=SecretVersion.Proof.PERSON, outside=outside)
    elif step.method is not None:
        _gone(step.method, by=by)
    work_by_hand(target, outside=outside)


@transaction.atomic
def state_failed(step: Step, *, by: Technician, reason: str, outside: Outside) -> None:
    """A person says that it could not be done, or, of a confirmation, that it is not so.

    Raises NotPermitted, BadInput (no reason, not its turn), LedgerClosed; then nothing was changed.
    """
    step = demand_turn(step, by=by)
    if not reason.strip():
        raise BadInput(_("Say why it could not be done: somebody has to decide what follows. Nothing was changed."))
    said = {"name": by, "reason": reason.strip()}
    if step.kind == CONFIRMS:
        _demand_somebody_else(step, by, reason)
        problem = _("%(name)s looked and found it otherwise: %(reason)s") % said
        if step.status == StepState.PLANNED:
            step.advance(StepState.UNVERIFIED, problem=problem)
        else:
            Step.objects.filter(pk=step.pk).update(problem=problem)
        _record("step.unverified", step, by=by, problem=problem)
    else:
        problem = _("%(name)s could not do it: %(reason)s") % said
        if step.status == StepState.PLANNED:
            step.advance(StepState.SENDING, sent_at=timezone.now())
        step.advance(StepState.REFUSED, problem=problem)
        _record("step.refused", step, by=by, problem=problem)
        if step.kind == StepKind.ROTATE_PASSWORD:
            _not_taken(step, problem)
    work_by_hand(step.target, outside=outside)


def demand_turn(step: Step, *, by: Technician) -> Step:
    """The step as it is now, its target and account locked. Raises NotPermitted, BadInput; call it in a transaction."""
    hold_target(step.target)
    account = SharedAccount.objects.select_for_update(no_key=True).get(pk=step.target.account_id)
    if not may_state(by, account):
        raise NotPermitted(_("This account is not assigned to you now; nothing was changed."))
    target = Target.objects.select_related("account__tenant__customer", "run").get(pk=step.target_id)
    if not target.account.tenant.is_guided:
        raise BadInput(_("Latchkey does this step by itself; nothing was changed."))
    steps = list(
        target.steps.select_related("method__account", "version__secret__account__tenant").order_by("position")
    )
    waiting = whose_turn(steps)
    if waiting is None or waiting.pk != step.pk:
        raise BadInput(
            _("It is not this step's turn: %(next)s. Nothing was changed.")
            % {"next": name_of(waiting.kind) if waiting else _("nothing here waits for a person")}
        )
    if target.run.is_paused and waiting.status == StepState.PLANNED and waiting.kind in ACTS:
        raise BadInput(_("The run is paused: nothing new is begun. Resume it first; nothing was changed."))
    waiting.target = target
    return waiting


def _demand_somebody_else(step: Step, by: Technician, words: str) -> None:
    did = Step.objects.filter(target=step.target, kind__in=ACTS, stated_by=by, status=StepState.STATED)
    if did.exists():
        raise BadInput(
            _("You did a part of this yourself, so somebody else has to confirm it: four eyes. Nothing was changed.")
        )
    if not words.strip():
        raise BadInput(_("Say how you looked: it is part of the evidence. Nothing was changed."))


def _gone(method: Method, *, by: Technician) -> None:
    method.removed_at = timezone.now()
    method.save(update_fields=["removed_at"])
    account = method.account
    resolve_findings(account, method=method)
    record(
        "method.said_to_be_gone",
        reseller_id=account.reseller_id,
        actor=by,
        tenant_id=account.tenant_id,
        account_id=account.pk,
        method=str(method.pk),
        kind=method.kind,
        label=method.label,
    )


def _not_taken(step: Step, problem: str) -> None:
    """The system did not take the new password: the old one still signs in, and a retry makes another one."""
    if step.version is not None:
        step.version.advance(
            SecretVersion.Status.DEAD, retired_at=timezone.now(), retired_because=_("not taken there: said by a person")
        )
    account = step.target.account
    open_finding(
        Finding.Kind.ROTATION_FAILED,
        tenant=account.tenant,
        account=account,
        detail=_("The password was not changed, and the old one still signs in. %(reason)s") % {"reason": problem},
    )


def _record(verb: str, step: Step, *, by: Technician, **facts: Any) -> None:
    account = step.target.account
    record(
        verb,
        reseller_id=step.reseller_id,
        actor=by,
        tenant_id=account.tenant_id,
        account_id=account.pk,
        run_id=step.target.run_id,
        step=str(step.pk),
        kind=step.kind,
        **facts,
    )
