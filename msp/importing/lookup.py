"""Find what a row names, among what the person who imports can see; each in one query for the whole file."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.utils.translation import gettext as _

from msp.importing.preview import Plan
from msp.importing.sheet import Line
from technicians.models import Technician
from tenants.models import SharedAccount, Tenant

if TYPE_CHECKING:
    from technicians.models import Technician as Person

GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
LONGEST_QUOTE = 80


def guid(text: str) -> UUID | None:
    """Only the spelling that Microsoft shows; None for anything else and for the empty GUID."""
    if not GUID.fullmatch(text):
        return None
    found = UUID(text)
    return found if found.int else None


def quoted(text: str) -> str:
    """A cell as a message says it. Never for a password."""
    return f'"{text}"' if len(text) <= LONGEST_QUOTE else f'"{text[:LONGEST_QUOTE]}..."'


class Tenants:
    """Tenants by directory id or default domain."""

    def __init__(self, by: Person) -> None:
        self._by_id: dict[UUID, Tenant] = {}
        self._by_domain: defaultdict[str, list[Tenant]] = defaultdict(list)
        for tenant in Tenant.objects.visible_to(by).select_related("customer"):
            self._by_id[tenant.directory_id] = tenant
            self._by_domain[tenant.default_domain.lower()].append(tenant)

    def of(self, line: Line, plan: Plan) -> Tenant | None:
        """The tenant of a row, or None with an error in the plan."""
        key = line.text("tenant")
        directory_id = guid(key)
        found = self._by_domain.get(key.lower(), []) if directory_id is None else [self._by_id.get(directory_id)]
        if len(found) > 1:
            plan.error(
                line.number,
                "tenant",
                _("%(key)s is the domain of several tenants here: give the tenant id instead.") % {"key": quoted(key)},
            )
            return None
        if not found or found[0] is None:
            message = (
                _("The tenant is missing.")
                if not key
                else _("There is no tenant %(key)s here that you can see. Import it first (kind partner-center).")
                % {"key": quoted(key)}
            )
            plan.error(line.number, "tenant", message)
            return None
        return found[0]

    def of_lines(self, lines: Iterable[Line], plan: Plan) -> dict[int, Tenant]:
        """By line number; lines without a tenant are errors in the plan and not here."""
        found = {line.number: self.of(line, plan) for line in lines}
        return {number: tenant for number, tenant in found.items() if tenant is not None}


class Accounts:
    """The shared accounts of some tenants, by user name or object id."""

    def __init__(self, by: Person, tenants: Iterable[Tenant]) -> None:
        known = {tenant.pk: tenant for tenant in tenants}
        self._found: dict[tuple[Any, str], SharedAccount] = {}
        for account in SharedAccount.objects.visible_to(by).filter(tenant__in=list(known)):
            account.tenant = known[account.tenant_id]
            self._found[account.tenant_id, account.user_principal_name.lower()] = account
            if account.object_id:
                self._found[account.tenant_id, account.object_id.lower()] = account

    def get(self, tenant: Tenant, key: str) -> SharedAccount | None:
        return self._found.get((tenant.pk, key.lower()))

    def all(self) -> list[SharedAccount]:
        return list({account.pk: account for account in self._found.values()}.values())

    def of(self, line: Line, tenant: Tenant, plan: Plan) -> SharedAccount | None:
        """The account of a row, or None with an error in the plan."""
        key = line.text("account")
        account = self.get(tenant, key) if key else None
        if account is None:
            message = (
                _("The account is missing.")
                if not key
                else _("There is no account %(key)s in %(tenant)s here. Import it first (kind accounts).")
                % {"key": quoted(key), "tenant": tenant}
            )
            plan.error(line.number, "account", message)
        return account


class People:
    """The technicians whom the person who imports can see, by e-mail address."""

    def __init__(self, by: Person) -> None:
        self._by_email = {person.email.lower(): person for person in Technician.objects.visible_to(by)}

    def get(self, email: str) -> Technician | None:
        return self._by_email.get(email.lower())

    def of(self, line: Line, plan: Plan) -> Technician | None:
        """The technician of a row, or None with an error in the plan."""
        email = line.text("technician")
        person = self.get(email)
        if person is None:
            message = (
                _("The technician is missing.")
                if not email
                else _("Nobody here that you can see has the address %(email)s. Import them first (kind technicians).")
                % {"email": quoted(email)}
            )
            plan.error(line.number, "technician", message)
        elif not person.is_active:
            plan.error(
                line.number,
                "technician",
                _("%(name)s has left or is away: nothing can be given to somebody who is not here.") % {"name": person},
            )
            return None
        return person
