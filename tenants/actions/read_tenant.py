"""Read everything that a tenant check judges, one question after the other. Nothing is changed anywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput, Busy, DirectoryError, NoConnection, NotSent
from msp.microsoft.clouds import cloud_named
from msp.microsoft.connection import Connection
from msp.microsoft.partner_ports import Relationship
from msp.microsoft.ports import AccountRef, MethodKind
from msp.microsoft.signing import way_to_sign
from msp.microsoft.tenant_ports import TenantReader
from tenants.actions.connection import give_connection_back
from tenants.check_facts import AccountFacts, Credential, TenantFacts
from tenants.models import Method, SharedAccount, Tenant

if TYPE_CHECKING:
    from msp.outside import Outside

Found = TypeVar("Found")


class Asking:
    """Asks one thing after the other. Once the tenant does not answer or lets us in no more, nothing is asked again:
    each further question would wait as long for the same words.
    """

    def __init__(self) -> None:
        self.end: DirectoryError | None = None

    def ask(self, question: Callable[[], Found]) -> Found | DirectoryError:
        """The answer, or the error that stands in its place."""
        if self.end is not None:
            return self.end
        try:
            return question()
        except (NoConnection, NotSent) as end:
            self.end = end
            return end
        except DirectoryError as trouble:
            return trouble


def read_tenant(tenant: Tenant, *, outside: Outside) -> TenantFacts:
    """Raises nothing that a directory can say: an error stands in the place of what could not be read."""
    accounts = list(SharedAccount.objects.filter(tenant=tenant).select_related("tenant"))
    hardware = Method.objects.present().filter(account__tenant=tenant, kind=MethodKind.HARDWARE_OATH).exists()
    directory_id, line = str(tenant.directory_id), Asking()
    known = outside.reader_for(*tenant.way)
    give_connection_back()
    at = timezone.now()
    own = line.ask(known.own_access)
    defaults = line.ask(known.security_defaults)
    facts = TenantFacts(
        at=at,
        tenant_id=directory_id,
        cloud=cloud_named(tenant.cloud),
        credential=read_credential(Connection(**settings.MICROSOFT)),
        own_access=own,
        organisation=line.ask(known.organisation),
        domains=line.ask(known.domains),
        security_defaults=defaults,
        method_policy=line.ask(known.method_policy),
        access_policies=line.ask(known.access_policies) if defaults is False else None,
        clock_difference=line.ask(known.clock_difference),
        accounts=tuple(_account(account, known, line) for account in accounts),
        relationships=_relationships(outside),
        hardware_tokens=hardware,
        as_partner=tenant.access == Tenant.Access.PARTNER,
    )
    return replace(facts, broke_off=line.end)


def read_credential(connection: Connection) -> Credential:
    """The app's own credential as it lies here; nothing is sent."""
    if not connection.client_id or not (connection.client_certificate or connection.client_secret):
        return Credential("", trouble=_("LATCHKEY_CLIENT_ID or the app's credential is not set."))
    if not connection.client_certificate:
        return Credential("secret")
    try:
        certificate = way_to_sign(connection)().certificate
    except (BadInput, NoConnection, Busy) as trouble:
        return Credential("certificate", trouble=str(trouble))
    return Credential(
        "certificate", begins_at=certificate.not_valid_before_utc, ends_at=certificate.not_valid_after_utc
    )


def _relationships(outside: Outside) -> tuple[Relationship, ...] | DirectoryError | None:
    if outside.partner is None:
        return None
    partner = outside.partner
    return Asking().ask(lambda: tuple(partner().relationships()))


def _account(account: SharedAccount, reader: TenantReader, line: Asking) -> AccountFacts:
    known = AccountFacts(str(account.pk), account.user_principal_name, account.object_id, account.break_glass, None)
    found = line.ask(lambda: reader.find(account.ref.key))
    if isinstance(found, DirectoryError):
        return known.but(found=found)
    if found is None:
        namesake = line.ask(lambda: reader.find(account.user_principal_name)) if account.object_id else None
        return known.but(namesake=namesake)
    ref = AccountRef(str(account.tenant.directory_id), found.object_id, found.user_principal_name)
    return known.but(
        found=found,
        properties=line.ask(lambda: reader.raw_properties(ref)),
        roles=None if account.break_glass else line.ask(lambda: reader.roles_of(found.object_id)),
    )
