"""Work out when automation changes a password next, and write that down beside the password."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from django.db import transaction

from tenants.models import ChangeDemand, Secret, SecretVersion
from tenants.password_plans import Demanded, next_change
from tenants.policy_queries import policies_of


@transaction.atomic(savepoint=False)
def plan_next_changes(secrets: Sequence[Secret]) -> None:
    """Call it in the transaction of whatever changed a policy, a demand or the version in force.

    The secrets need `account` loaded. The number of queries does not grow with them.
    """
    policies = policies_of([secret.account for secret in secrets])
    demands: defaultdict[Any, list[Demanded]] = defaultdict(list)
    for demand in ChangeDemand.objects.open().filter(secret__in=secrets):
        demands[demand.secret_id].append(Demanded(demand.because, demand.due_at))
    since = dict(SecretVersion.objects.in_force().filter(secret__in=secrets).values_list("secret_id", "current_from"))
    for secret in secrets:
        planned = next_change(
            policies[secret.account_id].rules,
            break_glass=secret.account.break_glass,
            in_force_since=since.get(secret.pk),
            demands=demands[secret.pk],
        )
        secret.next_change_at = planned.at if planned else None
        secret.next_change_because = planned.because if planned else ""
    Secret.objects.bulk_update(secrets, ["next_change_at", "next_change_because"], batch_size=500)
