"""What the page of one enrolment says: which part of it, what goes on at Microsoft, and what comes next."""

from __future__ import annotations

import math
from dataclasses import dataclass

from django.utils import timezone
from django.utils.translation import gettext as _

from technicians.actions.end_enrolment import why_too_late
from technicians.actions.issue_pass import ASKED, may_have_pass
from technicians.actions.kept_code_waits import kept_and_waiting
from technicians.models import Enrolment, EnrolmentRequest, KeptCode, Technician
from technicians.way_queries import next_on_the_list
from tenants.models import Step, Target


@dataclass(frozen=True)
class EnrolmentPage:
    """`part` names the template of what is to do now. `polls`: it changes without the person, so look again soon.

    `why` says why it is over, `trouble` what keeps the worker waiting; each "" when there is nothing to say.
    """

    part: str
    polls: bool
    is_mine: bool
    may_act: bool
    may_have_pass: bool
    why: str
    trouble: str
    seconds_left: int
    kept: KeptCode | None
    next: EnrolmentRequest | None


def enrolment_page(enrolment: Enrolment, reader: Technician) -> EnrolmentPage:
    """`enrolment` with account, tenant and technician; call it only for one that the reader may see."""
    left = (enrolment.expires_at - timezone.now()).total_seconds()
    late = enrolment.is_open and left <= 0 and enrolment.status != Enrolment.Status.ACTIVATING
    part = "over" if late else _part(enrolment)
    mine = enrolment.technician_id == reader.pk
    polls = part in ("preparing", "activating")
    had_pass = enrolment.pass_id not in ("", ASKED)
    return EnrolmentPage(
        part=part,
        polls=polls,
        is_mine=mine,
        may_act=part not in ("over", "active") and (mine or reader.may("enrol")),
        may_have_pass=mine and part in ("page", "page_kept") and not had_pass and may_have_pass(enrolment),
        why=why_too_late() if late else enrolment.note,
        trouble=_trouble(enrolment) if polls else "",
        seconds_left=max(0, math.ceil(left)),
        kept=_kept(enrolment) if mine else None,
        next=next_on_the_list(reader, after=enrolment) if mine and part == "active" else None,
    )


def _part(enrolment: Enrolment) -> str:
    if enrolment.status in Enrolment.OVER:
        return "over"
    if enrolment.status != Enrolment.Status.WAITING_FOR_SCAN:
        return str(enrolment.status)
    if enrolment.registration_id is not None:
        return "scan"
    return "page_kept" if enrolment.way == Enrolment.Way.KEPT_HERE else "page"


def _kept(enrolment: Enrolment) -> KeptCode | None:
    """The codes that wait for their authenticator, or are bound to it."""
    if enrolment.way != Enrolment.Way.KEPT_HERE:
        return None
    if enrolment.authenticator_id is None:
        return kept_and_waiting(enrolment.account, enrolment.technician)
    found: KeptCode | None = KeptCode.objects.live().filter(authenticator=enrolment.authenticator_id).first()
    return found


def _trouble(enrolment: Enrolment) -> str:
    busy_until = enrolment.account.tenant.busy_until
    if busy_until is not None and busy_until > timezone.now():
        return _("Microsoft asks for patience in this tenant until %(time)s UTC. Latchkey goes on by itself then.") % {
            "time": busy_until.strftime("%H:%M:%S")
        }
    targets = Target.objects.filter(steps__registration=enrolment.registration_id).exclude(problem="")
    problem = targets.values_list("problem", flat=True).first()
    if problem is None:
        steps = Step.objects.filter(registration=enrolment.registration_id).exclude(problem="")
        problem = steps.order_by("position").values_list("problem", flat=True).first()
    return problem or ""
