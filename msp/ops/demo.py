"""The invented reseller of the demo: its people, its customers at the simulated cloud, and what connects both.

Everything is done through the same actions as in a real installation; only the cloud is built behind its back.
"""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.conf import settings
from django.db import connection, transaction

from msp.access.actions import make_totp_device
from msp.outside import Outside
from msp.simulator.remote import RemoteCloud
from msp.simulator.state import DEFAULT_PERMISSIONS
from technicians.actions.assign import assign
from technicians.actions.bind_authenticator import bind_authenticator
from technicians.actions.create_technician import create_technician
from technicians.models import Authenticator, Role, Technician
from tenants.actions.observe_account import observe_account
from tenants.actions.store_password import store_password
from tenants.models import Customer, Reseller, SharedAccount, Tenant, TenantGroup

OWNER = "morgan@northwind.example"
NAMES = (
    "Ana Ruiz",
    "Ben Okafor",
    "Chloe Martin",
    "Dilan Kaya",
    "Emma Lind",
    "Farid Haddad",
    "Grace Kim",
    "Hugo Silva",
    "Ines Costa",
    "Jonas Berg",
    "Kira Novak",
    "Liam Byrne",
)
LEAVER = 0
"""The first technician holds every account, so that her departure touches all of them."""

TO_KEEP_TOKENS = "Policy.ReadWrite.AuthenticationMethod"
REALISTIC: dict[str, Any] = {"latency_ms": 120, "read_lag": 2, "throttle": 5}
"""Assumption: an answer in about 120 ms, a change visible after two seconds, five method calls in ten seconds."""


@dataclass(frozen=True)
class HeldPhone:
    """A colleague's or the leaver's authenticator app: the seed that only this person's phone has."""

    technician: int
    method_id: str
    seed: str = field(repr=False)


@dataclass(frozen=True)
class DemoAccount:
    """One shared account with the phones on it and the password that it began with."""

    account: SharedAccount
    tenant_id: str
    password: str = field(repr=False)
    phones: tuple[HeldPhone, ...]


@dataclass(frozen=True)
class DemoCast:
    """Everybody and everything of the demo."""

    owner: Technician
    technicians: tuple[Technician, ...]
    accounts: tuple[DemoAccount, ...]


def cloud_of_the_demo() -> RemoteCloud:
    return RemoteCloud.at(settings.MICROSOFT["login_url"], settings.LATCHKEY_HOME / "simulator")


def fill(cloud: RemoteCloud, outside: Outside, *, tenants: int, technicians: int, seed: int) -> DemoCast:
    """Build the cloud, let it trust our credential, and enter everything in Latchkey."""
    built = cloud.build(tenants=tenants, technicians=technicians, seed=seed, everywhere=LEAVER)
    cloud.register_app(settings.MICROSOFT["client_id"], certificate_pem=public_certificate())
    cloud.consent(settings.MICROSOFT["client_id"], permissions=(*DEFAULT_PERMISSIONS, TO_KEEP_TOKENS))
    _allow_tokens(cloud, built)
    owner, people = _people(technicians, outside)
    accounts = _customers(built, owner, outside)
    # Observed at full speed: the realistic pace begins with the work.
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda made: _observe(made.account, outside), accounts))
    _authenticators(built, accounts, people, owner)
    cloud.knobs(**REALISTIC)
    return DemoCast(owner, people, tuple(accounts))


def _allow_tokens(cloud: RemoteCloud, built: dict[str, Any]) -> None:
    """Most tenants take tokens of ours and passes; every fifth does not, as it is by default at Microsoft."""
    for number, company in enumerate(built["tenants"]):
        if number % 5 != 4:
            allowed = {"HardwareOath": "enabled", "TemporaryAccessPass": "enabled"}
            cloud.set_tenant(company["id"], policies={"methods": allowed})


def public_certificate() -> str:
    """The public half only: the private key stays with Latchkey."""
    pem = Path(settings.MICROSOFT["client_certificate"]).read_bytes()
    return (
        x509.load_pem_x509_certificate(pem[pem.index(b"-----BEGIN CERTIFICATE") :]).public_bytes(Encoding.PEM).decode()
    )


@transaction.atomic
def _people(count: int, outside: Outside) -> tuple[Technician, tuple[Technician, ...]]:
    reseller = Reseller.objects.create(name="Northwind Managed IT")
    owner = create_technician(reseller=reseller, email=OWNER, name="Morgan Reyes", role=Role.OWNER, by=None)
    # Nobody knows it: the way in is a link. Without one the first page would ask to choose a password.
    owner.set_password(secrets.token_urlsafe(24))
    owner.save(update_fields=["password"])
    others = [("Petra Wolf", Role.MANAGER), ("Quentin Hale", Role.AUDITOR)]
    names = [*NAMES[:count], *(f"Technician {number}" for number in range(len(NAMES) + 1, count + 1))]
    people = [_person(reseller, name, Role.TECHNICIAN, owner) for name in names]
    for person in [owner, *people, *(_person(reseller, name, role, owner) for name, role in others)]:
        make_totp_device(person, vault=outside.vault, confirmed=True)
    return owner, tuple(people)


def _person(reseller: Reseller, name: str, role: Role, by: Technician) -> Technician:
    email = f"{name.lower().replace(' ', '.')}@northwind.example"
    return create_technician(reseller=reseller, email=email, name=name, role=role, by=by)


@transaction.atomic
def _customers(built: dict[str, Any], owner: Technician, outside: Outside) -> list[DemoAccount]:
    made = []
    group = TenantGroup.objects.create(reseller=owner.reseller, name="First ten customers")
    for number, company in enumerate(built["tenants"]):
        customer = Customer.objects.create(reseller=owner.reseller, name=company["name"])
        tenant = Tenant.objects.create(
            reseller=owner.reseller, customer=customer, directory_id=company["id"], default_domain=company["domain"]
        )
        if number < 10:
            group.tenants.add(tenant)
        for shown in company["accounts"]:
            account = SharedAccount.objects.create(
                reseller=owner.reseller,
                tenant=tenant,
                user_principal_name=shown["upn"],
                object_id=shown["object_id"],
                display_name=shown["display_name"],
                owner="Petra Wolf",
                justification="Daily administration of the customer's Microsoft 365",
            )
            store_password(account, shown["password"], by=owner, outside=outside, source="imported")
            phones = tuple(HeldPhone(h["technician"], h["method_id"], h["seed"]) for h in shown["holders"] if h["seed"])
            made.append(DemoAccount(account, company["id"], shown["password"], phones))
    return made


def _observe(account: SharedAccount, outside: Outside) -> None:
    try:
        observe_account(account, outside=outside)
    finally:
        connection.close()


@transaction.atomic
def _authenticators(
    built: dict[str, Any], accounts: list[DemoAccount], people: tuple[Technician, ...], owner: Technician
) -> None:
    shown = [account for company in built["tenants"] for account in company["accounts"]]
    for made, described in zip(accounts, shown, strict=True):
        methods = {m.directory_id: m for m in made.account.methods.present()}
        for index in sorted({h["technician"] for h in described["holders"]}):
            assign(people[index], made.account, by=owner, reason="Looks after this customer")
        for holder in described["holders"]:
            bind_authenticator(
                methods[holder["method_id"]],
                people[holder["technician"]],
                by=owner,
                proof=Authenticator.Proof.IMPORTED,
                label=holder["label"],
            )
