"""The customer export of Microsoft's Partner Center: always the complete list, once per relationship."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from msp.importing.lookup import guid, quoted
from msp.importing.preview import Kind, Plan, by_columns
from msp.importing.sheet import Column, Line, Sheet
from tenants.actions.add_customers import NewCustomer, add_customers, require_customer_rights
from tenants.actions.change_customer import change_customer
from tenants.models import Tenant

if TYPE_CHECKING:
    from msp.outside import Outside
    from technicians.models import Technician

LABEL = r"[^\W_]([\w-]{0,61}[^\W_])?"
DOMAIN = re.compile(rf"{LABEL}(\.{LABEL})+")

COLUMNS = (
    Column("Microsoft ID", gettext_lazy("The tenant id"), required=True, also=("Tenant ID", "Customer ID")),
    Column("Company name", gettext_lazy("The name of the customer"), required=True),
    Column("Primary domain name", gettext_lazy("The default domain of the tenant"), required=True),
    Column("Relationship", gettext_lazy("Read and not kept: a tenant counts once, however often it is listed")),
    Column("Tags", gettext_lazy("Read and not kept")),
)


def plan(sheet: Sheet, *, by: Technician, outside: Outside) -> Plan:
    """The tenant id is the key; neither a name nor a domain is one. What is not in the file stays as it is."""
    require_customer_rights(by)
    made = Plan()
    wanted = _wanted(sheet, made)
    known = {
        tenant.directory_id: tenant
        for tenant in Tenant.objects.visible_to(by)
        .select_related("customer")
        .filter(directory_id__in=[customer.directory_id for _line, customer in wanted])
    }
    tenants_of_customer = _count_tenants(known, by)
    new: list[NewCustomer] = []
    for line, customer in wanted:
        what = f"{customer.name} ({customer.default_domain})"
        tenant = known.get(customer.directory_id)
        if tenant is None:
            new.append(customer)
            made.add(line.number, what)
        else:
            _compare(made, line, what, customer, tenant, alone=tenants_of_customer[tenant.customer_id] == 1, by=by)
    _warn_of_equal_names(made, wanted)
    if new:
        made.first.append(partial(add_customers, new, by=by))
    return made


def _wanted(sheet: Sheet, made: Plan) -> list[tuple[Line, NewCustomer]]:
    """Each tenant of the file once, with its first line."""
    first: dict[UUID, tuple[Line, NewCustomer]] = {}
    for line in sheet.lines:
        customer = _customer_of(line, made)
        if customer is None:
            continue
        before = first.setdefault(customer.directory_id, (line, customer))
        if before[0] is line:
            continue
        if before[1] == customer:
            made.same(
                line.number,
                f"{customer.name} ({customer.default_domain})",
                _("The same tenant as in line %(line)d, listed once more.") % {"line": before[0].number},
            )
        else:
            made.error(
                line.number,
                "Microsoft ID",
                _("Line %(line)d has the same tenant with another name or domain: which one is right?")
                % {"line": before[0].number},
            )
    return list(first.values())


def _customer_of(line: Line, made: Plan) -> NewCustomer | None:
    key, name, domain = (line.text(c.name) for c in COLUMNS[:3])
    directory_id = guid(key)
    if directory_id is None:
        made.error(line.number, "Microsoft ID", _("%(key)s is no tenant id.") % {"key": quoted(key)})
    if not name or len(name) > 200:
        made.error(line.number, "Company name", _("The name is missing or longer than 200 characters."))
    if not DOMAIN.fullmatch(domain) or len(domain) > 253:
        made.error(line.number, "Primary domain name", _("%(domain)s is no domain name.") % {"domain": quoted(domain)})
    if made.errors and made.errors[-1].line == line.number:
        return None
    assert directory_id is not None
    return NewCustomer(name, directory_id, domain.lower())


def _count_tenants(known: dict[UUID, Tenant], by: Technician) -> defaultdict[object, int]:
    counts: defaultdict[object, int] = defaultdict(int)
    customers = {tenant.customer_id for tenant in known.values()}
    for customer_id in Tenant.objects.visible_to(by).filter(customer__in=customers).values_list("customer", flat=True):
        counts[customer_id] += 1
    return counts


def _compare(
    made: Plan, line: Line, what: str, customer: NewCustomer, tenant: Tenant, *, alone: bool, by: Technician
) -> None:
    name = customer.name if alone else tenant.customer.name
    if customer.name != name:
        made.warn(
            line.number,
            "Company name",
            _("Here it is called %(name)s, together with other tenants; that name stays.") % {"name": name},
        )
    changes = [
        f"{was} -> {now}"
        for was, now in ((tenant.customer.name, name), (tenant.default_domain, customer.default_domain))
        if was != now
    ]
    act: Callable[[], None] = partial(change_customer, tenant, by=by, name=name, default_domain=customer.default_domain)
    if changes:
        made.change(line.number, what, "; ".join(changes), act)
    else:
        made.same(line.number, what)


def _warn_of_equal_names(made: Plan, wanted: list[tuple[Line, NewCustomer]]) -> None:
    for column, key in (
        ("Company name", lambda customer: customer.name.casefold()),
        ("Primary domain name", lambda customer: customer.default_domain),
    ):
        seen: dict[str, int] = {}
        for line, customer in wanted:
            before = seen.setdefault(key(customer), line.number)
            if before != line.number:
                made.warn(
                    line.number,
                    column,
                    _("Line %(line)d says the same here for another tenant; they stay two customers.")
                    % {"line": before},
                )


PARTNER_CENTER = Kind(
    "partner-center",
    gettext_lazy("Customers from Partner Center"),
    gettext_lazy("The export of the customer list: one row for each customer's tenant."),
    COLUMNS,
    by_columns(COLUMNS, plan),
)
