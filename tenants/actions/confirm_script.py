"""A person says that the script ran. Nothing follows from that but a reading: what it shows is verified."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput, DirectoryError, LeaseLost, MoveLost, NoConnection, NotSent
from msp.ledger.record import record
from msp.microsoft.ports import Observation, ProbeResult
from tenants.actions.lease import take_lease
from tenants.actions.look import take_look
from tenants.actions.mend import follow_up_again
from tenants.actions.nudge import wake
from tenants.actions.rotate_password import put_in_force
from tenants.actions.settle import facts_of
from tenants.actions.take_script import demand_script_rights
from tenants.actions.try_password import try_password
from tenants.actions.work import Work
from tenants.models import Run, SecretVersion, Step, Target, Tenant
from tenants.plans import ACTS, StepKind, StepState
from tenants.script_plans import REMAINING, TAKEN_AT, seen_after_script
from tenants.script_queries import remaining_targets

if TYPE_CHECKING:
    from msp.outside import Outside
    from technicians.models import Technician

BY_A_PERSON = (SecretVersion.Source.ENTERED, SecretVersion.Source.CORRECTED)


@dataclass(frozen=True)
class Confirmed:
    """What the reading showed of one account. `problem` says why it was not read, "" when it was.

    `shut` says that the tenant as a whole could not be read.
    """

    target: Target
    verified: list[Step]
    not_seen: list[Step]
    problem: str = ""
    shut: bool = False


def confirm_script(run: Run, tenant: Tenant, *, by: Technician, outside: Outside) -> list[Confirmed]:
    """Read every account on which something remains, and verify what is seen; what is not seen stays as it is.

    Raises NotPermitted, BadInput (nothing remains, nobody took the script), LedgerClosed. What a directory says
    against a reading stands in the answer, account by account.
    """
    demand_script_rights(run, tenant, by)
    targets = [t for t in remaining_targets(run, tenant) if any(TAKEN_AT in s.was for s in _remaining(t))]
    if not targets:
        raise BadInput(
            _("Nothing in %(tenant)s waits for a script: nobody took one, or what it did was seen already.")
            % {"tenant": tenant}
        )
    with transaction.atomic():
        record(
            "script.said_to_have_run",
            reseller_id=run.reseller_id,
            actor=by,
            tenant_id=tenant.pk,
            run_id=run.pk,
            accounts=len(targets),
        )
    found: list[Confirmed] = []
    for target in targets:
        shut = next((one for one in found if one.shut), None)
        found.append(replace(shut, target=target) if shut else _confirm(target, outside))
    transaction.on_commit(lambda: wake([one.target.pk for one in found if one.verified]))
    return found


def _remaining(target: Target) -> list[Step]:
    return [step for step in target.steps.all() if step.kind in ACTS and step.status in REMAINING]


def _confirm(target: Target, outside: Outside) -> Confirmed:
    lease = take_lease(target.pk, anyhow=True)
    if lease is None:
        return Confirmed(target, [], [], _("A worker is busy with this account right now; try again in a minute."))
    try:
        directory = outside.directory_for(*target.account.tenant.way)
        work = Work(target, lease, outside, directory)
        look = take_look(work)
        return _written(work, _remaining(target), look)
    except (LeaseLost, MoveLost):
        return Confirmed(target, [], [], _("A worker took this account over meanwhile; try again in a minute."))
    except DirectoryError as trouble:
        return Confirmed(target, [], [], str(trouble), shut=isinstance(trouble, NotSent | NoConnection))
    finally:
        lease.give_back()


def _written(work: Work, steps: list[Step], look: Observation) -> Confirmed:
    entered = _entered_by_a_person(work)
    seen = [s for s in steps if seen_after_script(facts_of(s), look, entered_at=_at(entered, s))]
    if any(s.kind == StepKind.ROTATE_PASSWORD for s in seen) and entered is not None:
        # Where the policy allows it, the sign-in decides; a password that does not sign in proves nothing.
        tried = try_password(entered, directory=work.directory, outside=work.outside)
        if tried == ProbeResult.PASSWORD_REFUSED:
            seen = [s for s in seen if s.kind != StepKind.ROTATE_PASSWORD]
    not_seen = [s for s in steps if s not in seen]
    if seen:
        _verify(work, seen, look, entered)
    return Confirmed(work.target, seen, not_seen)


def _entered_by_a_person(work: Work) -> SecretVersion | None:
    found: SecretVersion | None = (
        SecretVersion.objects.filter(
            secret__account=work.account, status=SecretVersion.Status.CURRENT, source__in=BY_A_PERSON
        )
        .select_related("secret__account__tenant")
        .first()
    )
    return found


def _at(entered: SecretVersion | None, step: Step) -> dt.datetime | None:
    """When the password was entered, if that was after the script was taken."""
    taken_at = step.was.get(TAKEN_AT)
    if entered is None or entered.current_from is None or not taken_at:
        return None
    return entered.current_from if entered.current_from >= dt.datetime.fromisoformat(taken_at) else None


def _verify(work: Work, steps: list[Step], look: Observation, entered: SecretVersion | None) -> None:
    shown = {
        "proven_password_changed_at": look.password_changed_at.isoformat() if look.password_changed_at else None,
        "proven_sessions_valid_from": look.sessions_valid_from.isoformat() if look.sessions_valid_from else None,
    }
    with work.commit():
        for step in steps:
            facts = {"was": {**step.was, **shown}, "verified_at": timezone.now(), "problem": ""}
            if step.kind == StepKind.ROTATE_PASSWORD and entered is not None:
                put_in_force(entered, proof=SecretVersion.Proof.READ_BACK, outside=work.outside)
                facts["version"] = entered
            step.advance(StepState.VERIFIED, **facts)
            work.record("step.verified", step, by_script=True, request_ids=list(look.request_ids))
        _go_on(work.target)


def _go_on(target: Target) -> None:
    """Nothing that the script was to do remains: the proof, the hand-over and the second look come now.

    Where hands are off they come when no act remains at all, as everything there waits for a person.
    """
    remaining = Step.objects.filter(target=target, kind__in=ACTS, status__in=REMAINING)
    if not target.account.tenant.hands_off:
        remaining = remaining.filter(was__has_key=TAKEN_AT)
    if remaining.exists():
        return
    for step in Step.objects.filter(target=target, status=StepState.BLOCKED).exclude(kind__in=ACTS):
        step.advance(StepState.PLANNED, problem="")
    follow_up_again(target)
    Target.objects.filter(pk=target.pk).update(due_at=timezone.now())
