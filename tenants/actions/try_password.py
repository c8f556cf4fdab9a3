"""Try whether a password signs in: rarely, because smart lockout counts every wrong try."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING
from uuid import UUID

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
    if not count_wrong_try(version.secret_id, now):
        return ProbeResult.INCONCLUSIVE
    password = outside.vault.open(bytes(version.sealed), version.place).decode()
    give_connection_back()
    result = directory.sign_in_probe(account.ref, password)
    if result == ProbeResult.PASSWORD_ACCEPTED:
        forget_wrong_try(version.secret_id, now)
    return result


def count_wrong_try(secret_id: UUID, now: dt.datetime) -> bool:
    """Count a try as wrong before it is sent: neither a crash nor a second process can make it two.

    False when there was one within the hour; then nothing may be tried.
    """
    free = Q(wrong_try_at=None) | Q(wrong_try_at__lte=now - BETWEEN_WRONG_TRIES)
    return bool(Secret.objects.filter(free, pk=secret_id).update(wrong_try_at=now))


def forget_wrong_try(secret_id: UUID, counted_at: dt.datetime) -> None:
    """The password that was tried is the right one, so it did not count."""
    Secret.objects.filter(pk=secret_id, wrong_try_at=counted_at).update(wrong_try_at=None)
