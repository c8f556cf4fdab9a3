"""A person shows a code of the seed that they scanned: from then on the token may be activated."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from technicians.actions.end_enrolment import end_enrolment, why_too_late
from technicians.codes import Verdict, digits_of, judge
from technicians.models import Enrolment, Technician
from tenants.actions.nudge import wake
from tenants.models import Registration, Target

if TYPE_CHECKING:
    from msp.outside import Outside

MOST_TRIES = 5


def prove_enrolment(enrolment: Enrolment, code: str, *, by: Technician, outside: Outside) -> None:
    """Raises NotPermitted, and BadInput with what is wrong: the code, the clock, too many tries, too late."""
    if by.pk != enrolment.technician_id:
        raise NotPermitted(_("Only %(name)s can show a code of this authenticator.") % {"name": enrolment.technician})
    problem = _prove(enrolment, code, outside=outside)
    if problem:
        raise BadInput(problem)


@transaction.atomic
def _prove(enrolment: Enrolment, code: str, *, outside: Outside) -> str:
    """What is wrong, "" when nothing is: a wrong try is kept, so nothing is raised in here."""
    if enrolment.registration_id is not None:
        Registration.objects.select_for_update(no_key=True).only("pk").get(pk=enrolment.registration_id)
    enrolment = (
        Enrolment.objects.select_for_update(of=("self",))
        .select_related("account", "technician", "registration__account")
        .get(pk=enrolment.pk)
    )
    registration = enrolment.registration
    if enrolment.status != Enrolment.Status.WAITING_FOR_SCAN or registration is None or registration.sealed is None:
        return _("This enrolment is not waiting for a code; look at its page.")
    if enrolment.expires_at <= timezone.now():
        end_enrolment(enrolment, Enrolment.Status.EXPIRED, because=why_too_late(), by=None)
        return why_too_late()
    if enrolment.shown_at is None:
        return _("The QR code was not shown yet: scan it first.")
    verdict = judge(outside.vault.open(bytes(registration.sealed), registration.place), code, at=time.time())
    if not verdict.accepted:
        return _wrong(enrolment, code, verdict)
    mark_proven(enrolment, registration)
    return ""


def mark_proven(enrolment: Enrolment, registration: Registration) -> None:
    """The token may be activated. Call it in a transaction that holds the enrolment."""
    Registration.objects.filter(pk=registration.pk).update(proven_at=timezone.now())
    enrolment.advance(Enrolment.Status.ACTIVATING)
    record(
        "enrolment.proven",
        reseller_id=enrolment.reseller_id,
        actor=enrolment.technician,
        tenant_id=enrolment.account.tenant_id,
        account_id=enrolment.account_id,
        technician_id=enrolment.technician_id,
        enrolment=str(enrolment.pk),
    )
    targets = list(Target.objects.filter(steps__registration=registration).distinct().values_list("pk", flat=True))
    Target.objects.filter(pk__in=targets).update(due_at=timezone.now())
    transaction.on_commit(lambda: wake(targets))


def _wrong(enrolment: Enrolment, code: str, verdict: Verdict) -> str:
    tries = enrolment.tries + 1
    Enrolment.objects.filter(pk=enrolment.pk).update(tries=tries)
    if tries >= MOST_TRIES:
        because = _("Too many wrong codes. Nothing was activated: delete the entry from the app and begin again.")
        end_enrolment(enrolment, Enrolment.Status.FAILED, because=because, by=None)
        return because
    return why_wrong(code, verdict, left=MOST_TRIES - tries)


def why_wrong(code: str, verdict: Verdict, *, left: int) -> str:
    """A sentence about the code or the clock, and how many tries are left."""
    tries = ngettext("%(left)d try is left.", "%(left)d tries are left.", left) % {"left": left}
    if verdict.minutes_ahead is not None:
        return f"{_clock(verdict.minutes_ahead)} {tries}"
    if not digits_of(code).isdigit() or len(digits_of(code)) != 6:
        return _("A code has six digits. %(tries)s") % {"tries": tries}
    return _("This is not the code of the entry that was just scanned. Type the one that is shown now. %(tries)s") % {
        "tries": tries
    }


def _clock(minutes: int) -> str:
    how_much = ngettext("%(count)d minute", "%(count)d minutes", abs(minutes)) % {"count": abs(minutes)}
    ahead = _("The code is right, but your phone is about %(how_much)s ahead.")
    behind = _("The code is right, but your phone is about %(how_much)s behind.")
    told = (ahead if minutes > 0 else behind) % {"how_much": how_much}
    return f"{told} {_('Let it set its time by the network, then type the next code.')}"
