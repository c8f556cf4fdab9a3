"""What leaves the house is written down first: who took which report, asked how."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from msp.ledger.record import record


@transaction.atomic
def record_export(person: Any, report: str, **asked: Any) -> None:
    """Commit the entry before the first byte goes out. Raises LedgerClosed, and then nothing may go out."""
    record("report.exported", reseller_id=person.reseller_id, actor=person, report=report, asked=asked)


@transaction.atomic
def record_evidence(run: Any, tenants: list[Any], *, by: Any | None) -> None:
    """One entry for each tenant whose evidence is handed out; `by` None: by a command on the server itself."""
    for tenant in tenants:
        record("evidence.exported", reseller_id=run.reseller_id, actor=by, run_id=run.pk, tenant_id=tenant.pk)


@transaction.atomic
def record_summary(run: Any, *, by: Any) -> None:
    """Commit the entry before the summary of a run goes out. Raises LedgerClosed, and then it may not go out."""
    record("summary.exported", reseller_id=run.reseller_id, actor=by, run_id=run.pk)
