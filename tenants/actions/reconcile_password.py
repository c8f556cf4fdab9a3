"""Several passwords may sign in, or the one in force is doubtful: ask the directory which one does."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput
from msp.ledger.record import record
from msp.microsoft.ports import ProbeResult
from tenants.actions.nudge import nudge
from tenants.actions.observe_account import observe_account
from tenants.actions.rotate_password import put_in_force
from tenants.actions.say_which_signs_in import UNDER_WAY, set_aside
from tenants.actions.try_password import try_password
from tenants.models import SecretVersion, SharedAccount, Step, Target
from tenants.plans import StepState

if TYPE_CHECKING:
    from msp.outside import Outside
    from technicians.models import Technician


class Found(Enum):
    """What came of asking."""

    SIGNS_IN = "signs in"
    DOES_NOT_SIGN_IN = "does not sign in"
    NOT_KNOWN = "not known"


def reconcile_password(
    account: SharedAccount, *, by: Technician, outside: Outside
) -> tuple[Found, SecretVersion | None]:
    """What was found out, and about which version; the newest that may sign in is asked about.

    Reads the account first: the time of the last change settles most questions, and the run that asked them goes on.
    A sign-in is tried where the policy allows, at most one wrong one in an hour. Raises BadInput when nothing is open,
    and what `Directory.observe` raises.
    """
    if _open_versions(account) is None:
        raise BadInput(_("It is known which password signs in: there is nothing to find out."))
    observe_account(account, outside=outside)
    _wake_the_run(account)
    versions = _open_versions(account)
    if not versions:
        return Found.SIGNS_IN, None
    asked = versions[0]
    directory = outside.directory_for(*account.tenant.way)
    result = try_password(asked, directory=directory, outside=outside)
    with transaction.atomic():
        SharedAccount.objects.select_for_update().get(pk=account.pk)
        return _write_down(asked, result, by=by, outside=outside), asked


def _open_versions(account: SharedAccount) -> list[SecretVersion] | None:
    """The versions among which it is not known which signs in, newest first; None when that is known."""
    versions = list(
        SecretVersion.objects.filter(secret__account=account)
        .that_may_sign_in()
        .select_related("secret__account__tenant")
        .order_by("-number")
    )
    return None if all(version.status == SecretVersion.Status.CURRENT for version in versions) else versions


def _wake_the_run(account: SharedAccount) -> None:
    """Whatever run left the question open looks again now."""
    asking = Target.objects.filter(
        account=account, steps__version__status=SecretVersion.Status.UNVERIFIED, steps__status=StepState.UNVERIFIED
    ).distinct()
    for target in asking:
        Target.objects.filter(pk=target.pk).update(due_at=timezone.now())
        nudge(target.pk)


def _write_down(version: SecretVersion, result: ProbeResult, *, by: Technician, outside: Outside) -> Found:
    version.refresh_from_db(fields=["status"])
    steps = Step.objects.select_for_update().filter(version=version)
    under_way = [step for step in steps if step.status in UNDER_WAY]
    if result == ProbeResult.INCONCLUSIVE or version.status not in SecretVersion.MAY_SIGN_IN or under_way:
        return Found.NOT_KNOWN
    account = version.secret.account
    record(
        "password.tried",
        reseller_id=account.reseller_id,
        actor=by,
        tenant_id=account.tenant_id,
        account_id=account.pk,
        version=version.number,
        result=str(result.value),
    )
    if result == ProbeResult.PASSWORD_REFUSED:
        if version.status == SecretVersion.Status.UNVERIFIED:
            set_aside(version)
        return Found.DOES_NOT_SIGN_IN
    put_in_force(version, proof=SecretVersion.Proof.SIGN_IN, outside=outside)
    for step in steps:
        if step.status == StepState.UNVERIFIED:
            step.advance(StepState.VERIFIED, verified_at=timezone.now(), problem="")
    return Found.SIGNS_IN
