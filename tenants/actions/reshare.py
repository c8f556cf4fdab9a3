"""Hand the new password to those who stay: it is theirs by assignment, once the vault shows that it opens."""

from __future__ import annotations

from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import KeyTrouble
from tenants.actions.work import Work
from tenants.models import SecretVersion, Step
from tenants.plans import StepKind, StepState


def reshare(work: Work, step: Step, steps: list[Step]) -> None:
    """Verified when the version in force opens in its place; needless when this run changed no password."""
    rotated = [s for s in steps if s.kind == StepKind.ROTATE_PASSWORD and s.status == StepState.VERIFIED]
    version = next((s.version for s in rotated if s.version and s.version.status == SecretVersion.Status.CURRENT), None)
    if version is None:
        in_force = SecretVersion.objects.filter(secret__account=work.account, status=SecretVersion.Status.CURRENT)
        version = in_force.select_related("secret__account").first()
    with work.commit():
        if not rotated:
            step.advance(StepState.NEEDLESS, problem=_("The password was not changed by this run."))
            work.record("step.needless", step)
            return
        if version is None:
            problem = _(
                "Nobody here knows the password in force any more: it was changed after Latchkey had changed it. Take "
                "the account back or enter the new one; then try again."
            )
            step.advance(StepState.BLOCKED, problem=problem)
            work.record("step.blocked", step, problem=problem)
            return
        try:
            work.outside.vault.open(bytes(version.sealed), version.place)
        except KeyTrouble as trouble:
            step.advance(StepState.BLOCKED, problem=str(trouble))
            work.record("step.blocked", step, problem=str(trouble))
            return
        step.advance(StepState.VERIFIED, verified_at=timezone.now(), version=version, problem="")
        work.record("password.handed_over", step, version=version.number)
