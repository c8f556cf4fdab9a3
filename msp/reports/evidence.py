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
from msp.reports.evidence_run import (
    accounts_of_tenants,
    ledger_of,
    people_of,
    rehearsals_of,
    request_as_evidence,
    request_of,
    run_as_evidence,
)
from msp.reports.evidence_steps import account_as_evidence
from msp.vault.signing import evidence_key, public_pem
from technicians.reshare_queries import accounts_changed_by, shares_of
from tenants.models import Run, Target, Tenant
from tenants.run_queries import rfc3339_or_none, second_look_of, state_of_steps, targets_of

KEY_FILE = "latchkey-evidence.pub"
VERSION = 1
AT_ONCE = 100
"""Tenants that are read together: few queries, and flat memory."""


def build(run: Run, tenant: Tenant) -> dict[str, Any]:
    """The payload for one tenant, not signed yet. Raises LookupError when the run has no account there."""
    return next(build_each(run, [tenant]))


def build_each(run: Run, tenants: Iterable[Tenant]) -> Iterator[dict[str, Any]]:
    """One payload for each tenant, in their order: the number of queries does not grow with them.

    {"type", "version", "reseller", "tenant", "run", "request", "leavers", "rehearsals", "accounts", "ledger",
    "run_ledger", "made_at"}. The state of the run is that of its part in this tenant, as is everything else in it.
    """
    tenants, now = list(tenants), timezone.now()
    targets: defaultdict[UUID, list[Target]] = defaultdict(list)
    for target in targets_of(run, tenant_ids=[t.pk for t in tenants]):
        targets[target.account.tenant_id].append(target)
    request = request_of(run)
    told, people, rehearsals = run_as_evidence(run, request), people_of(run, request), rehearsals_of(run, request)
    changed = accounts_of_tenants(request)
    entries = ledger_of(run, [t.pk for t in tenants])
    shared = {s.account.pk: s for s in shares_of(accounts_changed_by(run).filter(tenant__in=tenants))}
    for tenant in tenants:
        here = targets[tenant.pk]
        if not here:
            raise LookupError(f"This run has no account in {tenant}.")
        steps = [s for t in here for s in t.steps.all()]
        accounts_here = {pk for pk, tenant_id in changed.items() if tenant_id == tenant.pk}
        yield {
            "type": "latchkey.evidence",
            "version": VERSION,
            "reseller": run.reseller.name,
            "tenant": tenant_as_evidence(here[0].account.tenant),
            "run": told
            | {
                "state": str(state_of_steps(steps, paused=run.is_paused)),
                "second_look_at": rfc3339_or_none(second_look_of(steps)),
            },
            "request": request_as_evidence(request, accounts_here) if request else None,
            "leavers": people,
            "rehearsals": rehearsals,
            "accounts": [account_as_evidence(t, shared.get(t.account_id), now) for t in here],
            "ledger": entries[tenant.pk],
            "run_ledger": entries[None],
            "made_at": rfc3339(now),
        }


def tenant_as_evidence(tenant: Tenant) -> dict[str, str]:
    """Name of the customer, id and default domain of the directory. `tenant.customer` has to be loaded."""
    return {
        "name": tenant.customer.name,
        "directory_id": str(tenant.directory_id),
        "default_domain": tenant.default_domain,
    }


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


def as_zip(run: Run, tenants: Iterable[Tenant], *, also: Iterable[tuple[str, bytes]] = ()) -> bytes:
    """All of it in one archive, made in memory: evidence is never left lying on the server."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (*signed_files(run, tenants), *also):
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
