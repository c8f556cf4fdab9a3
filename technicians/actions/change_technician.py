"""A person has another name, role or scope."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from technicians.models import Role, Technician
from tenants.models import Reach, TenantGroup

POWERFUL = (Role.OWNER, Role.MANAGER)


@transaction.atomic
def change_technician(
    person: Technician,
    *,
    by: Technician,
    name: str | None = None,
    role: str | None = None,
    groups: Iterable[TenantGroup] | None = None,
) -> None:
    """Set what is given; None leaves it. Raises NotPermitted, BadInput (gone, no such role), LedgerClosed."""
    if not by.may("import") or by.reseller_id != person.reseller_id or by.reach != Reach.EVERYTHING:
        raise NotPermitted(_("Your role may not change people; nothing was changed."))
    if not person.is_active:
        raise BadInput(_("%(name)s has left or is away; nothing was changed.") % {"name": person})
    wanted = person.role if role is None else role
    if wanted not in Role.values or (wanted == Role.CUSTOMER_CONTACT and person.customer_id is None):
        raise BadInput(_("%(name)s cannot be given the role %(role)s.") % {"name": person, "role": wanted})
    set_to = None if groups is None else sorted(groups, key=lambda group: group.name)
    had = sorted(group.name for group in person.groups.all())
    was: dict[str, object] = {"name": person.name, "role": str(person.role), "groups": had}
    now: dict[str, object] = {
        "name": person.name if name is None else name,
        "role": str(wanted),
        "groups": had if set_to is None else [group.name for group in set_to],
    }
    if was == now:
        return
    if (was["role"], was["groups"]) != (now["role"], now["groups"]):
        _may_change_power(person, by, wanted)
    person.name, person.role = str(now["name"]), wanted
    person.save(update_fields=["name", "role"])
    if set_to is not None:
        person.groups.set(set_to)
    record(
        "technician.changed",
        reseller_id=person.reseller_id,
        actor=by,
        technician_id=person.pk,
        was=was,
        now=now,
    )


def _may_change_power(person: Technician, by: Technician, wanted: str) -> None:
    # So an owner always remains: the one who acts.
    if person.pk == by.pk:
        raise NotPermitted(_("Nobody changes their own role or groups; ask somebody else. Nothing was changed."))
    if (person.role in POWERFUL or wanted in POWERFUL) and not by.may("change_roles"):
        raise NotPermitted(_("Only an owner may change the role or groups of owners and managers."))
