"""Somebody moved on: an account is theirs no longer, so the methods they have there go as well."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from technicians.actions.ask_to_enrol import withdraw_request
from technicians.actions.take_methods_away import take_methods_away
from technicians.life_queries import holdings_to_take
from technicians.models import Assignment, Technician
from technicians.removal_plans import plan_removal, without
from tenants.models import Run, Step
from tenants.plans import StepKind


@transaction.atomic
def follow_with_methods(assignments: Iterable[Assignment], *, by: Technician | None = None) -> list[Run]:
    """A run for each person, over the accounts of the ended assignments; guard on, and no password is changed by it.

    Somebody who left or is suspended has a run of their own that takes everything. A method whose removal was written
    down since its assignment ended is left to that run, also when a guard holds it there: so the clock may ask again
    and again. The assignments need `account` and `technician` loaded. Raises LedgerClosed.
    """
    ended_of: defaultdict[Technician, list[Assignment]] = defaultdict(list)
    for assignment in assignments:
        if assignment.technician.is_active:
            ended_of[assignment.technician].append(assignment)
    runs = []
    for technician, ended in ended_of.items():
        for assignment in ended:
            withdraw_request(technician, assignment.account, by=by)
        plan = plan_removal(
            without(holdings_to_take(technician, {a.account_id for a in ended}), _written_down_since(ended))
        )
        if plan.accounts:
            reason = _("%(name)s does not hold the account any more.") % {"name": technician}
            runs.append(take_methods_away(technician, plan, kind=Run.Kind.MOVE, reason=reason, by=by))
    return runs


def _written_down_since(ended: list[Assignment]) -> set[Any]:
    """The ids of methods whose removal was planned after the assignment to their account ended."""
    ended_at = {assignment.account_id: assignment.until_at for assignment in ended}
    removals = Step.objects.filter(
        kind=StepKind.REMOVE_METHOD,
        method__authenticator__technician=ended[0].technician_id,
        target__account__in=ended_at,
    ).values_list("method_id", "target__account_id", "target__run__started_at")
    return {method for method, account, planned_at in removals if planned_at >= ended_at[account]}
