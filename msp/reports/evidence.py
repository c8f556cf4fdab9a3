"""The evidence of a run for one tenant: what was there before, every step, what is there after; signed.

It holds names, ids, times and Microsoft's request ids. A password, a seed or a code is in none of its sources.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from msp.evidence import sign
from msp.ledger.canonical import rfc3339
from msp.ledger.models import Entry
from msp.vault.signing import evidence_key, public_pem
from tenants.models import Run, Step, Target, Tenant
from tenants.plans import StepState
from tenants.run_queries import EXCEPTIONS, rfc3339_or_none, second_look_of, state_of_steps, targets_of

KEY_FILE = "latchkey-evidence.pub"
VERSION = 1
AT_ONCE = 100
"""Tenants that are read together: few queries, and flat memory."""


def build(run: Run, tenant: Tenant) -> dict[str, Any]:
    """The payload for one tenant, not signed yet. Raises LookupError when the run has no account there."""
    return next(build_each(run, [tenant]))


def build_each(run: Run, tenants: Iterable[Tenant]) -> Iterator[dict[str, Any]]:
    """One payload for each tenant, in their order: three queries for all of them, and three for the run.

    {"type", "version", "reseller", "tenant", "run", "leavers", "accounts", "ledger", "made_at"}. The state of the run
    is that of its part in this tenant, as is everything else in it.
    """
    tenants = list(tenants)
    targets: defaultdict[UUID, list[Target]] = defaultdict(list)
    for target in targets_of(run, tenant_ids=[t.pk for t in tenants]):
        targets[target.account.tenant_id].append(target)
    entries = _ledger(run, tenants)
    leavers = [
        {"name": o.technician.name, "email": o.technician.email}
        for o in run.offboardings.select_related("technician").order_by("technician__name")
    ]
    for tenant in tenants:
        here = targets[tenant.pk]
        if not here:
            raise LookupError(f"This run has no account in {tenant}.")
        yield {
            "type": "latchkey.evidence",
            "version": VERSION,
            "reseller": run.reseller.name,
            "tenant": {
                "name": here[0].account.tenant.customer.name,
                "directory_id": str(tenant.directory_id),
                "default_domain": tenant.default_domain,
            },
            "run": _run(run, here),
            "leavers": leavers,
            "accounts": [_account(t) for t in here],
            "ledger": entries[tenant.pk],
            "made_at": rfc3339(timezone.now()),
        }


def _run(run: Run, here: list[Target]) -> dict[str, Any]:
    steps = [s for t in here for s in t.steps.all()]
    return {
        "id": str(run.pk),
        "kind": str(run.kind),
        "reason": run.reason,
        "requested_by": run.requested_by.email if run.requested_by else None,
        "approved_by": None,
        "started_at": rfc3339(run.started_at),
        "state": str(state_of_steps(steps, paused=run.is_paused)),
        "second_look_at": rfc3339_or_none(second_look_of(steps)),
    }


def _account(target: Target) -> dict[str, Any]:
    steps = list(target.steps.all())
    return {
        "user_principal_name": target.account.user_principal_name,
        "object_id": target.account.object_id,
        "state": str(state_of_steps(steps)),
        "before": target.before,
        "steps": [_step(s) for s in steps],
        "after": target.after,
        "exceptions": [_exception(s) for s in steps if s.status in EXCEPTIONS],
    }


def _step(step: Step) -> dict[str, Any]:
    told: dict[str, Any] = {
        "kind": str(step.kind),
        "state": str(step.status),
        "sent_at": rfc3339_or_none(step.sent_at),
        "accepted_at": rfc3339_or_none(step.accepted_at),
        "verified_at": rfc3339_or_none(step.verified_at),
        "request_ids": [i for i in step.request_ids if i],
        "problem": step.problem,
    }
    if step.method:
        method = step.method
        told["method"] = {"kind": str(method.kind), "label": method.label, "directory_id": method.directory_id}
    return told


def _exception(step: Step) -> dict[str, Any]:
    told = {"kind": str(step.kind), "state": str(step.status), "reason": step.problem}
    if step.status == StepState.WAIVED:
        told["reason"] = step.waived_reason
        told["accepted_by"] = step.waived_by.email if step.waived_by else ""
        told["accepted_at"] = rfc3339(step.changed_at)
    return told


def _ledger(run: Run, tenants: list[Tenant]) -> defaultdict[UUID, list[dict[str, str]]]:
    found: defaultdict[UUID, list[dict[str, str]]] = defaultdict(list)
    entries = Entry.objects.of_reseller(run.reseller_id).filter(run_id=run.pk, tenant_id__in=[t.pk for t in tenants])
    for tenant_id, entry, leaf_hash in entries.order_by("id").values_list("tenant_id", "uuid", "leaf_hash"):
        assert tenant_id is not None, "filtered by tenant"
        found[tenant_id].append({"entry": str(entry), "leaf_hash": bytes(leaf_hash).hex()})
    return found


# --- files -------------------------------------------------------------------------------------------------------


def tenants_of(run: Run, user: Any | None = None) -> list[Tenant]:
    """Every tenant of the run, or those of them that `user` sees, by domain."""
    seen = Tenant.objects.all() if user is None else Tenant.objects.visible_to(user)
    return list(seen.filter(accounts__targets__run=run).distinct().order_by("default_domain", "pk"))


def signed_files(run: Run, tenants: Iterable[Tenant]) -> Iterator[tuple[str, bytes]]:
    """(file name, content) of each tenant's evidence, then the public key that all of them are checked with."""
    key = evidence_key(settings.KEY_DIRECTORY)
    tenants, taken = list(tenants), set()
    for start in range(0, len(tenants), AT_ONCE):
        together = tenants[start : start + AT_ONCE]
        for tenant, payload in zip(together, build_each(run, together), strict=True):
            name = file_name(run, tenant)
            if name in taken:
                name = file_name(run, tenant, apart=True)
            taken.add(name)
            yield name, json.dumps(sign(payload, key), indent=2).encode() + b"\n"
    yield KEY_FILE, public_pem(key.public_key())


def file_name(run: Run, tenant: Tenant, *, apart: bool = False) -> str:
    """`<domain>-<first of the run's id>.evidence.json`; `apart` tells two directories with one domain apart."""
    domain = re.sub(r"[^a-z0-9.-]", "_", tenant.default_domain.lower()).lstrip(".-") or "tenant"
    directory = f"-{str(tenant.directory_id)[:8]}" if apart else ""
    return f"{domain}{directory}-{str(run.pk)[:8]}.evidence.json"


def public_key_file() -> bytes:
    return public_pem(evidence_key(settings.KEY_DIRECTORY).public_key())


def as_zip(run: Run, tenants: Iterable[Tenant]) -> bytes:
    """All of it in one archive, made in memory: evidence is never left lying on the server."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in signed_files(run, tenants):
            archive.writestr(name, content)
    return held.getvalue()


def write_evidence(run: Run, directory: Path, tenants: Iterable[Tenant] | None = None) -> list[Path]:
    """Write one file per tenant and the public key into `directory`, which is made when it is missing.

    Answers the paths, the key's last. Raises OSError.
    """
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for name, content in signed_files(run, tenants_of(run) if tenants is None else tenants):
        (directory / name).write_bytes(content)
        written.append(directory / name)
    return written
