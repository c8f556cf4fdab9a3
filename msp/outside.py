"""The bundle of ports that doors pass down to actions. Composition only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any
from uuid import UUID

from django.conf import settings

from msp.errors import NoConnection
from msp.microsoft.connection import Connection
from msp.microsoft.enrolment_ports import Registrar, RegistrarFor
from msp.microsoft.graph import Graph
from msp.microsoft.partner_ports import Partner
from msp.microsoft.ports import Access, DirectoryFor
from msp.microsoft.tenant_ports import TenantReader
from msp.vault.database import Vault
from msp.vault.keepers.chosen import chosen_keeper
from msp.vault.kept import PARTNER_REFRESH_TOKEN, Kept
from technicians.actions.settle_enrolment import EnrolmentNews
from technicians.actions.tell_holders import tell_holders
from technicians.queries import ways_in_of_those_who_stay
from tenants.actions.token_news import TokenNews
from tenants.models import SecretVersion
from tenants.plans import Patience


def _passes(_name: str) -> None:
    """A milestone of a step was reached. Only tests that stop a worker at one of them give another function."""


def _reads_no_tenant(tenant_id: str, _cloud_name: str, _access: Access, /) -> TenantReader:
    raise NoConnection(
        f"This process has no way to read tenant {tenant_id} as a whole; nothing was sent. Check it from the pages or "
        "with `python3 manage.py check_tenant`.",
        code="no_reader",
    )


def _makes_no_methods(tenant_id: str, _cloud_name: str, _access: Access = Access.APPLICATION, /) -> Registrar:
    raise NoConnection(
        f"This process has no way to make methods in tenant {tenant_id}; nothing was sent. Enrol from the pages.",
        code="no_registrar",
    )


@dataclass(frozen=True)
class Outside:
    """What lies outside an action: directories, the vault, who stays on an account and is told, and how long to wait.

    `reader_for` gives a tenant as a whole, and `registrar_for` who makes methods there, by its `way`. `token_news`
    hears what became of tokens of our own. `partner` gives the reseller's own
    partner tenant; None for a reseller that does not come by delegated administration.
    """

    directory_for: DirectoryFor
    vault: Vault
    ways_in: Callable[[UUID], set[Any]] = ways_in_of_those_who_stay
    tell_holders: Callable[[SecretVersion], None] = tell_holders
    patience: Patience = field(default_factory=Patience)
    reached: Callable[[str], None] = _passes
    reader_for: Callable[[str, str, Access], TenantReader] = _reads_no_tenant
    registrar_for: RegistrarFor = _makes_no_methods
    token_news: TokenNews = field(default_factory=EnrolmentNews)
    partner: Callable[[], Partner] | None = None


@cache
def outside() -> Outside:
    """The bundle of this process: one transport, one token store, one vault for all its threads."""
    vault = Vault(chosen_keeper())
    graph = Graph(Connection(**settings.MICROSOFT), keeper=Kept(vault, PARTNER_REFRESH_TOKEN))
    return Outside(
        directory_for=graph.directory,
        reader_for=graph.reader,
        registrar_for=graph.registrar,
        partner=partial(graph.partner, settings.PARTNER_TENANT, "global") if settings.PARTNER_TENANT else None,
        vault=vault,
        patience=Patience(second_look=settings.SECOND_LOOK_MINUTES * 60),
    )
