"""Say whether the directory shows what the steps claim: at once, and again after the old tokens have died."""

from __future__ import annotations

import datetime as dt

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.microsoft.ports import MethodKind, Observation
from tenants.actions.work import Work
from tenants.exit_queries import is_handed_over
from tenants.models import Step
from tenants.plans import ACTS, Expected, StepKind, StepState, contradictions

DATED = (StepKind.ROTATE_PASSWORD, StepKind.REVOKE_SESSIONS)
"""What leaves a time behind at Microsoft."""


def prove(work: Work, step: Step, steps: list[Step], look: Observation) -> None:
    """The first part, on the reading that settled the acts."""
    words = [contradiction.what for contradiction in contradictions(expected_of(work, steps, look), look)]
    unproven = [s for s in steps if s.kind in ACTS and s.status == StepState.UNVERIFIED]
    if unproven:
        kinds = ", ".join(str(s.get_kind_display()) for s in unproven)
        words.append(_("Not proven yet: %(steps)s.") % {"steps": kinds})
    _write(work, step, " ".join(words))


def second_look(work: Work, step: Step, steps: list[Step], look: Observation) -> None:
    """The second part: nothing that was cut has grown back."""
    words = [contradiction.what for contradiction in contradictions(expected_of(work, steps, look), look)]
    _write(work, step, " ".join(words))


def _write(work: Work, step: Step, problem: str) -> None:
    if problem and step.status == StepState.UNVERIFIED:
        return
    with work.commit():
        if problem:
            step.advance(StepState.UNVERIFIED, problem=problem)
            work.record("step.unverified", step, problem=problem)
        else:
            step.advance(StepState.VERIFIED, verified_at=timezone.now(), problem="")
            work.record("step.verified", step)


def expected_of(work: Work, steps: list[Step], look: Observation) -> Expected:
    """What the verified steps of this target claim.

    Known methods are those that Latchkey had seen before the run began, and those that somebody here bound to a person
    since. An account that had never been read is known from its first reading. When the account was handed over to a
    customer who goes, what they register and change there is theirs.
    """
    gone = frozenset(
        (s.method.directory_id, s.method.kind) for s in steps if s.method and s.status == StepState.VERIFIED
    )
    bound_or_password = Q(removed_at__isnull=True, authenticator__isnull=False) | Q(kind=MethodKind.PASSWORD)
    handed_over = is_handed_over(work.target)
    theirs_or_ours = Q(removed_at__isnull=True) if handed_over else bound_or_password
    seen_before = Q(first_seen_at__lte=work.target.run.started_at)
    found = work.account.methods.filter(theirs_or_ours | seen_before)
    rows = list(found.values_list("directory_id", "kind", "first_seen_at"))
    known = {(directory_id, kind) for directory_id, kind, _seen in rows}
    if not any(seen <= work.target.run.started_at for _id, _kind, seen in rows):
        known |= {(m["directory_id"], m["kind"]) for m in (work.target.before or {}).get("methods", [])}
    latest = _latest_proofs(work, steps, look)
    rotated = None if handed_over else _proven(latest.get(StepKind.ROTATE_PASSWORD), "proven_password_changed_at")
    revoked = _proven(latest.get(StepKind.REVOKE_SESSIONS), "proven_sessions_valid_from")
    return Expected(gone, frozenset(known), rotated, revoked)


def _latest_proofs(work: Work, steps: list[Step], look: Observation) -> dict[str, Step]:
    """kind -> the last verified step of that kind: of this run, or of a later run on the same account."""
    mine = {s.kind: s for s in steps if s.kind in DATED and s.status == StepState.VERIFIED}
    if not mine:
        return {}
    since = min(s.verified_at for s in mine.values() if s.verified_at)
    if since >= look.read_at:
        # Proven by this very reading, and the account is ours: no later run can have proven anything.
        return mine
    verified = Step.objects.filter(target__account=work.account, status=StepState.VERIFIED, verified_at__gte=since)
    later = {s.kind: s for s in verified.filter(kind__in=list(mine)).order_by("verified_at")}
    return mine | later


def _proven(step: Step | None, fact: str) -> dt.datetime | None:
    """The time that a proof left at Microsoft."""
    proven = step.was.get(fact) if step else None
    return dt.datetime.fromisoformat(proven) if proven else None
