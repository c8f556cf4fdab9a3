"""Work out when automation changes a password next, and write that down beside the password."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from django.db import transaction

from tenants.models import ChangeDemand, Secret, SecretVersion
from tenants.password_plans import Demanded, Rules, next_change
from tenants.policy_queries import policies_of, policy_of

PLANNED = ("next_change_at", "next_change_because")


def plan_next_change(secret: Secret, *, in_force_since: dt.datetime | None, demands: Sequence[ChangeDemand]) -> None:
    """The same for one secret of which the caller knows these; they are not asked for again."""
    _plan(secret, policy_of(secret.account).rules, in_force_since, [_demanded(demand) for demand in demands])
    secret.save(update_fields=PLANNED)


@transaction.atomic(savepoint=False)
def plan_next_changes(secrets: Sequence[Secret]) -> None:
    """Call it in the transaction of whatever changed a policy, a demand or the version in force.

    The secrets need `account` loaded. The number of queries does not grow with them.
    """
    policies = policies_of([secret.account for secret in secrets])
    demands: defaultdict[Any, list[Demanded]] = defaultdict(list)
    for demand in ChangeDemand.objects.open().filter(secret__in=secrets):
        demands[demand.secret_id].append(_demanded(demand))
    since = dict(SecretVersion.objects.in_force().filter(secret__in=secrets).values_list("secret_id", "current_from"))
    for secret in secrets:
        _plan(secret, policies[secret.account_id].rules, since.get(secret.pk), demands[secret.pk])
    Secret.objects.bulk_update(secrets, PLANNED, batch_size=500)


def _plan(secret: Secret, rules: Rules, in_force_since: dt.datetime | None, demands: Sequence[Demanded]) -> None:
    planned = next_change(rules, break_glass=secret.account.break_glass, in_force_since=in_force_since, demands=demands)
    secret.next_change_at = planned.at if planned else None
    secret.next_change_because = planned.because if planned else ""


def _demanded(demand: ChangeDemand) -> Demanded:
    return Demanded(demand.because, demand.due_at)
