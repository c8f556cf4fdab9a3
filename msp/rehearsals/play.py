"""Play a recorded departure in the copy: the same actions and the same engine, against the copied cloud.

Runs in a process of its own (`msp.ops.rehearsal_child`), on a database that is empty before and gone afterwards.
"""

from __future__ import annotations

import time
from typing import Any

from django.apps import apps

from msp.errors import BadInput
from msp.ops.rehearsing import CONDITIONS
from msp.ops.work_here import work_until_settled
from msp.outside import Outside
from msp.rehearsals.copied_cloud import CopiedCloud, copy_cloud
from msp.rehearsals.copied_rows import copy_rows
from msp.rehearsals.sign_in import still_in_and_kept_out
from msp.simulator.cloud import Cloud
from technicians.actions.request_departure import request_departure
from technicians.models import Technician
from technicians.rehearsal_plans import digest_of
from technicians.rehearsal_queries import outcome_of
from technicians.rehearsal_records import FORMAT, Record, digest_of_record
from tenants.models import Run, Step
from tenants.plans import StepKind, StepState

THREADS = 64
PAUSE = 0.2
"""Seconds."""


def play(record: Record, *, pace: str, cloud: Cloud, outside: Outside, client_id: str) -> dict[str, Any]:
    """The result, as `technicians.rehearsal_plans` describes it. Raises what the actions raise."""
    if record["format"] != FORMAT:
        raise BadInput(f"This record has format {record['format']}; this version plays {FORMAT}. Record it again.")
    copied = copy_cloud(record, cloud, client_id=client_id)
    owner = copy_rows(record, copied, vault=outside.vault)
    cloud.knobs.set(**CONDITIONS[pace])
    cloud.log.clear()
    began = time.monotonic()
    run = _begin(record, owner)
    if run is None:
        raise BadInput("Nothing began in the copy, although nobody has to agree there. Nothing real was touched.")
    planned = outcome_of(run)
    work_until_settled(run, outside, threads=THREADS)
    seconds = time.monotonic() - began
    requests = cloud.log.as_dicts()
    cloud.knobs.reset()
    _take_second_looks(run, outside)
    return _told(record, copied, run, planned, cloud, outside) | {
        "conditions": {"pace": pace, **CONDITIONS[pace]},
        "run": _run(run, seconds, requests),
    }


def _begin(record: Record, owner: Technician) -> Run | None:
    leavers = list(Technician.objects.filter(pk__in=record["leavers"]))
    place: Any = None
    if record["place"]:
        model, key = record["place"]
        place = apps.get_model(model)._default_manager.get(pk=key)
    return request_departure(leavers, by=owner, reason="Rehearsal", place=place).run


def _take_second_looks(run: Run, outside: Outside) -> None:
    """They are due at once here. One that a busy tenant puts off is waited for, as long as we are let live."""
    looks = Step.objects.filter(target__run=run, kind=StepKind.SECOND_LOOK, status=StepState.PLANNED)
    to_come = looks.filter(due_at__isnull=False, target__due_at__isnull=False)
    while to_come.exists():
        time.sleep(PAUSE)
        work_until_settled(run, outside, threads=THREADS)


def _run(run: Run, seconds: float, requests: list[dict[str, Any]]) -> dict[str, Any]:
    """Requests are those on the wire: a batch is one. Told to wait are the 429s, those inside batches too."""
    return {
        "state": str(run.state),
        "milliseconds": round(seconds * 1000),
        "requests": sum(not entry["in_batch"] for entry in requests),
        "told_to_wait": sum(entry["status"] == 429 for entry in requests),
    }


def _told(
    record: Record, copied: CopiedCloud, run: Run, planned: list[dict[str, Any]], cloud: Cloud, outside: Outside
) -> dict[str, Any]:
    held = {(a["id"], s["kind"], s["method"]) for a in planned for s in a["steps"] if s["held"]}
    ended = outcome_of(run)
    for account in ended:
        for step in account["steps"]:
            # Held is what a guard stopped when the plan was written down, not what was stopped on the way.
            step["held"] = (account["id"], step["kind"], step["method"]) in held
    return {
        "format": 1,
        "leavers": [
            {"id": row["id"], "name": row["name"], "email": row["email"]}
            for row in record["rows"]["technicians.Technician"]
            if row["id"] in record["leavers"]
        ],
        "place": _place(record),
        "recorded": _recorded(record),
        "plan": {
            "digest": digest_of(planned),
            "accounts": len(planned),
            "steps": sum(len(account["steps"]) for account in planned),
            "held": sum(any(step["held"] for step in account["steps"]) for account in planned),
        },
        "sign_in": still_in_and_kept_out(record, copied, ended, cloud=cloud, vault=outside.vault),
        "accounts": ended,
    }


def _place(record: Record) -> str:
    if record["place"] is None:
        return ""
    model, key = record["place"]
    return str(apps.get_model(model)._default_manager.get(pk=key))


def _recorded(record: Record) -> dict[str, Any]:
    rows = record["rows"]
    read = [row["observed_at"] for row in rows["tenants.SharedAccount"]]
    return {
        "at": record["recorded_at"],
        "digest": digest_of_record(record),
        "accounts": len(rows["tenants.SharedAccount"]),
        "tenants": len(rows["tenants.Tenant"]),
        "people": len(rows["technicians.Technician"]),
        "methods": len(rows["tenants.Method"]),
        "never_read": sum(moment is None for moment in read),
        "oldest_reading": min((moment for moment in read if moment), default=None),
    }
