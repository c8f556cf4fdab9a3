"""The facts of one reading as plain values: what a target keeps as `before` and `after`, and evidence shows."""

from __future__ import annotations

from typing import Any

from msp.microsoft.ports import Observation
from tenants.models import SharedAccount


def as_evidence(account: SharedAccount, look: Observation) -> dict[str, Any]:
    """{"read_at", "user_principal_name", "enabled", "synced", "password_changed_at", "sessions_valid_from",
    "methods": [{"kind", "directory_id", "label"}], "request_ids"}; times are RFC 3339 in UTC or None."""
    return {
        "read_at": _time(look.read_at),
        "user_principal_name": look.user_principal_name or account.user_principal_name,
        "enabled": look.enabled,
        "synced": look.synced,
        "password_changed_at": _time(look.password_changed_at),
        "sessions_valid_from": _time(look.sessions_valid_from),
        "methods": [{"kind": str(m.kind), "directory_id": m.directory_id, "label": m.label} for m in look.methods],
        "request_ids": list(look.request_ids),
    }


def _time(moment: Any) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment else None
