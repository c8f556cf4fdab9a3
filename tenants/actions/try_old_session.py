"""A session of before the change: opened here right before it, refused after it.

Latchkey has no session of the person who leaves. Where the password alone opens one, it opens its own, holds it
sealed, and asks after the revocation whether it still goes on. Where a second factor is asked for there is none.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import DirectoryError, KeyTrouble, NotSent
from tenants.actions.connection import give_connection_back
from tenants.actions.try_password import count_wrong_try, forget_wrong_try
from tenants.actions.try_states import blocked, needless, planned_again, proven, still_open
from tenants.actions.work import Work
from tenants.models import SecretVersion, Step
from tenants.plans import StepKind, StepState

if TYPE_CHECKING:
    from msp.microsoft.ports import SignInAnswer

WHY = "why_no_session"
"""What `Step.was` remembers when no session was opened."""
ENDING = (StepKind.ROTATE_PASSWORD, StepKind.REVOKE_SESSIONS)
MOST_TRIES = 3
BETWEEN = dt.timedelta(minutes=1)


def wants_a_session(steps: list[Step]) -> Step | None:
    """The step for which a session is still to be opened, before the first act of an account."""
    step = next((s for s in steps if s.kind == StepKind.TRY_SESSION and s.status == StepState.PLANNED), None)
    return None if step is None or step.was or any(s.kind in ENDING and s.sent_at for s in steps) else step


def open_old_session(work: Work, step: Step) -> None:
    """Where the policy asks for it. Once: whatever comes of it is remembered on the step, and the acts go on."""
    version = (
        SecretVersion.objects.filter(secret__account=work.account, status=SecretVersion.Status.CURRENT)
        .select_related("secret__account")
        .first()
    )
    if version is None:
        _remember(work, step, {WHY: _("no password in force is known here")})
        return
    now = timezone.now()
    with work.commit():
        counted = count_wrong_try(version.secret_id, now)
        why = "" if counted else _("a wrong password was tried within the hour, and one more could lock the account")
        step.was = {WHY: why} if why else {"asked_at": now.isoformat()}
        step.save(update_fields=["was"])
        work.record("session.not_opened" if why else "session.asked_for", step, version=version.number)
    if why:
        return
    try:
        password = work.outside.vault.open(bytes(version.sealed), version.place).decode()
        give_connection_back()
        answer = work.directory.try_sign_in(work.account.ref, password, keep_session=True)
    except (DirectoryError, KeyTrouble) as trouble:
        _remember(work, step, {WHY: str(trouble)})
        return
    if answer.accepted:
        forget_wrong_try(version.secret_id, now)
    _keep(work, step, answer)


def _keep(work: Work, step: Step, answer: SignInAnswer) -> None:
    if not answer.session:
        why = _("the password alone opens none (%(code)s)") % {"code": answer.code or _("no session given")}
        _remember(work, step, {WHY: why})
        return
    with work.commit():
        step.sealed = work.outside.vault.seal(answer.session.encode(), step.place)
        step.save(update_fields=["sealed"])
        work.record("session.opened", step)


def _remember(work: Work, step: Step, facts: dict[str, Any]) -> None:
    with work.commit():
        step.was = step.was | facts
        step.save(update_fields=["was"])
        work.record("session.not_opened", step)


def try_session(work: Work, step: Step, steps: list[Step]) -> None:
    """After the sessions were ended: that one must not go on. No password is tried, so nothing can be locked."""
    if step.sealed is None:
        lost = _("the answer to its opening was lost") if step.was else _("the change had been sent already")
        why = step.was.get(WHY) or lost
        needless(
            work, step, _("No session was opened before the change: %(why)s. So none can be tried.") % {"why": why}
        )
        return
    ended = [s for s in steps if s.kind in ENDING]
    if not any(s.status == StepState.VERIFIED for s in ended):
        open_question = next((s for s in ended if s.status == StepState.UNVERIFIED), None)
        if open_question is not None:
            blocked(work, step, _("The end of the sessions is not proven yet."), open_question)
        else:
            needless(work, step, _("This run ended no session, so no old one has to be refused."))
        return
    if step.status == StepState.PLANNED:
        with work.commit():
            step.advance(StepState.SENDING, sent_at=timezone.now(), due_at=None, looks=step.looks + 1, problem="")
            work.record("step.sent", step)
    _ask(work, step)


def _ask(work: Work, step: Step) -> None:
    try:
        session = work.outside.vault.open(bytes(step.sealed or b""), step.place).decode()
        give_connection_back()
        answer = work.directory.try_session(work.account.ref, session)
    except NotSent as trouble:
        if step.status == StepState.SENDING and step.looks < MOST_TRIES:
            due_at = timezone.now() + BETWEEN
            planned_again(work, step, problem=str(trouble), due_at=due_at)
        else:
            blocked(work, step, str(trouble))
        return
    except (DirectoryError, KeyTrouble) as trouble:
        blocked(work, step, str(trouble))
        return
    facts = {"code": answer.code}
    ids = [*step.request_ids, *(i for i in (answer.request_id,) if i)]
    if answer.refused:
        said = _("A session that Latchkey had opened with the old password before the change was refused after it.")
        proven(work, step, said, was=facts, request_ids=ids)
    elif answer.accepted:
        problem = _(
            "A session of before the change still goes on. Microsoft may need some minutes to end them all; Latchkey "
            "tries this one again by itself. If it stays so, end the sessions again in the Entra admin center."
        )
        still_open(work, step, problem, was=facts, request_ids=ids)
    else:
        reason = _("The sign-in gave no clear answer to the old session (%(code)s). %(why)s")
        blocked(work, step, reason % {"code": answer.code, "why": answer.why}, was=facts, request_ids=ids)
