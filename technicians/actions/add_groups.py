"""Make tenant groups, empty: which tenants belong to them is said afterwards."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.utils.translation import gettext as _

from msp.errors import NotPermitted
from msp.ledger.record import record
from technicians.models import Technician
from tenants.models import Reach, TenantGroup


@transaction.atomic
def add_groups(names: Iterable[str], *, by: Technician) -> list[TenantGroup]:
    """Raises NotPermitted, LedgerClosed. A group that exists already is left as it is and not returned."""
    if not by.may("import") or by.reach != Reach.EVERYTHING:
        raise NotPermitted(_("Your role may not make tenant groups; nothing was changed."))
    made = []
    for name in names:
        group, new = TenantGroup.objects.get_or_create(reseller_id=by.reseller_id, name=name)
        if new:
            made.append(group)
            record("group.added", reseller_id=by.reseller_id, actor=by, group=group.pk, name=name)
    return made
