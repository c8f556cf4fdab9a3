"""Which tenants belong to which tenant group. An import only puts tenants in; it never takes one out."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from msp.importing.lookup import Tenants
from msp.importing.preview import Kind, Plan, by_columns
from msp.importing.sheet import Column, Sheet
from tenants.actions.put_in_group import put_in_group, require_group_rights
from tenants.models import Tenant, TenantGroup

if TYPE_CHECKING:
    from msp.outside import Outside
    from technicians.models import Technician

LONGEST_NAME = 100

COLUMNS = (
    Column("group", gettext_lazy("Name of the tenant group; made when it does not exist yet"), required=True),
    Column("tenant", gettext_lazy("Tenant id or default domain"), required=True, also=("tenant id",)),
)


def plan(sheet: Sheet, *, by: Technician, outside: Outside) -> Plan:
    require_group_rights(by)
    made = Plan()
    tenants = Tenants(by).of_lines(sheet.lines, made)
    groups = TenantGroup.objects.visible_to(by).prefetch_related("tenants")
    there = {group.name: {tenant.pk for tenant in group.tenants.all()} for group in groups}
    wanted: defaultdict[str, dict[Any, Tenant]] = defaultdict(dict)
    for line in sheet.lines:
        name, tenant = line.text("group"), tenants.get(line.number)
        if not name:
            made.error(line.number, "group", _("The group is missing."))
        elif len(name) > LONGEST_NAME:
            made.error(line.number, "group", _("A group's name is longer than 100 characters."))
        elif ";" in name:
            made.error(
                line.number, "group", _("A group's name has no semicolon: the list of people parts groups by it.")
            )
        elif tenant is not None:
            what = _("%(tenant)s in %(group)s") % {"tenant": tenant, "group": name}
            if tenant.pk in there.get(name, ()) or tenant.pk in wanted[name]:
                made.same(line.number, what)
            else:
                wanted[name][tenant.pk] = tenant
                made.add(line.number, what, "" if name in there else _("new group"))
    made.first += [partial(put_in_group, name, list(found.values()), by=by) for name, found in wanted.items() if found]
    return made


GROUPS = Kind(
    "groups",
    gettext_lazy("Tenant groups"),
    gettext_lazy(
        "One row for each tenant in a group; a tenant may be in several. Managers and auditors who are given groups "
        "see only the tenants in them."
    ),
    COLUMNS,
    by_columns(COLUMNS, plan),
)
