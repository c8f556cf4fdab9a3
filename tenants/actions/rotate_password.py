"""Change the shared password without ever losing it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import PasswordRefused, Refused
from msp.microsoft.ports import Observation, SetPassword
from tenants.actions.demand_change import meet_demands
from tenants.actions.findings import open_finding, resolve_findings
from tenants.actions.send import Errand
from tenants.actions.work import Later, Work, block, refuse
from tenants.models import Finding, Secret, SecretVersion, SharedAccount, Step
from tenants.passwords import name_parts, new_password
from tenants.plans import StepState
from tenants.policy_queries import policy_of

if TYPE_CHECKING:
    from msp.outside import Outside

WHILE_ANOTHER_RUN_READS_BACK = 2.0
"""Seconds. The other run gave the account free only to wait for its change to become visible."""


def rotate_password(work: Work, step: Step, look: Observation) -> Errand | None:
    """Store a candidate and have it sent."""
    if look.synced:
        block(
            work,
            step,
            _(
                "This account is synced from a local directory, which alone can change its password. "
                "The old password still stands: change it there, then try again."
            ),
        )
        return None
    if other := _somebody_elses_candidate(work, step):
        if other.steps.filter(status__in=[StepState.PLANNED, StepState.SENDING, StepState.ACCEPTED]).exists():
            raise Later(WHILE_ANOTHER_RUN_READS_BACK)
        if other.status != SecretVersion.Status.CANDIDATE:
            block(
                work,
                step,
                _(
                    "An earlier change of this password is not proven yet, so it is not known which one is in force. "
                    "Settle that run first, then try again."
                ),
            )
            return None
        _never_sent(work, other)
    version = step.version or _store_candidate(work, step)
    return Errand(
        step,
        SetPassword(work.outside.vault.open(bytes(version.sealed), version.place).decode()),
        at_intent=lambda: version.advance(SecretVersion.Status.UNVERIFIED),
        if_not_sent=lambda: version.advance(SecretVersion.Status.CANDIDATE),
        at_refusal=lambda trouble: _refused(work, step, version, trouble),
    )


def _refused(work: Work, step: Step, version: SecretVersion, trouble: Refused) -> None:
    """A candidate refused by policy is followed by another, some times; any other refusal is final."""
    if isinstance(trouble, PasswordRefused) and step.refusals + 1 < work.outside.patience.candidates:
        _drop_candidate(work, step, version, trouble)
    else:
        refuse(work, step, trouble, also=lambda: _fail(work, version, trouble))


def _store_candidate(work: Work, step: Step) -> SecretVersion:
    """Committed before anything is sent: whatever happens from here on, the new password is known."""
    with work.commit():
        version = make_candidate(work.account, outside=work.outside)
        step.version = version
        step.save(update_fields=["version"])
        work.record("password.candidate_stored", step, version=version.number)
        work.reached("rotate_password.candidate.uncommitted")
    work.reached("rotate_password.candidate.committed")
    return version


def make_candidate(account: SharedAccount, *, outside: Outside) -> SecretVersion:
    """A new password by the account's policy, sealed and saved. `account.tenant.customer` has to be loaded."""
    secrets = Secret.objects.annotate(last=Max("versions__number"))
    secret, _made = secrets.get_or_create(account=account, defaults={"reseller_id": account.reseller_id})
    secret.account = account
    number = (getattr(secret, "last", None) or 0) + 1
    version = SecretVersion(reseller_id=account.reseller_id, secret=secret, number=number)
    password = new_password(policy_of(account).rules, forbidden=_names_of(account))
    version.sealed = outside.vault.seal(password.encode(), version.place)
    version.save()
    return version


def _names_of(account: SharedAccount) -> set[str]:
    """What Entra would not take inside a password of this account, and what anybody would guess."""
    tenant = account.tenant
    own_name = account.user_principal_name.partition("@")[0]
    return name_parts(own_name, account.display_name, tenant.default_domain.partition(".")[0], tenant.customer.name)


def _somebody_elses_candidate(work: Work, step: Step) -> SecretVersion | None:
    waiting = SecretVersion.objects.filter(secret__account=work.account, status__in=SecretVersion.ON_THE_WAY)
    found: SecretVersion | None = waiting.exclude(pk=step.version_id).first()
    return found


def _never_sent(work: Work, other: SecretVersion) -> None:
    """The run that stored it was cancelled before it was sent."""
    with work.commit():
        other.advance(
            SecretVersion.Status.RETIRED, retired_at=timezone.now(), retired_because=_("never sent: run cancelled")
        )


def _drop_candidate(work: Work, step: Step, version: SecretVersion, trouble: PasswordRefused) -> None:
    with work.commit():
        _give_up(version)
        step.advance(StepState.PLANNED, version=None, refusals=step.refusals + 1, problem=str(trouble))
        work.record("password.candidate_refused", step, version=version.number, code=trouble.code)


def _give_up(version: SecretVersion) -> None:
    """A dead candidate is kept: whoever saw it while its answer was awaited knows a password that never was."""
    version.advance(SecretVersion.Status.DEAD, retired_at=timezone.now(), retired_because=_("refused by the directory"))


def _fail(work: Work, version: SecretVersion, trouble: Refused) -> None:
    _give_up(version)
    open_finding(
        Finding.Kind.ROTATION_FAILED,
        tenant=work.account.tenant,
        account=work.account,
        detail=_("The password was not changed, and the old one still signs in. %(reason)s") % {"reason": trouble},
    )


def put_in_force(version: SecretVersion, *, proof: SecretVersion.Proof, outside: Outside) -> None:
    """This version is proven to sign in: it is current, the one before is retired, and what asked for this is met.

    Whoever holds the account is told, once.

    Call it in a transaction; `version.secret.account.tenant` has to be loaded.
    """
    now, account, is_new = timezone.now(), version.secret.account, version.current_from is None
    # All of them move, and whatever status they have by now may become this one.
    SecretVersion.objects.in_force().filter(secret=version.secret).exclude(pk=version.pk).update(
        status=SecretVersion.Status.RETIRED, changed_at=now, retired_at=now, retired_because=_("replaced")
    )
    if version.status == SecretVersion.Status.CURRENT:
        # A person had said so before; now it is proven.
        SecretVersion.objects.filter(pk=version.pk).update(proof=proof)
    else:
        version.advance(SecretVersion.Status.CURRENT, current_from=version.current_from or now, proof=proof)
    resolve_findings(account, kinds=(Finding.Kind.PASSWORD_DOUBTFUL, Finding.Kind.ROTATION_FAILED))
    meet_demands(version)
    if is_new:
        outside.tell_holders(version)
