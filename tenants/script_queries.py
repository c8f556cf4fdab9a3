"""What of a run remains to be done by a script in one tenant, as the page and the actions see it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q

from tenants.models import Method, Run, SecretVersion, SharedAccount, Step, Target, Tenant
from tenants.plans import ACTS, StepKind, StepState, leaves_a_way_in
from tenants.script_plans import (
    REMAINING,
    TAKEN_AT,
    RemainingAccount,
    RemainingAct,
    Script,
    ScriptPlan,
    plan_script,
    write_script,
)

STILL_GOING = (*REMAINING, StepState.PLANNED, StepState.SENDING, StepState.ACCEPTED, StepState.UNVERIFIED)
"""A method whose removal is in one of these states is no way in that the guard could count on."""


@dataclass(frozen=True)
class ScriptPage:
    """The plan and the script of one tenant in one run.

    `taken` says that somebody took it before; `passwords` are the accounts whose new password is to be entered.
    """

    plan: ScriptPlan
    script: Script
    taken: bool
    passwords: list[SharedAccount]


def scripted_tenants(run: Run, user: Any) -> list[Tenant]:
    """The tenants of a run in which something remains that Latchkey will not do by itself."""
    remaining = Q(accounts__targets__run=run, accounts__targets__steps__in=remaining_acts(run))
    found = Tenant.objects.visible_to(user).filter(remaining, system=Tenant.System.ENTRA).distinct()
    return list(found.select_related("customer").order_by("default_domain"))


def remaining_acts(run: Run) -> Any:
    return Step.objects.filter(target__run=run, kind__in=ACTS, status__in=REMAINING)


def remaining_targets(run: Run, tenant: Tenant) -> list[Target]:
    """The accounts of one tenant with an act that remains, with their steps, in the order of the run."""
    found = Target.objects.filter(run=run, account__tenant=tenant, steps__in=remaining_acts(run)).distinct()
    return list(
        found.select_related("account__tenant__customer", "run")
        .prefetch_related("steps__method", "steps__version")
        .order_by("position")
    )


def script_page(run: Run, tenant: Tenant, *, ways_in: Callable[[UUID], set[Any]]) -> ScriptPage:
    """The guards are asked now: `ways_in` gives the methods of those who stay on an account."""
    targets = remaining_targets(run, tenant)
    plan = plan_script(_remaining(targets, ways_in))
    script = write_script(
        plan.accounts,
        tenant_id=str(tenant.directory_id),
        domain=tenant.default_domain,
        cloud=tenant.cloud,
        run_id=str(run.pk),
        about=f"{run.kind}. {run.reason}",
    )
    taken = any(TAKEN_AT in step.was for target in targets for step in target.steps.all())
    keys = set(plan.keys)
    passwords = [
        target.account
        for target in targets
        for step in target.steps.all()
        if step.kind == StepKind.ROTATE_PASSWORD and str(step.pk) in keys
    ]
    return ScriptPage(plan, script, taken, passwords)


def _remaining(targets: Iterable[Target], ways_in: Callable[[UUID], set[Any]]) -> list[RemainingAccount]:
    targets = list(targets)
    accounts = [target.account_id for target in targets]
    undecided = set(
        SecretVersion.objects.filter(secret__account__in=accounts, status=SecretVersion.Status.UNVERIFIED).values_list(
            "secret__account_id", flat=True
        )
    )
    present: defaultdict[Any, set[Any]] = defaultdict(set)
    for account_id, pk in (
        Method.objects.present().personal().filter(account__in=accounts).values_list("account_id", "pk")
    ):
        present[account_id].add(pk)
    found = []
    for target in targets:
        steps, account = list(target.steps.all()), target.account
        going = {s.method_id for s in steps if s.kind == StepKind.REMOVE_METHOD and s.status in STILL_GOING}
        found.append(
            RemainingAccount(
                object_id=account.object_id,
                user_principal_name=account.user_principal_name,
                acts=tuple(_act(step) for step in steps),
                break_glass=account.break_glass,
                synced=account.synced,
                safe=not going
                or leaves_a_way_in(ways_in=ways_in(account.pk), present=present[account.pk], going=going),
                undecided=account.pk in undecided,
            )
        )
    return found


def _act(step: Step) -> RemainingAct:
    method = step.method
    return RemainingAct(
        kind=StepKind(step.kind),
        status=step.status,
        problem=step.problem,
        method=(method.directory_id, method.kind) if method else None,
        label=method.label if method else "",
        key=str(step.pk),
    )


def open_acts_in(tenant: Tenant) -> int:
    """How many acts of runs are still to be sent in a tenant."""
    return int(Step.objects.filter(target__account__tenant=tenant, kind__in=ACTS, status=StepState.PLANNED).count())
