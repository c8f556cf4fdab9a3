"""Say that a password must change, and why. Only a proven change to another value takes that back."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from msp.ledger.record import record
from tenants.actions.plan_next_change import plan_next_change, plan_next_changes
from tenants.models import ChangeDemand, Secret, SecretVersion, SharedAccount

if TYPE_CHECKING:
    from technicians.models import Technician


@transaction.atomic
def demand_change(
    account: SharedAccount,
    because: ChangeDemand.Because,
    *,
    by: Technician | None = None,
    detail: str = "",
    due_at: dt.datetime | None = None,
) -> bool:
    """Every version that may sign in must go. False when that was demanded for the same reason already.

    `due_at` is when automation may begin, now unless said. Raises LedgerClosed.
    """
    secret = Secret.objects.select_for_update().filter(account=account).first()
    if secret is None:
        return False
    secret.account = account
    versions = list(SecretVersion.objects.filter(secret=secret).that_may_sign_in())
    known = ChangeDemand.objects.open().filter(version__in=versions, because=because)
    missing = [v for v in versions if v.pk not in set(known.values_list("version_id", flat=True))]
    ChangeDemand.objects.bulk_create(
        ChangeDemand(
            reseller_id=account.reseller_id,
            secret=secret,
            version=version,
            because=because,
            detail=detail[:500],
            due_at=due_at or timezone.now(),
        )
        for version in missing
    )
    if not missing:
        return False
    record(
        "password.must_change",
        reseller_id=account.reseller_id,
        actor=by,
        tenant_id=account.tenant_id,
        account_id=account.pk,
        versions=[version.number for version in missing],
        because=because,
        detail=detail,
    )
    plan_next_changes([secret])
    return True


def meet_demands(version: SecretVersion) -> None:
    """`version` is proven to be in force: what was demanded because of any other value is met.

    Call it in the transaction that puts the version in force; `version.secret.account` has to be loaded.
    """
    same_value = {version.repeats_id or version.pk}
    open_demands = list(ChangeDemand.objects.open().filter(secret=version.secret).select_related("version"))
    met = [d.pk for d in open_demands if (d.version.repeats_id or d.version_id) not in same_value]
    if met:
        ChangeDemand.objects.filter(pk__in=met).update(met_at=timezone.now(), met_by=version)
    left = [demand for demand in open_demands if demand.pk not in met]
    plan_next_change(version.secret, in_force_since=version.current_from, demands=left)
