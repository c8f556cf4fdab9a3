"""Put tenants into a tenant group: whoever is given the group sees them from then on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils.translation import gettext as _

from msp.errors import NotPermitted
from msp.ledger.record import record
from tenants.actions.plan_next_change import plan_next_changes
from tenants.models import Reach, Secret, Tenant, TenantGroup

if TYPE_CHECKING:
    from technicians.models import Technician


@transaction.atomic
def put_in_group(name: str, tenants: Iterable[Tenant], *, by: Technician) -> int:
    """Says how many were not in it yet. A group that does not exist is made. Raises NotPermitted, LedgerClosed."""
    require_group_rights(by)
    group, new = TenantGroup.objects.get_or_create(reseller_id=by.reseller_id, name=name)
    if new:
        record("group.added", reseller_id=by.reseller_id, actor=by, group=group.pk, name=name)
    wanted = {tenant.pk: tenant for tenant in tenants}
    if any(tenant.reseller_id != by.reseller_id for tenant in wanted.values()):
        raise NotPermitted(_("These tenants are not yours to group; nothing was changed."))
    there = set(group.tenants.filter(pk__in=wanted).values_list("pk", flat=True))
    missing = [tenant for pk, tenant in wanted.items() if pk not in there]
    group.tenants.add(*missing)
    for tenant in missing:
        record(
            "group.tenant_added",
            reseller_id=by.reseller_id,
            actor=by,
            tenant_id=tenant.pk,
            group=group.pk,
            name=name,
        )
    if group.password_policies.exists():
        # Another policy may be the nearest one of these tenants now.
        secrets = Secret.objects.filter(account__tenant__in=missing).select_related("account__tenant")
        plan_next_changes(list(secrets))
    return len(missing)


def require_group_rights(by: Technician) -> None:
    """A group decides who sees what, so whoever sees only some tenants does not fill one. Raises NotPermitted."""
    if not by.may("import"):
        raise NotPermitted(_("Your role may not fill tenant groups; nothing was changed."))
    if by.reach != Reach.EVERYTHING:
        raise NotPermitted(
            _(
                "You see only some tenants, and a tenant group decides who sees which. "
                "Ask somebody who sees all of them; nothing was changed."
            )
        )
