"""What pages, commands and the copy read about rehearsals and about the runs that followed them."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from django.db.models import Max, Q, QuerySet

from technicians.models import Assignment, Authenticator, Offboarding, Rehearsal, Technician
from tenants.models import Run
from tenants.plans import StepState
from tenants.run_queries import targets_of

Status = Rehearsal.Status


def outcome_of(run: Run) -> list[dict[str, Any]]:
    """A run's accounts and steps in the order of work, as `technicians.rehearsal_plans` describes it.

    Asked right after the run was opened, `held` is what a guard held in the plan.
    """
    return [
        {
            "id": str(target.account_id),
            "account": str(target.account),
            "tenant": str(target.account.tenant),
            "steps": [
                {
                    "kind": str(step.kind),
                    "method": str(step.method_id) if step.method_id else None,
                    "held": step.status == StepState.BLOCKED,
                    "state": str(step.status),
                    "problem": step.problem,
                }
                for step in target.steps.all()
            ],
        }
        for target in targets_of(run)
    ]


def run_after(rehearsal: Rehearsal) -> Run | None:
    """The real run of what was rehearsed: of its request, else of the person's departure if it began afterwards."""
    if rehearsal.request is not None:
        return rehearsal.request.run
    departure = Offboarding.objects.filter(technician=rehearsal.technician_id).select_related("run").first()
    if departure is None or departure.run.started_at < rehearsal.asked_at:
        return None
    return departure.run


def last_finished(technician: Technician) -> Rehearsal | None:
    found: Rehearsal | None = technician.rehearsals.filter(status=Status.FINISHED).order_by("-ended_at").first()
    return found


def under_way(technician: Technician) -> Rehearsal | None:
    found: Rehearsal | None = technician.rehearsals.filter(status__in=[Status.WAITING, Status.RUNNING]).first()
    return found


def people_to_rehearse(reseller_id: UUID) -> list[tuple[UUID, dt.datetime | None]]:
    """(person, when their last rehearsal was asked for) of everybody active who could enter an account."""
    holders: QuerySet[Any] = Technician.objects.active().filter(
        Q(pk__in=Assignment.objects.live().values("technician_id"))
        | Q(pk__in=Authenticator.objects.on_the_account().values("technician_id")),
        reseller_id=reseller_id,
    )
    return list(holders.annotate(last=Max("rehearsals__asked_at")).order_by("name", "pk").values_list("pk", "last"))
