"""Try whether a password signs in: rarely, because smart lockout counts every wrong try."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from django.db.models import Q
from django.utils import timezone

from msp.microsoft.ports import Directory, ProbeResult
from tenants.actions.connection import give_connection_back
from tenants.models import Secret, SecretVersion
from tenants.policy_queries import policy_of

if TYPE_CHECKING:
    from msp.outside import Outside

BETWEEN_WRONG_TRIES = dt.timedelta(hours=1)


def try_password(version: SecretVersion, *, directory: Directory, outside: Outside) -> ProbeResult:
    """INCONCLUSIVE without a try when the policy forbids it, or a wrong one was made within the hour.

    `version.secret.account.tenant` has to be loaded.
    """
    account, now = version.secret.account, timezone.now()
    if not policy_of(account).rules.sign_in_probe:
        return ProbeResult.INCONCLUSIVE
    # Counted as wrong before it is sent: neither a crash nor a second process can make it two.
    free = Q(wrong_try_at=None) | Q(wrong_try_at__lte=now - BETWEEN_WRONG_TRIES)
    if not Secret.objects.filter(free, pk=version.secret_id).update(wrong_try_at=now):
        return ProbeResult.INCONCLUSIVE
    password = outside.vault.open(bytes(version.sealed), version.place).decode()
    give_connection_back()
    result = directory.sign_in_probe(account.ref, password)
    if result == ProbeResult.PASSWORD_ACCEPTED:
        Secret.objects.filter(pk=version.secret_id, wrong_try_at=now).update(wrong_try_at=None)
    return result
