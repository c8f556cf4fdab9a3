"""The summary of a whole run: one signed file, and the same as a page to print."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from msp.evidence import sign
from msp.ledger.canonical import rfc3339
from msp.reports.evidence import tenant_as_evidence
from msp.reports.evidence_run import (
    ledger_of,
    people_of,
    rehearsals_of,
    request_as_evidence,
    request_of,
    run_as_evidence,
)
from msp.reports.evidence_steps import deadline_of, exception_as_evidence
from msp.vault.signing import evidence_key
from technicians.reshare_queries import accounts_changed_by, shares_of, sum_of
from tenants.clock_queries import Clocks, clocks_of
from tenants.models import Run, Target, Tenant
from tenants.plans import TRIES, StepKind, StepState
from tenants.run_queries import EXCEPTIONS, rfc3339_or_none, second_look_of, state_of_steps, targets_of

VERSION = 1
TYPE = "latchkey.run_summary"


def build_summary(run: Run, user: Any) -> dict[str, Any]:
    """The part of the run that `user` sees; `whole` says whether that is all of it.

    {"type", "version", "reseller", "whole", "run", "request", "leavers", "rehearsals", "totals", "tenants",
    "run_ledger", "made_at"}. Who may see people also gets the notes of those who agreed, and the later review.
    """
    now, inside = timezone.now(), user.may("see_people")
    tenants = list(Tenant.objects.visible_to(user).filter(accounts__targets__run=run).distinct())
    targets = targets_of(run, tenant_ids=[t.pk for t in tenants])
    by_tenant: defaultdict[UUID, list[Target]] = defaultdict(list)
    for target in targets:
        by_tenant[target.account.tenant_id].append(target)
    steps = [s for t in targets for s in t.steps.all()]
    request = request_of(run)
    whole = len(targets) == run.targets.count()
    seen = None if whole else {t.account_id for t in targets}
    reshared = sum_of(shares_of(accounts_changed_by(run, user)))
    return {
        "type": TYPE,
        "version": VERSION,
        "reseller": run.reseller.name,
        "whole": whole,
        "run": run_as_evidence(run, request)
        | {
            "state": str(state_of_steps(steps, paused=run.is_paused)),
            "second_look_at": rfc3339_or_none(second_look_of(steps)),
        },
        "request": request_as_evidence(request, seen, inside=inside) if request else None,
        "leavers": people_of(run, request),
        "rehearsals": rehearsals_of(run, request),
        "totals": {
            "tenants": len(by_tenant),
            "accounts": len(targets),
            "steps": {str(state): n for state in StepState if (n := sum(s.status == state for s in steps))},
            "methods_removed": _count(steps, StepKind.REMOVE_METHOD),
            "passwords_changed": _count(steps, StepKind.ROTATE_PASSWORD),
            "tries": _tries(steps),
            "reshared": {"accounts": reshared.accounts, "stay": reshared.stay, "have_it": reshared.have_it},
            "deadlines": _deadlines(targets, now),
            "clocks": _clocks(clocks_of(run, user, now)),
        },
        "tenants": [
            _tenant(here) for here in sorted(by_tenant.values(), key=lambda t: t[0].account.tenant.default_domain)
        ],
        "run_ledger": ledger_of(run, [])[None],
        "made_at": rfc3339(now),
    }


def signed_summary(run: Run, user: Any) -> tuple[str, bytes]:
    """(file name, content): signed with the same key as the evidence."""
    envelope = sign(build_summary(run, user), evidence_key(settings.KEY_DIRECTORY))
    return f"run-{str(run.pk)[:8]}.summary.json", json.dumps(envelope, indent=2).encode() + b"\n"


def _count(steps: Iterable[Any], kind: StepKind) -> int:
    """How many were read back and found so; what a person stated or accepted is not among them."""
    return sum(s.kind == kind and s.status == StepState.VERIFIED for s in steps)


def _tries(steps: Iterable[Any]) -> dict[str, dict[str, int]]:
    """kind -> state -> how many."""
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for step in steps:
        if step.kind in TRIES:
            found[str(step.kind)][str(step.status)] += 1
    return {kind: dict(counts) for kind, counts in found.items()}


def _deadlines(targets: Iterable[Target], now: Any) -> dict[str, int]:
    met = Counter(
        {True: "met", False: "missed", None: "open"}[deadline_of(t, list(t.steps.all()), now)["met"]]
        for t in targets
        if t.deadline_at
    )
    return {word: met[word] for word in ("met", "missed", "open")}


def _clocks(clocks: Clocks) -> dict[str, int | None]:
    """Whole seconds from the start of the run, None for what has not come yet."""
    times = {
        "access_ended": clocks.access_ended,
        "first_tenant_clean": clocks.first,
        "last_tenant_clean": clocks.last,
        "p50": clocks.half,
        "p95": clocks.most,
    }
    return {name: None if took is None else round(took.total_seconds()) for name, took in times.items()}


def _tenant(here: list[Target]) -> dict[str, Any]:
    steps = [s for t in here for s in t.steps.all()]
    tenant = here[0].account.tenant
    return tenant_as_evidence(tenant) | {
        "state": str(state_of_steps(steps)),
        "accounts": len(here),
        "exceptions": [
            {"account": target.account.user_principal_name} | exception_as_evidence(step)
            for target in here
            for step in target.steps.all()
            if step.status in EXCEPTIONS
        ],
    }
