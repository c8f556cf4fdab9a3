"""A copy that behaves without a process of its own: it foretells what an undisturbed departure comes to."""

from __future__ import annotations

from typing import Any

from technicians.rehearsal_plans import digest_of
from technicians.rehearsal_records import Record, digest_of_record
from tenants.plans import StepKind, StepState

AROUND = (
    StepKind.REVOKE_SESSIONS,
    StepKind.PROVE,
    StepKind.RESHARE,
    StepKind.SECOND_LOOK,
)
"""What comes after the removals, on every account."""


def foretell(record: Record, *, pace: str, **ends: str) -> dict[str, Any]:
    """Each step of each recorded account is verified, or ends as `ends` says by kind (`rotate_password="refused"`)."""
    accounts = [_account(row, record, ends) for row in record["rows"]["tenants.SharedAccount"]]
    stopped = any(step["state"] != StepState.VERIFIED for account in accounts for step in account["steps"])
    people = {row["id"]: row for row in record["rows"]["technicians.Technician"]}
    return {
        "format": 1,
        "leavers": [{name: people[key][name] for name in ("id", "name", "email")} for key in record["leavers"]],
        "place": "",
        "recorded": {
            "at": record["recorded_at"], "digest": digest_of_record(record), "accounts": len(accounts),
            "tenants": len(record["rows"]["tenants.Tenant"]), "people": len(people),
            "methods": len(record["rows"]["tenants.Method"]), "never_read": 0, "oldest_reading": None,
        },
        "conditions": {"pace": pace, "latency_ms": 0, "throttle": 0, "read_lag": 0},
        "plan": {
            "digest": digest_of(accounts), "accounts": len(accounts), "held": 0,
            "steps": sum(len(account["steps"]) for account in accounts),
        },
        "run": {
            "state": "needs_attention" if stopped else "clean", "milliseconds": 4200, "requests": 3 * len(accounts),
            "told_to_wait": 0,
        },
        "sign_in": {"leavers_tried": len(accounts), "leavers_in": 0, "stayers_tried": len(accounts), "stayers_out": 0},
        "accounts": accounts,
    }  # fmt: skip


def _account(row: dict[str, Any], record: Record, ends: dict[str, str]) -> dict[str, Any]:
    methods = {m["id"] for m in record["rows"]["tenants.Method"] if m["account_id"] == row["id"]}
    bound = [a for a in record["rows"]["technicians.Authenticator"] if a["method_id"] in methods]
    going = [a["method_id"] for a in bound if a["technician_id"] in record["leavers"]]
    domains = {tenant["id"]: tenant["default_domain"] for tenant in record["rows"]["tenants.Tenant"]}
    steps = [
        (StepKind.ROTATE_PASSWORD, None),
        *((StepKind.REMOVE_METHOD, method) for method in going),
        *((kind, None) for kind in AROUND),
    ]
    return {
        "id": row["id"],
        "account": row["user_principal_name"],
        "tenant": domains[row["tenant_id"]],
        "steps": [_step(kind, method, ends) for kind, method in steps],
        "still_in": [],
        "kept_out": [],
        "not_tried": "",
    }


def _step(kind: StepKind, method: str | None, ends: dict[str, str]) -> dict[str, Any]:
    state = ends.get(str(kind), str(StepState.VERIFIED))
    problem = "" if state == StepState.VERIFIED else f"It was {state} in the copy."
    return {"kind": str(kind), "method": method, "held": False, "state": state, "problem": problem}
