"""Make room on a full account: one unknown method, chosen by the rule of `plan_place`, gives up its place."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput, DirectoryError, NotPermitted
from msp.ledger.record import record
from msp.microsoft.tenant_ports import Cursor, SignInEvent
from technicians.claim_plans import LOOKED_BACK, sign_ins_that_name
from technicians.models import TakeOver, Technician
from technicians.take_over_plans import AccountFacts, PlacePlan, plan_place, steps_for_a_place
from technicians.take_over_queries import claimed_method, facts_of
from tenants.actions.observe_account import observe_account
from tenants.actions.open_run import open_run
from tenants.models import Method, Run, SharedAccount, Step
from tenants.plans import PlannedTarget, StepKind, StepState

if TYPE_CHECKING:
    from msp.outside import Outside

UNDER_WAY = (StepState.PLANNED, StepState.SENDING, StepState.ACCEPTED)


@dataclass(frozen=True)
class PlacePreview:
    """`log_problem` says why nobody knows which method was used lately, "" when the log of sign-ins was read."""

    facts: AccountFacts
    plan: PlacePlan
    log_problem: str


def preview_place(take_over: TakeOver, account: SharedAccount, *, by: Technician, outside: Outside) -> PlacePreview:
    """Read the account and its sign-ins, and say what `free_place` would do. Changes nothing at Microsoft.

    Raises NotPermitted, BadInput, and what a reading raises.
    """
    _may_free(take_over, account, by)
    observe_account(account, outside=outside)
    [facts] = facts_of([account])
    events, problem = _sign_ins(account, outside=outside)
    facts = replace(facts, unknown=tuple(_with_use(facts, events)))
    return PlacePreview(facts, plan_place(facts), problem)


def free_place(
    take_over: TakeOver, account: SharedAccount, *, method_id: Any, by: Technician, reason: str, outside: Outside
) -> Run:
    """Open the run that removes this one method. Raises like `preview_place`, and BadInput when the rule now says
    another one, so that nothing goes that nobody looked at."""
    if not reason.strip():
        raise BadInput(_("Say for whom the place is needed: it is part of the evidence. Nothing was changed."))
    preview = preview_place(take_over, account, by=by, outside=outside)
    goes = preview.plan.goes
    if goes is None:
        raise BadInput(preview.plan.hold)
    if str(goes.method.id) != str(method_id):
        raise BadInput(_("Something changed meanwhile, and another method would go now. Look again; nothing was done."))
    with transaction.atomic():
        SharedAccount.objects.select_for_update(no_key=True).only("pk").get(pk=account.pk)
        _nothing_else_happens(account, goes.method.id)
        run = open_run(
            Run.Kind.TAKE_OVER,
            reseller=take_over.reseller,
            targets=[PlannedTarget(account.pk, steps_for_a_place(goes.method.id))],
            reason=reason.strip(),
            by=by,
            about={"take_over": str(take_over.pk)},
        )
        record(
            "take_over.place_freed",
            reseller_id=take_over.reseller_id,
            actor=by,
            tenant_id=account.tenant_id,
            account_id=account.pk,
            run_id=run.pk,
            take_over=str(take_over.pk),
            method=str(goes.method.id),
            why=goes.why,
        )
    return run


def _may_free(take_over: TakeOver, account: SharedAccount, by: Technician) -> None:
    if not by.may("enrol") or by.reseller_id != take_over.reseller_id:
        raise NotPermitted(_("Your role may not remove methods; nothing was changed."))
    if take_over.status != TakeOver.Status.OPEN:
        raise BadInput(_("This take-over is not open (%(state)s).") % {"state": take_over.get_status_display()})
    if not take_over.accounts.filter(account=account, closed_at__isnull=True).exists():
        raise BadInput(_("%(account)s is not an open part of this take-over.") % {"account": account})


def _sign_ins(account: SharedAccount, *, outside: Outside) -> tuple[tuple[SignInEvent, ...], str]:
    """Many tenants have no licence for the log; then the rule does without it, and the page says so."""
    reader = outside.reader_for(*account.tenant.way)
    try:
        events, _cursor = reader.sign_ins(account.ref, Cursor(newest=timezone.now() - LOOKED_BACK))
    except DirectoryError as trouble:
        return (), str(trouble)
    return events, ""


def _with_use(facts: AccountFacts, events: tuple[SignInEvent, ...]) -> list[Any]:
    since: dt.datetime = timezone.now() - LOOKED_BACK
    rows = Method.objects.in_bulk([method.id for method in facts.unknown])
    found = []
    for method in facts.unknown:
        named = sign_ins_that_name(claimed_method(rows[method.id]), events, since=since)
        found.append(replace(method, used_at=named[0].at) if named else method)
    return found


def _nothing_else_happens(account: SharedAccount, method_id: Any) -> None:
    if not Method.objects.unknown().filter(pk=method_id).exists():
        raise BadInput(_("Somebody claimed this method meanwhile. Look again; nothing was done."))
    going = Step.objects.filter(target__account=account, kind=StepKind.REMOVE_METHOD, status__in=UNDER_WAY)
    if going.exists():
        raise BadInput(_("A run removes a method of this account already. Wait for it; nothing was done."))
