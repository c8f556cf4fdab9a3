"""Hand a rehearsal out as evidence: signed, and written down before the first byte goes."""

from __future__ import annotations

import json

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput
from msp.evidence import sign
from msp.ledger.record import record
from msp.vault.signing import evidence_key
from technicians.models import Rehearsal, Technician
from technicians.rehearsal_plans import digest_of_result

VERSION = 1


@transaction.atomic
def hand_out_rehearsal(rehearsal: Rehearsal, *, by: Technician) -> tuple[str, bytes]:
    """(file name, DSSE envelope as JSON). Raises BadInput (it has no result), KeyTrouble, LedgerClosed.

    The signed body is {"type", "version", "reseller", "rehearsal": {"id", "asked_by", "asked_at", "started_at",
    "ended_at"}, "result", "made_at"}; `technicians.rehearsal_plans` has the shape of the result, whose digest stands in
    the ledger since the day it was played.
    """
    if rehearsal.status != Rehearsal.Status.FINISHED:
        raise BadInput(_("This rehearsal has no result, so there is nothing to hand out."))
    body = {
        "type": "latchkey.rehearsal",
        "version": VERSION,
        "reseller": rehearsal.reseller.name,
        "rehearsal": {
            "id": rehearsal.pk,
            "asked_by": rehearsal.asked_by.email if rehearsal.asked_by else None,
            "asked_at": rehearsal.asked_at,
            "started_at": rehearsal.started_at,
            "ended_at": rehearsal.ended_at,
        },
        "result": rehearsal.result,
        "made_at": timezone.now(),
    }
    envelope = sign(body, evidence_key(settings.KEY_DIRECTORY))
    record(
        "rehearsal.exported",
        reseller_id=rehearsal.reseller_id,
        actor=by,
        technician_id=rehearsal.technician_id,
        rehearsal=str(rehearsal.pk),
        result=digest_of_result(rehearsal.result),
    )
    return f"rehearsal-{str(rehearsal.pk)[:8]}.evidence.json", json.dumps(envelope, indent=2).encode() + b"\n"
