"""The key from Microsoft's page: shown to be on the person's phone by a code of it, or kept here for its codes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from technicians.actions.end_enrolment import end_enrolment
from technicians.actions.enrol import demand_open
from technicians.actions.keep_code import keep_code
from technicians.actions.prove_enrolment import MOST_TRIES, why_wrong
from technicians.codes import judge
from technicians.models import Enrolment, KeptCode, Technician
from tenants.actions.claim_seed import claim_seed

if TYPE_CHECKING:
    from msp.outside import Outside


def prove_key(enrolment: Enrolment, key: bytes, code: str, *, by: Technician, outside: Outside) -> None:
    """From now on the key is this person's alone; the key itself is not kept.

    Raises NotPermitted, and BadInput with what is wrong: the code, the clock, too many tries, somebody else's key.
    """
    demand_open(enrolment, by=by)
    problem = _prove(enrolment, key, code, by=by, outside=outside)
    if problem:
        raise BadInput(problem)


@transaction.atomic
def _prove(enrolment: Enrolment, key: bytes, code: str, *, by: Technician, outside: Outside) -> str:
    """What is wrong, "" when nothing is: a wrong try is kept, so nothing is raised for it."""
    found = _locked(enrolment, Enrolment.Way.MICROSOFT_PAGE)
    verdict = judge(key, code, at=time.time())
    if not verdict.accepted:
        tries = found.tries + 1
        Enrolment.objects.filter(pk=found.pk).update(tries=tries)
        if tries < MOST_TRIES:
            return why_wrong(code, verdict, left=MOST_TRIES - tries)
        because = _(
            "Too many wrong codes. Nobody was bound. Delete what you registered on Microsoft's page and the entry in "
            "the app, and begin again."
        )
        end_enrolment(found, Enrolment.Status.FAILED, because=because, by=None)
        return because
    _claim(found, key, by=by, outside=outside)
    Enrolment.objects.filter(pk=found.pk).update(key_proven_at=timezone.now())
    _record("enrolment.key_proven", found, by=by)
    return ""


def keep_pasted_key(enrolment: Enrolment, key: bytes, *, by: Technician, outside: Outside) -> KeptCode:
    """Keep it for its codes, at once: one of them has to be typed at Microsoft. Bound when the method appears.

    Raises NotPermitted, BadInput, KeyTrouble, LedgerClosed.
    """
    if by.pk != enrolment.technician_id:
        raise NotPermitted(_("These codes are for %(name)s alone.") % {"name": enrolment.technician})
    demand_open(enrolment, by=by)
    with transaction.atomic():
        person = Technician.objects.select_for_update(no_key=True).get(pk=by.pk)
        found = _locked(enrolment, Enrolment.Way.KEPT_HERE)
        _claim(found, key, by=person, outside=outside)
        return keep_code(found.account, person, key, outside=outside)


def _locked(enrolment: Enrolment, way: Enrolment.Way) -> Enrolment:
    rows = Enrolment.objects.select_for_update(of=("self",)).select_related(
        "account__tenant", "technician", "registration__account"
    )
    found: Enrolment = rows.get(pk=enrolment.pk)
    if found.way != way or found.status != Enrolment.Status.WAITING_FOR_SCAN or found.registration_id is not None:
        raise BadInput(_("This enrolment is not waiting for a key; look at its page."))
    return found


def _claim(enrolment: Enrolment, key: bytes, *, by: Technician, outside: Outside) -> None:
    claim_seed(
        enrolment.account,
        key,
        holder=enrolment.technician,
        by=by,
        outside=outside,
        origin=_("pasted from Microsoft's page"),
    )


def _record(verb: str, enrolment: Enrolment, *, by: Technician) -> None:
    record(
        verb,
        reseller_id=enrolment.reseller_id,
        actor=by,
        tenant_id=enrolment.account.tenant_id,
        account_id=enrolment.account_id,
        technician_id=enrolment.technician_id,
        enrolment=str(enrolment.pk),
    )
