"""Somebody stays, and some of their methods go: a run with the guard on, written down in the caller's transaction."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction

from technicians.life_queries import old_app_holdings
from technicians.models import Authenticator, Technician
from technicians.plans import DeparturePlan
from technicians.removal_plans import plan_removal
from tenants.actions.open_run import open_run
from tenants.models import Run


@transaction.atomic
def take_methods_away(
    technician: Technician, plan: DeparturePlan, *, kind: Run.Kind, reason: str, by: Technician | None
) -> Run:
    """Nothing at Microsoft changes here; the workers are woken after the commit. Raises LedgerClosed."""
    return open_run(
        kind,
        reseller=technician.reseller,
        targets=plan.targets,
        reason=reason,
        by=by,
        about={"holder": technician.email},
    )


@transaction.atomic
def take_old_methods_away(
    technician: Technician,
    account_id: UUID | Any,
    *,
    kind: Run.Kind,
    reason: str,
    by: Technician | None,
    except_for: Authenticator | None = None,
) -> Run | None:
    """What is left of an old phone on one account goes; None when there is nothing, or it is on its way out already."""
    plan = plan_removal(old_app_holdings(technician, [account_id], except_for=except_for))
    if not plan.accounts:
        return None
    return take_methods_away(technician, plan, kind=kind, reason=reason, by=by)
