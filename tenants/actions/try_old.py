"""The negative proof: after the change, what opened the door before must be refused.

Nothing here is tried in a loop. Before the old password the one in force is tried: only an account that takes the
new one says something by refusing the old one, and a right sign-in also sets Microsoft's counter of wrong ones back
(assumption). At most one wrong try an hour is made on an account, counted before it is sent.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import DirectoryError, KeyTrouble, NotSent
from msp.microsoft.ports import SignInAnswer
from tenants.actions.connection import give_connection_back
from tenants.actions.try_old_code import try_code
from tenants.actions.try_old_session import try_session
from tenants.actions.try_password import BETWEEN_WRONG_TRIES, count_wrong_try, forget_wrong_try
from tenants.actions.try_states import blocked, needless, planned_again, proven, still_open, waits_for
from tenants.actions.work import Work
from tenants.models import Secret, SecretVersion, Step
from tenants.plans import StepKind, StepState

MOST_TRIES = 3
"""Tries whose answer was lost, before a person is asked."""


def try_old(work: Work, step: Step, steps: list[Step]) -> None:
    """Take one step of the negative proof as far as it goes now.

    Refused outside -> verified. Accepted outside -> unverified, which needs a person. No clear answer -> blocked.
    Nothing here that could be tried -> needless, and the reason is written down. A later try has its time in `due_at`.
    """
    run = work.target.run
    if step.status == StepState.SENDING:
        _answer_was_lost(work, step)
    if step.status == StepState.BLOCKED and waits_for(step, steps) == StepState.VERIFIED:
        planned_again(work, step, problem="")
    if step.status == StepState.PLANNED and run.cancelled_at is not None:
        with work.commit():
            step.advance(StepState.CANCELLED, problem=run.cancelled_because, sealed=None)
            work.record("step.cancelled", step)
        return
    if run.is_paused or (step.due_at is not None and step.due_at > timezone.now()):
        return
    if step.kind == StepKind.TRY_PASSWORD and step.status == StepState.PLANNED:
        _try_password(work, step, steps)
    elif step.kind == StepKind.TRY_CODE and step.status in (StepState.PLANNED, StepState.UNVERIFIED):
        try_code(work, step, steps)
    elif step.kind == StepKind.TRY_SESSION and step.status in (StepState.PLANNED, StepState.UNVERIFIED):
        try_session(work, step, steps)


def _answer_was_lost(work: Work, step: Step) -> None:
    """Sent, and no answer was written down: it counts as a wrong try, and the next one has to wait."""
    problem = _("It was tried, and the answer was lost.")
    if step.looks >= MOST_TRIES:
        blocked(work, step, _("%(what)s Try again, or accept the gap.") % {"what": problem})
        return
    wait = BETWEEN_WRONG_TRIES if step.kind == StepKind.TRY_PASSWORD else dt.timedelta()
    planned_again(work, step, problem=problem, due_at=timezone.now() + wait)


def _try_password(work: Work, step: Step, steps: list[Step]) -> None:
    rotation = next(s for s in reversed(steps) if s.kind == StepKind.ROTATE_PASSWORD)
    if rotation.status == StepState.UNVERIFIED:
        blocked(work, step, _("The change of the password is not proven yet, so the old one is not tried."), rotation)
        return
    if rotation.status not in (StepState.VERIFIED, StepState.NEEDLESS):
        needless(work, step, _("This run did not change the password, so there is no old one that must be refused."))
        return
    new = _in_force(work)
    if new is None:
        blocked(work, step, _("It is not certain which password is in force, so the old one is not tried."))
        return
    old = _before(rotation.version if rotation.status == StepState.VERIFIED and rotation.version else new)
    if old is None:
        needless(work, step, _("No password of before this run is known here, so none can be tried."))
        return
    now = timezone.now()
    if _begin(work, step, old, new, now):
        _ask(work, step, old, new, now)


def _in_force(work: Work) -> SecretVersion | None:
    found: SecretVersion | None = (
        SecretVersion.objects.filter(secret__account=work.account, status=SecretVersion.Status.CURRENT)
        .select_related("secret__account")
        .first()
    )
    return found


def _before(version: SecretVersion) -> SecretVersion | None:
    """The one that was in force until this one was."""
    found: SecretVersion | None = (
        SecretVersion.objects.filter(secret_id=version.secret_id, number__lt=version.number)
        .filter(current_from__isnull=False, status=SecretVersion.Status.RETIRED)
        .select_related("secret__account")
        .order_by("-number")
        .first()
    )
    return found


def _begin(work: Work, step: Step, old: SecretVersion, new: SecretVersion, now: dt.datetime) -> bool:
    """The intent and the count, committed together before anything is sent. False while it is too early."""
    with work.commit():
        if not count_wrong_try(old.secret_id, now):
            last = Secret.objects.values_list("wrong_try_at", flat=True).get(pk=old.secret_id) or now
            step.due_at = last + BETWEEN_WRONG_TRIES
            step.problem = _(
                "A wrong password was tried on this account within the hour. It waits, to lock nobody out."
            )
            step.save(update_fields=["due_at", "problem"])
            return False
        step.advance(StepState.SENDING, sent_at=now, due_at=None, looks=step.looks + 1, problem="")
        work.record("step.sent", step, old_version=old.number, version_in_force=new.number)
    return True


def _ask(work: Work, step: Step, old: SecretVersion, new: SecretVersion, counted_at: dt.datetime) -> None:
    try:
        control = _sign_in(work, new)
        answer = _sign_in(work, old) if control.accepted else None
    except NotSent as trouble:
        if step.looks >= MOST_TRIES:
            blocked(work, step, str(trouble))
        else:
            planned_again(work, step, problem=str(trouble), due_at=counted_at + BETWEEN_WRONG_TRIES)
        return
    except (DirectoryError, KeyTrouble) as trouble:
        blocked(work, step, str(trouble))
        return
    told: dict[str, Any] = {"old_version": old.number, "in_force": new.number, "code_in_force": control.code}
    if answer is None:
        blocked(work, step, _no_control(control, new), was=told, request_ids=_ids(step, control))
        return
    if answer.accepted:
        forget_wrong_try(old.secret_id, counted_at)
    _write_answer(
        work, step, old, new, answer, was=told | {"code": answer.code}, request_ids=_ids(step, control, answer)
    )


def _write_answer(
    work: Work, step: Step, old: SecretVersion, new: SecretVersion, answer: SignInAnswer, **changes: Any
) -> None:
    if answer.refused:
        said = _("The sign-in refused %(old)s, which was in force before, and took %(new)s, which is in force now.")
        proven(work, step, said % {"old": old, "new": new}, **changes)
    elif answer.accepted:
        problem = _(
            "THE OLD PASSWORD STILL SIGNS IN: the sign-in took %(old)s, which was in force before this run. Whoever "
            "knows it gets past the password. Change the password again at once, and look at the account in the "
            "Entra admin center."
        )
        still_open(work, step, problem % {"old": old}, **changes)
    else:
        reason = _("The sign-in gave no clear answer to the old password (%(code)s). %(why)s")
        blocked(work, step, reason % {"code": answer.code, "why": answer.why}, **changes)


def _ids(step: Step, *answers: SignInAnswer) -> list[str]:
    return [*step.request_ids, *(answer.request_id for answer in answers if answer.request_id)]


def _sign_in(work: Work, version: SecretVersion) -> SignInAnswer:
    with transaction.atomic():
        work.lease.hold()
    password = work.outside.vault.open(bytes(version.sealed), version.place).decode()
    give_connection_back()
    return work.directory.try_sign_in(work.account.ref, password)


def _no_control(control: SignInAnswer, new: SecretVersion) -> str:
    if control.refused:
        return _(
            "The sign-in refused %(new)s, which is in force as far as is known here, so the old one was not tried: "
            "somebody may have changed the password elsewhere. Read the account, settle which password signs in, "
            "then try again."
        ) % {"new": new}
    return _(
        "The sign-in gave no clear answer to the password in force (%(code)s), so the old one was not tried. %(why)s"
    ) % {"code": control.code, "why": control.why}
