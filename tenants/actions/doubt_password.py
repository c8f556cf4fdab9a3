"""Somebody changed the password outside Latchkey: say so before anybody relies on the old one."""

from __future__ import annotations

import datetime as dt

from django.utils.translation import gettext as _

from msp.errors import MoveLost
from msp.ledger.record import record
from tenants.actions.demand_change import demand_change
from tenants.actions.findings import open_finding
from tenants.models import ChangeDemand, Finding, SecretVersion, SharedAccount
from tenants.password_plans import changed_elsewhere
from tenants.policy_queries import policy_of


def doubt_if_changed_elsewhere(account: SharedAccount, *, before: dt.datetime | None, now: dt.datetime | None) -> None:
    """Compare the directory's time of the last change at this reading with the one at the reading before.

    Call it in the transaction that writes the reading down, with the account's row locked.
    """
    if now is None or (before is not None and now <= before):
        return
    versions = list(
        SecretVersion.objects.filter(
            secret__account=account, status__in=[SecretVersion.Status.CURRENT, *SecretVersion.ON_THE_WAY]
        )
    )
    current = next((v for v in versions if v.status == SecretVersion.Status.CURRENT), None)
    if current is None:
        return
    made_here = current.source == SecretVersion.Source.GENERATED
    if changed_elsewhere(
        before=before,
        now=now,
        given_at=None if made_here else current.current_from,
        on_the_way=len(versions) > 1,
    ):
        doubt_password(account, current, changed_at=now)


def doubt_password(account: SharedAccount, version: SecretVersion, *, changed_at: dt.datetime) -> None:
    """The version in force becomes doubtful, with a finding; the policy may ask to take the account back by itself."""
    try:
        version.advance(SecretVersion.Status.DOUBTFUL)
    except MoveLost:
        return  # Another version came into force at this moment, and that one is proven.
    record(
        "password.doubtful",
        reseller_id=account.reseller_id,
        actor=None,
        tenant_id=account.tenant_id,
        account_id=account.pk,
        version=version.number,
        changed_at=changed_at,
    )
    open_finding(
        Finding.Kind.PASSWORD_DOUBTFUL,
        tenant=account.tenant,
        account=account,
        detail=_(
            "The directory says that the password was changed on %(when)s, and not by Latchkey. Version %(number)d may "
            "not sign in any more. Take the account back by changing the password, or enter the new one."
        )
        % {"when": f"{changed_at:%Y-%m-%d %H:%M} UTC", "number": version.number},
    )
    if policy_of(account).rules.rotate_after_drift:
        demand_change(account, ChangeDemand.Because.DRIFT)
