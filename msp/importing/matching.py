"""Which shared account an entry of another product belongs to. Names are not keys, so what is doubtful is asked."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from msp.errors import BadInput
from msp.importing.lookup import guid, quoted
from msp.importing.sources.record import Record
from tenants.models import SharedAccount, Tenant

if TYPE_CHECKING:
    from technicians.models import Technician


class Doubtful(Exception):
    """Only a person can say which account is meant."""


class Match:
    """The shared accounts that the person who imports can see, found in two queries for the whole file."""

    def __init__(self, by: Technician) -> None:
        self._by_id: dict[str, SharedAccount] = {}
        self._by_name: defaultdict[str, list[SharedAccount]] = defaultdict(list)
        for account in SharedAccount.objects.visible_to(by).select_related("tenant__customer"):
            self._by_id[str(account.pk)] = account
            self._by_name[account.user_principal_name.casefold()].append(account)
        self._tenants: defaultdict[str, set[Any]] = defaultdict(set)
        for tenant in Tenant.objects.visible_to(by):
            self._tenants[tenant.default_domain.casefold()].add(tenant.pk)
            self._tenants[str(tenant.directory_id)].add(tenant.pk)

    def of(self, record: Record, chosen: str = "") -> SharedAccount:
        """`chosen` is the id of the account that a person named for this entry. Raises Doubtful."""
        if chosen:
            if chosen not in self._by_id:
                raise Doubtful(_("The account that was chosen here is not there any more. Choose another one."))
            return self._by_id[chosen]
        if record.ask:
            raise Doubtful(str(record.ask))
        found = self._in_the_tenant_it_names(record, self._by_name.get(record.user_name.casefold(), []))
        if len(found) > 1:
            found = _narrowed(found, record)
        if len(found) == 1:
            return found[0]
        if found:
            raise Doubtful(
                _("Several tenants here have an account %(name)s. Choose the one that is meant.")
                % {"name": quoted(record.user_name)}
            )
        if not record.user_name:
            raise Doubtful(_("There is no user name here. Choose the shared account that is meant."))
        raise Doubtful(
            _(
                "There is no such shared account %(name)s here that you can see. Make it first (kind accounts), or "
                "choose the account that is meant."
            )
            % {"name": quoted(record.user_name)}
        )

    def _in_the_tenant_it_names(self, record: Record, found: list[SharedAccount]) -> list[SharedAccount]:
        """An id is always right; a domain that nobody knows here may be another one of the same tenant."""
        tenants = self._tenants.get(record.tenant.casefold(), set()) if record.tenant else set()
        if not found or not (tenants or guid(record.tenant)):
            return found
        agreeing = [account for account in found if account.tenant_id in tenants]
        if not agreeing:
            raise Doubtful(
                _(
                    "The entry names the tenant %(tenant)s, and %(name)s is known here in another one. Choose the "
                    "account that is meant."
                )
                % {"tenant": quoted(record.tenant), "name": quoted(record.user_name)}
            )
        return agreeing

    def named(self, said: str) -> SharedAccount:
        """The account that a person typed: its user name, and its tenant's domain in brackets where that is needed.

        Raises BadInput.
        """
        name, _bracket, domain = said.strip().removesuffix(")").partition(" (")
        found = self._by_name.get(name.strip().casefold(), [])
        if domain:
            found = [account for account in found if account.tenant.default_domain.casefold() == domain.casefold()]
        if len(found) == 1:
            return found[0]
        if found:
            raise BadInput(
                _("Several tenants here have an account %(name)s. Write the tenant's domain behind it, in brackets.")
                % {"name": quoted(name)}
            )
        raise BadInput(_("There is no shared account %(name)s here that you can see.") % {"name": quoted(said)})

    def all(self) -> list[SharedAccount]:
        return list(self._by_id.values())


def label_of(account: SharedAccount) -> str:
    """As `Match.named` understands it."""
    return f"{account} ({account.tenant})"


def _narrowed(found: list[SharedAccount], record: Record) -> list[SharedAccount]:
    """By the domain of the user name, or else by a folder that has the customer's name."""
    domain = record.user_name.casefold().rpartition("@")[2]
    at_home = [account for account in found if account.tenant.default_domain.casefold() == domain]
    if at_home:
        return at_home
    places = {place.casefold() for place in record.places}
    named = [account for account in found if account.tenant.customer.name.casefold() in places]
    return named or found
