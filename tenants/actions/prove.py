"""Say whether the directory shows what the steps claim: at once, and again after the old tokens have died."""

from __future__ import annotations

import datetime as dt

from django.utils import timezone
from django.utils.translation import gettext as _

from msp.microsoft.ports import MethodKind, Observation
from tenants.actions.work import Work
from tenants.models import Step
from tenants.plans import ACTS, Expected, StepKind, StepState, contradictions


def prove(work: Work, step: Step, steps: list[Step], look: Observation) -> None:
    """The first part, on the reading that settled the acts."""
    words = [contradiction.what for contradiction in contradictions(expected_of(work, steps), look)]
    unproven = [s for s in steps if s.kind in ACTS and s.status == StepState.UNVERIFIED]
    if unproven:
        kinds = ", ".join(str(s.get_kind_display()) for s in unproven)
        words.append(_("Not proven yet: %(steps)s.") % {"steps": kinds})
    _write(work, step, " ".join(words))


def second_look(work: Work, step: Step, steps: list[Step], look: Observation) -> None:
    """The second part: nothing that was cut has grown back."""
    words = [contradiction.what for contradiction in contradictions(expected_of(work, steps), look)]
    _write(work, step, " ".join(words))


def _write(work: Work, step: Step, problem: str) -> None:
    if problem and step.status == StepState.UNVERIFIED:
        return
    with work.commit():
        work.lease.hold()
        if problem:
            step.advance(StepState.UNVERIFIED, problem=problem)
            work.record("step.unverified", step, problem=problem)
        else:
            step.advance(StepState.VERIFIED, verified_at=timezone.now(), problem="")
            work.record("step.verified", step)


def expected_of(work: Work, steps: list[Step]) -> Expected:
    """What the verified steps of this target claim.

    Known methods are those of the first reading, and those that somebody here bound to a person since.
    """
    gone = frozenset(
        (s.method.directory_id, s.method.kind) for s in steps if s.method and s.status == StepState.VERIFIED
    )
    before = {(m["directory_id"], m["kind"]) for m in (work.target.before or {}).get("methods", [])}
    bound = set(work.account.methods.present().filter(authenticator__isnull=False).values_list("directory_id", "kind"))
    password = {(m.directory_id, m.kind) for m in work.account.methods.filter(kind=MethodKind.PASSWORD)}
    rotated = _latest(work, StepKind.ROTATE_PASSWORD, steps, "proven_password_changed_at")
    revoked = _latest(work, StepKind.REVOKE_SESSIONS, steps, "proven_sessions_valid_from")
    return Expected(gone, frozenset(before | bound | password), rotated, revoked)


def _latest(work: Work, kind: StepKind, steps: list[Step], fact: str) -> dt.datetime | None:
    """The time that the last proof left at Microsoft: of this run, or of a later run on the same account."""
    mine = [s for s in steps if s.kind == kind and s.status == StepState.VERIFIED]
    if not mine:
        return None
    last = (
        Step.objects.filter(
            target__account=work.account, kind=kind, status=StepState.VERIFIED, verified_at__gte=mine[-1].verified_at
        )
        .order_by("-verified_at")
        .first()
    )
    proven = (last or mine[-1]).was.get(fact)
    return dt.datetime.fromisoformat(proven) if proven else None
