"""Somebody has an account no longer: what they know of it must change where the policy says so, and methods go."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone

from technicians.actions.follow_with_methods import follow_with_methods
from technicians.models import Assignment, Reveal, Technician
from tenants.actions.demand_change import demand_change
from tenants.models import ChangeDemand, SecretVersion
from tenants.policy_queries import policies_of

LOOKED_BACK = dt.timedelta(days=7)
"""How long an installation may have stood still without missing an assignment that ran out."""


def demand_changes_after(assignments: Iterable[Assignment], *, by: Technician | None = None) -> int:
    """A change of each password that the person has fetched and that may still sign in. Says how many are new.

    Call it in the transaction that ends the assignments; they need `account__tenant` and `technician` loaded.
    """
    ended = list(assignments)
    policies = policies_of([assignment.account for assignment in ended])
    known = set(
        Reveal.objects.filter(
            technician__in=[assignment.technician_id for assignment in ended],
            version__secret__account__in=[assignment.account_id for assignment in ended],
            version__status__in=SecretVersion.MAY_SIGN_IN,
        ).values_list("technician_id", "version__secret__account_id")
    )
    return sum(
        demand_change(assignment.account, ChangeDemand.Because.ASSIGNMENT_END, by=by, detail=str(assignment.technician))
        for assignment in ended
        if policies[assignment.account_id].rules.rotate_after_assignment_end
        and (assignment.technician_id, assignment.account_id) in known
    )


def look_for_ended_assignments() -> int:
    """Nobody acts when an assignment runs out by its date, so the clock asks. Safe to call at any time."""
    now = timezone.now()
    ran_out = Assignment.objects.filter(until_at__gt=now - LOOKED_BACK, until_at__lte=now)
    again = Assignment.objects.live(now).filter(account__in=ran_out.values("account"))
    live = set(again.values_list("technician_id", "account_id"))
    ended = [
        assignment
        for assignment in ran_out.select_related("account__tenant", "technician")
        if (assignment.technician_id, assignment.account_id) not in live
    ]
    with transaction.atomic():
        follow_with_methods(ended)
        return demand_changes_after(ended)
