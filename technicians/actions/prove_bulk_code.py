"""A person shows codes of the accounts that the server picked: then everything of that QR code may be activated."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils.translation import gettext as _

from msp.errors import BadInput
from msp.ledger.record import record
from technicians.actions.end_enrolment import end_enrolment, why_too_late
from technicians.actions.hold_bulk import hold_bulk, hold_enrolments
from technicians.actions.prove_enrolment import MOST_TRIES, mark_proven, why_wrong
from technicians.bulk_queries import Sitting, sitting_of
from technicians.codes import judge
from technicians.models import BulkCode, BulkEnrolment, Enrolment, Technician

if TYPE_CHECKING:
    from msp.outside import Outside


class WrongCodes(BadInput):
    """`sentences` says for each enrolment, by its id as text, what is wrong with its code."""

    def __init__(self, message: str, sentences: Mapping[str, str]) -> None:
        super().__init__(message)
        self.sentences = sentences


def prove_bulk_code(
    bulk: BulkEnrolment, number: int, typed: Mapping[str, str], *, by: Technician, outside: Outside
) -> int:
    """`typed` holds a code for each asked enrolment, by its id as text. Says how many accounts are proven now.

    All that was asked has to be right before anything of that QR code is activated. Raises NotPermitted, WrongCodes,
    and BadInput: not on screen, too late, too many tries.
    """
    proven, problem = _prove(bulk, number, typed, by=by, outside=outside)
    if problem is not None:
        raise problem
    return proven


@transaction.atomic
def _prove(
    bulk: BulkEnrolment, number: int, typed: Mapping[str, str], *, by: Technician, outside: Outside
) -> tuple[int, BadInput | None]:
    """What is wrong is answered, not raised: a wrong try is kept."""
    sitting = sitting_of(hold_bulk(bulk, by=by))
    code = next((code for code in sitting.codes if code.number == number), None)
    if code is None or not code.shown_at or code.proven_at:
        return 0, BadInput(_("This QR code is not waiting for codes; look at the page of this sitting."))
    held = _hold(sitting, code)
    if not held:
        return 0, _too_late(sitting, code)
    if code.tries >= MOST_TRIES:
        return 0, _too_many(held)
    asked = [e for e in held if str(e.pk) in code.asked]
    if len(asked) < len(code.asked):
        return 0, _ask_others(code, held)
    wrong = _wrong(asked, typed, left=MOST_TRIES - code.tries - 1, outside=outside)
    if wrong:
        BulkCode.objects.filter(pk=code.pk).update(tries=code.tries + 1)
        return 0, _too_many(held) if code.tries + 1 >= MOST_TRIES else WrongCodes(_nothing_yet(), wrong)
    _mark(code, held, asked, by=by, at=sitting)
    return len(held), None


def _hold(sitting: Sitting, code: BulkCode) -> list[Enrolment]:
    """Those of this QR code that wait for a code, locked: a departure that is just ending one comes before or after."""
    waiting = Enrolment.objects.filter(
        bulk=sitting.bulk,
        code_number=code.number,
        status=Enrolment.Status.WAITING_FOR_SCAN,
        expires_at__gt=sitting.now,
        registration__sealed__isnull=False,
    )
    return hold_enrolments(waiting)


def _wrong(asked: list[Enrolment], typed: Mapping[str, str], *, left: int, outside: Outside) -> dict[str, str]:
    now, wrong = time.time(), {}
    for enrolment in asked:
        registration, said = enrolment.registration, typed.get(str(enrolment.pk), "")
        assert registration is not None
        verdict = judge(outside.vault.open(bytes(registration.sealed or b""), registration.place), said, at=now)
        if not verdict.accepted:
            wrong[str(enrolment.pk)] = why_wrong(said, verdict, left=left)
    return wrong


def _mark(code: BulkCode, held: list[Enrolment], asked: list[Enrolment], *, by: Technician, at: Sitting) -> None:
    BulkCode.objects.filter(pk=code.pk).update(proven_at=at.now)
    record(
        "bulk_enrolment.code_proven",
        reseller_id=at.bulk.reseller_id,
        actor=by,
        technician_id=by.pk,
        run_id=at.bulk.run_id,
        bulk=str(at.bulk.pk),
        code_number=code.number,
        accounts=[str(e.account_id) for e in held],
        asked=[str(e.account_id) for e in asked],
    )
    for enrolment in held:
        assert enrolment.registration is not None
        mark_proven(enrolment, enrolment.registration)


def _too_late(sitting: Sitting, code: BulkCode) -> BadInput:
    for enrolment in sitting.enrolments:
        late = enrolment.expires_at <= sitting.now and enrolment.status == Enrolment.Status.WAITING_FOR_SCAN
        if late and enrolment.code_number == code.number:
            end_enrolment(enrolment, Enrolment.Status.EXPIRED, because=why_too_late(), by=None)
    return BadInput(_("It was too late for this QR code. Delete its entries from the app; nothing was activated."))


def _too_many(held: list[Enrolment]) -> BadInput:
    because = _("Too many wrong codes. Nothing of this QR code was activated: delete its entries from the app.")
    for enrolment in held:
        end_enrolment(enrolment, Enrolment.Status.FAILED, because=because, by=None)
    return BadInput(because)


def _ask_others(code: BulkCode, held: list[Enrolment]) -> BadInput:
    """One that was asked for is over: another one takes its place, so that two are shown all the same."""
    kept = [str(e.pk) for e in held if str(e.pk) in code.asked]
    others = [str(e.pk) for e in held if str(e.pk) not in code.asked]
    BulkCode.objects.filter(pk=code.pk).update(asked=[*kept, *others][: len(code.asked)])
    return BadInput(_("One of the accounts asked for is not being enrolled any more. Type those asked for instead."))


def _nothing_yet() -> str:
    return _("Nothing was activated yet.")
