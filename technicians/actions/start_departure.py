"""A departure begins: access inside Latchkey ends and the run is written down, in one transaction."""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput, LatchkeyError, NotPermitted
from msp.ledger.record import record
from technicians.actions.departure_rules import lock_people
from technicians.actions.end_access import end_access
from technicians.actions.end_assignments_there import end_assignments_there
from technicians.actions.exit_customer import exit_customer
from technicians.actions.hand_over_duties import hand_over_duties
from technicians.actions.tell_of_requests import tell_whoever_asked
from technicians.departure_queries import accounts_in, place_of, plan_for
from technicians.difference_plans import Difference, differences, stopped_where_recreated
from technicians.models import DepartureRequest, Offboarding, Technician
from technicians.plans import DeparturePlan
from technicians.preview_queries import snapshot_of
from tenants.actions.open_run import open_run
from tenants.models import Run

logger = logging.getLogger(__name__)

Scope = DepartureRequest.Scope
Starts = DepartureRequest.Starts
Status = DepartureRequest.Status


@transaction.atomic
def start_departure(request: DepartureRequest, *, by: Technician | None) -> Run:
    """End the access of the leavers here and open the run, from a plan made now. No `by`: the clock starts it.

    Raises NotPermitted (approvals are missing), BadInput (started or ended already, everybody left), LedgerClosed.
    """
    request = locked(request)
    if request.status not in DepartureRequest.OPEN:
        raise BadInput(
            _("This request is not open (%(state)s); nothing was changed.") % {"state": request.get_status_display()}
        )
    agreed = request.approvals.filter(agrees=True).count()
    if request.override_at is None and agreed < request.approvals_needed:
        raise NotPermitted(
            _("%(missing)d more people have to agree before this departure starts; nothing was changed.")
            % {"missing": request.approvals_needed - agreed}
        )
    return begin(request, by=by)


def locked(request: DepartureRequest) -> DepartureRequest:
    """The request's row, for this transaction ours alone: whoever decides at the same time waits, and then sees it."""
    found: DepartureRequest = DepartureRequest.objects.select_for_update(of=("self",)).get(pk=request.pk)
    return found


def begin(request: DepartureRequest, *, by: Technician | None, plan: DeparturePlan | None = None) -> Run:
    """The same, for a caller who has asked whether it may start and holds its row in a transaction.

    `plan` is the one that was previewed in this transaction; otherwise it is made anew and compared with the preview.
    """
    people = [p for p in lock_people(request.leavers.all()) if p.status != Technician.Status.LEFT]
    if not people and request.scope != Scope.CUSTOMER:
        raise BadInput(_("Everybody whom this request is about has left already; nothing was changed. Withdraw it."))
    changed: list[Difference] = []
    if plan is None:
        plan, changed = _planned_anew(request, people)
    run = _carry_out(request, people, plan, by)
    if run.requested_by_id != request.requested_by_id:
        # The clock or the last approval starts it; the name on the run is that of whoever asked for it.
        run.requested_by = request.requested_by
        run.save(update_fields=["requested_by"])
    if people:
        only = None if request.scope == Scope.PERSON else accounts_in(place_of(request))
        hand_over_duties(people, request.successor, by=by, request=request, only=only)
    request.advance(Status.STARTED, run=run, differences=changed, problem="")
    record(
        "departure.started",
        reseller_id=request.reseller_id,
        actor=by,
        run_id=run.pk,
        request=str(request.pk),
        requested_by=request.requested_by.email if request.requested_by else None,
        approved_by=[approval.by.email for approval in request.approvals.filter(agrees=True).select_related("by")],
        differences=len(changed),
    )
    return run


def _carry_out(request: DepartureRequest, people: list[Technician], plan: DeparturePlan, by: Technician | None) -> Run:
    if request.customer is not None:
        return exit_customer(request.customer, by=by, reason=request.reason, plan=plan).run
    return _leave(request, people, plan, by) if request.scope == Scope.PERSON else _move(request, people, plan, by)


def _planned_anew(request: DepartureRequest, people: list[Technician]) -> tuple[DeparturePlan, list[Difference]]:
    """What it does now, and how that differs from what was shown when it was asked for."""
    plan = plan_for(people, place_of(request))
    changed = differences(request.preview, snapshot_of(plan, people, reseller_id=request.reseller_id))
    return stopped_where_recreated(plan, changed), changed


def _leave(request: DepartureRequest, people: list[Technician], plan: DeparturePlan, by: Technician | None) -> Run:
    for person in people:
        end_access(person, by=by)
    run = _open(Run.Kind.OFFBOARDING, request, plan, by, _named("leaver", people))
    Offboarding.objects.bulk_create(
        Offboarding(reseller=request.reseller, technician=person, run=run) for person in people
    )
    for person in people:
        record(
            "technician.offboarded",
            reseller_id=request.reseller_id,
            actor=by,
            run_id=run.pk,
            technician_id=person.pk,
            reason=request.reason,
            accounts=len(plan.accounts),
            methods=plan.methods_to_go,
            at=timezone.now(),
        )
    return run


def _move(request: DepartureRequest, people: list[Technician], plan: DeparturePlan, by: Technician | None) -> Run:
    """They stay, and what is theirs in this place goes."""
    there = accounts_in(place_of(request)) or set()
    for person in people:
        end_assignments_there(person, there, by=by)
    return _open(Run.Kind.MOVE, request, plan, by, _named("holder", people))


def _open(
    kind: Run.Kind, request: DepartureRequest, plan: DeparturePlan, by: Technician | None, about: dict[str, Any]
) -> Run:
    return open_run(
        kind, reseller=request.reseller, targets=plan.targets, reason=request.reason, by=by,
        about=about | {"request": str(request.pk)},
    )  # fmt: skip


def _named(word: str, people: list[Technician]) -> dict[str, Any]:
    """One by the word, several by its plural."""
    return {word: people[0].email} if len(people) == 1 else {f"{word}s": [person.email for person in people]}


# --- what starts by itself ----------------------------------------------------------------------------------------


def start_due_departures() -> int:
    """For the clock: start every departure whose time has come. Says how many started; safe to call at any time.

    One that cannot start keeps its problem, is tried again, and holds up no other.
    """
    its_time = Q(starts=Starts.AT, starts_at__lte=timezone.now())
    disabled = Q(starts=Starts.WHEN_DISABLED, disabled_at__isnull=False)
    due = DepartureRequest.objects.filter(its_time | disabled, status=Status.SCHEDULED)
    ids = list(due.order_by("starts_at", "requested_at").values_list("pk", flat=True))
    return sum(_start_one(request_id) for request_id in ids)


def _start_one(request_id: UUID) -> bool:
    """False when another worker has it in hand or started it, and when it could not start."""
    try:
        with transaction.atomic():
            free = DepartureRequest.objects.select_for_update(skip_locked=True, of=("self",))
            request = free.filter(pk=request_id, status=Status.SCHEDULED).first()
            if request is None:
                return False
            begin(request, by=None)
    except LatchkeyError as stopped:
        _keep_problem(request_id, str(stopped))
        return False
    except Exception:
        # Whatever is wrong with one departure, the others must start; the whole of it goes into the log.
        logger.exception("Departure request %s could not start", request_id)
        _keep_problem(request_id, _("It could not start because of a fault in Latchkey, which is in the log."))
        return False
    return True


def _keep_problem(request_id: UUID, problem: str) -> None:
    with transaction.atomic():
        request = DepartureRequest.objects.select_for_update(of=("self",)).get(pk=request_id)
        if request.problem == problem or request.status != Status.SCHEDULED:
            return
        request.problem = problem
        request.save(update_fields=["problem"])
        tell_whoever_asked(request, "stuck", by=None)


def person_disabled(email: str, *, reseller_id: UUID, source: str) -> list[Run]:
    """Somebody was disabled where people are kept: start the departure that waits for it. Twice is once.

    `source` says who noticed, such as the name of a directory. A request that still awaits approval remembers it and
    starts with the last approval. Answers the runs that began now.
    """
    with transaction.atomic():
        waiting = list(
            DepartureRequest.objects.open()
            .select_for_update(of=("self",))
            .filter(
                leavers__email__iexact=email.strip(), reseller_id=reseller_id,
                starts=Starts.WHEN_DISABLED, disabled_at__isnull=True,
            )
        )  # fmt: skip
        for request in waiting:
            request.disabled_at = timezone.now()
            request.save(update_fields=["disabled_at"])
            record(
                "person.disabled",
                reseller_id=reseller_id,
                actor=None,
                technician_id=request.leavers.get().pk,
                request=str(request.pk),
                source=source,
            )
    begun = [request.pk for request in waiting if request.status == Status.SCHEDULED and _start_one(request.pk)]
    return list(Run.objects.filter(departure_request__in=begun))
