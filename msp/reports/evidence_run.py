"""What evidence says of a run as a whole: who asked and agreed, about whom, when it was held, and what else began it.

What is said here goes to customers. Notes of those who agreed and the words of a later review are kept inside: only
the summary for the reseller's own people holds them (`inside`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

from django.db.models import Q

from msp.ledger.canonical import rfc3339
from msp.ledger.models import Entry
from technicians.models import Authenticator, DepartureRequest, Rehearsal, Technician
from tenants.models import Run, SharedAccount
from tenants.plans import StepKind
from tenants.run_queries import rfc3339_or_none

OF_A_PERSON = (
    Run.Kind.OFFBOARDING,
    Run.Kind.SUSPENSION,
    Run.Kind.LOST_DEVICE,
    Run.Kind.NEW_PHONE,
    Run.Kind.MOVE,
    Run.Kind.CUSTOMER_EXIT,
)
"""The kinds of run that take something from somebody who can be named."""
HOLDS = ("run.paused", "run.resumed")


def request_of(run: Run) -> DepartureRequest | None:
    """Who asked for it and agreed, with everybody's names loaded; None for a run that nobody had to ask for."""
    found: DepartureRequest | None = (
        DepartureRequest.objects.filter(run=run)
        .select_related("requested_by", "override_by", "reviewed_by", "successor")
        .prefetch_related("leavers", "approvals__by", "rehearsals")
        .first()
    )
    return found


def run_as_evidence(run: Run, request: DepartureRequest | None) -> dict[str, Any]:
    """The same in every file of a run: no name of another customer is in it."""
    approvals = list(request.approvals.all()) if request else []
    return {
        "id": str(run.pk),
        "kind": str(run.kind),
        "reason": run.reason,
        "requested_by": _email(run.requested_by),
        "approved_by": [approval.by.email for approval in approvals if approval.agrees] or None,
        "started_at": rfc3339(run.started_at),
        "holds": _holds(run),
        "cancelled": {
            "at": rfc3339(run.cancelled_at),
            "by": _email(run.cancelled_by),
            "because": run.cancelled_because,
        }
        if run.cancelled_at
        else None,
    }


def request_as_evidence(
    request: DepartureRequest, accounts: Collection[UUID] | None, *, inside: bool = False
) -> dict[str, Any]:
    """A request; of what had changed since its preview only what concerns these `accounts` (None: everything)."""
    return {
        "id": str(request.pk),
        "asked_by": _email(request.requested_by),
        "asked_at": rfc3339(request.requested_at),
        "reason": request.reason,
        "scope": str(request.scope),
        "starts": str(request.starts),
        "starts_at": rfc3339_or_none(request.starts_at),
        "time_zone": request.time_zone,
        "disabled_at": rfc3339_or_none(request.disabled_at),
        "successor": _email(request.successor),
        "approvals_needed": request.approvals_needed,
        "approvals": [
            {"by": approval.by.email, "agrees": approval.agrees, "at": rfc3339(approval.at)}
            | ({"note": approval.note} if inside else {})
            for approval in request.approvals.all()
        ],
        "override": _override(request, inside=inside),
        "changed_since_preview": [
            {name: difference.get(name) for name in ("kind", "account", "words", "stops")}
            for difference in request.differences
            if accounts is None or UUID(difference["account_id"]) in accounts
        ],
    } | ({"preview": _preview(request)} if inside else {})


def _override(request: DepartureRequest, *, inside: bool) -> dict[str, Any] | None:
    if request.override_at is None:
        return None
    told = {
        "by": _email(request.override_by),
        "at": rfc3339(request.override_at),
        "reason": request.override_reason,
        "reviewed_by": _email(request.reviewed_by),
        "reviewed_at": rfc3339_or_none(request.reviewed_at),
    }
    return told | ({"review": request.review} if inside else {})


def _preview(request: DepartureRequest) -> dict[str, Any]:
    """How much was shown to whoever asked; what came of each account stands in the evidence itself."""
    shown = request.preview
    numbers = {name: shown[name] for name in ("tenants", "methods", "rotated", "held") if name in shown}
    return numbers | {"accounts": len(shown.get("accounts", ()))}


def _holds(run: Run) -> list[dict[str, Any]]:
    """Each time somebody held the run, from the ledger; `until` None: it is held now, or was cancelled while held."""
    found: list[dict[str, Any]] = []
    entries = Entry.objects.of_reseller(run.reseller_id).filter(run_id=run.pk, verb__in=HOLDS).order_by("id")
    for entry in entries:
        if entry.verb == HOLDS[0]:
            reason = entry.facts.get("reason", "")
            found.append({"from": rfc3339(entry.at), "by": entry.actor, "because": reason, "until": None})
        elif found:
            found[-1]["until"] = rfc3339(entry.at)
    return found


# --- whom it is about --------------------------------------------------------------------------------------------


def people_of(run: Run, request: DepartureRequest | None) -> list[dict[str, Any]]:
    """Who had to lose access by this run, whatever kind it is: [{"name", "email", "because", "access_ended_at"}].

    `because` is the kind of run. `access_ended_at` is when sign-in to Latchkey was taken, None when it was not.
    """
    if run.kind not in OF_A_PERSON:
        return []
    decided = [o.technician for o in run.offboardings.select_related("technician")]
    decided += [
        decision.technician
        for decision in (getattr(run, "lost_device", None), getattr(run, "suspension", None))
        if decision is not None
    ]
    if request is not None:
        decided += request.leavers.all()
    people = {person.pk: person for person in decided} or _by_their_methods(run)
    return [
        {
            "name": person.name,
            "email": person.email,
            "because": str(run.kind),
            "access_ended_at": rfc3339_or_none(_access_ended(run, request, person)),
        }
        for person in sorted(people.values(), key=lambda p: (p.name, p.email))
    ]


def _by_their_methods(run: Run) -> dict[UUID, Technician]:
    """Whose authenticators the run takes away, where no decision names the person."""
    bound = Authenticator.objects.filter(
        method__steps__target__run=run, method__steps__kind=StepKind.REMOVE_METHOD
    ).select_related("technician")
    return {authenticator.technician_id: authenticator.technician for authenticator in bound}


def _access_ended(run: Run, request: DepartureRequest | None, person: Technician) -> Any:
    if run.kind == Run.Kind.OFFBOARDING:
        return (request.access_ended_at if request else None) or person.left_at
    if run.kind == Run.Kind.SUSPENSION:
        return run.suspension.suspended_at
    return None


# --- what was tried before, and what the ledger has ----------------------------------------------------------------


def rehearsals_of(run: Run, request: DepartureRequest | None) -> list[dict[str, Any]]:
    """The rehearsals that were finished before the run began: of its request, else the last of each leaver."""
    before = Rehearsal.objects.filter(status=Rehearsal.Status.FINISHED, ended_at__lte=run.started_at)
    asked = Q(request=request) if request else Q(pk__in=[])
    of_leavers = before.filter(technician__in=[o.technician_id for o in run.offboardings.all()])
    found = before.filter(asked) or of_leavers.order_by("technician_id", "-ended_at").distinct("technician_id")
    return [
        {
            "id": str(rehearsal.pk),
            "ended_at": rfc3339(rehearsal.ended_at),
            "plan": rehearsal.plan,
            "state": str(rehearsal.result.get("run", {}).get("state", "")),
        }
        for rehearsal in found
    ]


def ledger_of(run: Run, tenant_ids: Iterable[UUID]) -> defaultdict[UUID | None, list[dict[str, str]]]:
    """tenant -> id and leaf hash of each entry of this run there; None -> of those about the run and no one tenant."""
    found: defaultdict[UUID | None, list[dict[str, str]]] = defaultdict(list)
    here = Q(tenant_id__in=list(tenant_ids)) | Q(tenant_id__isnull=True)
    entries = Entry.objects.of_reseller(run.reseller_id).filter(here, run_id=run.pk)
    for tenant_id, entry, leaf_hash in entries.order_by("id").values_list("tenant_id", "uuid", "leaf_hash"):
        found[tenant_id].append({"entry": str(entry), "leaf_hash": bytes(leaf_hash).hex()})
    return found


def accounts_of_tenants(request: DepartureRequest | None) -> dict[UUID, UUID]:
    """account -> tenant, of the accounts that had changed since the preview."""
    if request is None or not request.differences:
        return {}
    ids = [difference["account_id"] for difference in request.differences]
    return dict(SharedAccount.objects.filter(pk__in=ids).values_list("pk", "tenant_id"))


def _email(person: Any) -> str | None:
    return person.email if person is not None else None
