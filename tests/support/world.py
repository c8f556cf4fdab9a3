"""One reseller with its customers, and the Microsoft cloud that they live in.

`World` builds both sides: what stands at the simulator, and what Latchkey knows of it. People act through it in
words (`ana enrols`, `offboard`), and the question that matters is asked from outside (`gets_in`).
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.utils import timezone

from msp.access.actions import make_totp_device
from msp.microsoft.connection import Connection
from msp.microsoft.graph import Graph
from msp.outside import Outside
from msp.simulator.server import Simulator
from msp.simulator.state import DEFAULT_PERMISSIONS
from msp.vault.database import Vault
from msp.vault.keepers.file import FileKeeper
from technicians.actions.assign import assign
from technicians.actions.bind_authenticator import bind_authenticator
from technicians.actions.create_technician import create_technician
from technicians.actions.offboard import offboard
from technicians.models import Authenticator, Offboarding, Role, Technician
from tenants.actions.observe_account import observe_account
from tenants.actions.store_password import store_password
from tenants.actions.work_target import work_target
from tenants.models import Customer, Method, Reseller, Run, SecretVersion, SharedAccount, Step, Target, Tenant
from tenants.plans import Patience, StepKind, StepState

AT_ONCE = Patience(read_back=(0, 0, 0, 0), unverified=(3600,), unreachable=(0, 0), second_look=65 * 60, next_code=0)
"""No waiting between looks, so that a story is told in one breath."""


@dataclass
class Phone:
    """One authenticator in somebody's hand."""

    method_id: str
    seed: str


@dataclass
class World:
    """The cast of a story."""

    simulator: Simulator
    outside: Outside
    reseller: Reseller
    owner: Technician
    connection: Connection
    phones: dict[tuple[Any, Any], Phone] = field(default_factory=dict)

    @property
    def cloud(self) -> Any:
        return self.simulator.cloud

    def tenant(self, name: str) -> Tenant:
        """A customer with one tenant, at Microsoft and in Latchkey."""
        made = self.cloud.add_tenant(name)
        customer = Customer.objects.create(reseller=self.reseller, name=name)
        return Tenant.objects.create(
            reseller=self.reseller, customer=customer, directory_id=made.id, default_domain=made.domain
        )

    def account(self, tenant: Tenant, name: str = "admin", **facts: Any) -> SharedAccount:
        """A shared account whose password Latchkey knows."""
        password = f"Start-{secrets.token_hex(8)}-A1"
        user = self.cloud.add_user(str(tenant.directory_id), name, password=password)
        account = SharedAccount.objects.create(
            reseller=self.reseller, tenant=tenant, user_principal_name=user.upn, object_id=user.id, **facts
        )
        store_password(account, password, by=self.owner, outside=self.outside, source="imported")
        return account

    def allow_tokens(self, *tenants: Tenant) -> None:
        """Hardware tokens and passes are switched on there, and the app may write the inventory."""
        permissions = (*DEFAULT_PERMISSIONS, "Policy.ReadWrite.AuthenticationMethod")
        for tenant in tenants:
            there = self.cloud.tenant(str(tenant.directory_id))
            there.policies.methods |= {"HardwareOath": "enabled", "TemporaryAccessPass": "enabled"}
            self.cloud.consent(self.connection.client_id, there.id, permissions=permissions)

    def technician(self, name: str, role: str = Role.TECHNICIAN, **facts: Any) -> Technician:
        return create_technician(
            reseller=self.reseller,
            email=f"{name.lower()}@reseller.example",
            name=name,
            role=role,
            by=self.owner,
            **facts,
        )

    def give(self, account: SharedAccount, *people: Technician, kind: str = "software_oath") -> None:
        """Each gets the account and registers an authenticator of their own on it."""
        for person in people:
            if not person.assignments.live().filter(account=account):
                assign(person, account, by=self.owner, reason="on the team")
            self.enrol(account, person, kind)

    def enrol(self, account: SharedAccount, person: Technician, kind: str = "software_oath") -> Method:
        made = self.cloud.register(self.directory_id(account), account.object_id, kind, f"{person.name}'s phone")
        if made.seed:
            self.phones[account.pk, person.pk] = Phone(made.id, made.seed)
        observe_account(account, outside=self.outside)
        method = account.methods.present().get(directory_id=made.id)
        bind_authenticator(method, person, by=self.owner, proof=Authenticator.Proof.IMPORTED)
        return method

    def offboard(self, person: Technician, *, reason: str = "resigned") -> Offboarding:
        return offboard(person, by=self.owner, reason=reason)

    def work(self, run: Run, *, outside: Outside | None = None, rounds: int = 40) -> None:
        """Work every due target in turn, as often as it is due now. Stops when only waiting is left."""
        for _ in range(rounds):
            due = list(Target.objects.due(timezone.now()).filter(run=run).values_list("pk", flat=True))
            if not due:
                return
            for target_id in due:
                work_target(target_id, outside=outside or self.outside)
        raise AssertionError("The run does not come to rest.")

    def steps(self, run: Run, account: SharedAccount | None = None) -> dict[str, str]:
        """kind -> state of the steps on one account (or of the only one)."""
        found = Step.objects.filter(target__run=run)
        if account is not None:
            found = found.filter(target__account=account)
        return {step.kind: step.status for step in found}

    def step(self, run: Run, kind: StepKind, account: SharedAccount | None = None) -> Step:
        found = Step.objects.filter(target__run=run, kind=kind)
        return found.get(target__account=account) if account else found.get()

    def state(self, run: Run) -> str:
        return Run.objects.with_counts().get(pk=run.pk).state

    # Asked from outside

    def directory_id(self, account: SharedAccount) -> str:
        return str(account.tenant.directory_id)

    def methods_on(self, account: SharedAccount) -> set[str]:
        """The ids of the methods that are really there, whatever a lagging read shows."""
        return {m.id for m in self.cloud.methods(self.directory_id(account), account.object_id)}

    def password_at_microsoft(self, account: SharedAccount) -> str:
        return str(self.cloud.user(self.directory_id(account), account.object_id).password)

    def passwords_known(self, account: SharedAccount) -> dict[str, str]:
        """state -> value of the versions that Latchkey says may sign in."""
        versions = SecretVersion.objects.filter(secret__account=account).that_may_sign_in()
        return {
            v.status: self.outside.vault.open(bytes(v.sealed), v.place).decode()
            for v in versions.select_related("secret__account")
        }

    def code_of(self, account: SharedAccount, person: Technician) -> str:
        phone = self.phones[account.pk, person.pk]
        return str(self.cloud.code(self.directory_id(account), account.object_id, phone.method_id))

    def gets_in(self, account: SharedAccount, person: Technician) -> bool:
        """The current password of Latchkey and the person's own code, at Microsoft's sign-in page."""
        password = self.passwords_known(account).get("current", "")
        result = self.cloud.sign_in(
            self.directory_id(account), account.user_principal_name, password, self.code_of(account, person)
        )
        return bool(result.session)


def refused(step_state: str) -> bool:
    return step_state in (StepState.REFUSED, StepState.BLOCKED)


def connection_to(simulator: Simulator, credential: Path, **facts: Any) -> Connection:
    """The way to this cloud, by a certificate that every tenant consented to."""
    client_id = simulator.cloud.register_app(certificate_pem=credential.read_text())
    simulator.cloud.consent(client_id)
    return Connection(
        client_id=client_id,
        client_certificate=str(credential),
        login_url=simulator.url,
        graph_url=simulator.url,
        ca_bundle=str(simulator.ca_path),
        **({"timeout_seconds": 10} | facts),
    )


def connected(connection: Connection, home: Path) -> Outside:
    """The ports of Latchkey on that way."""
    graph = Graph(connection)
    return Outside(
        directory_for=graph.directory,
        registrar_for=graph.registrar,
        vault=Vault(FileKeeper(home / "keys")),
        patience=AT_ONCE,
    )


def found_reseller(name: str, owner_email: str) -> tuple[Reseller, Technician]:
    reseller = Reseller.objects.create(name=name)
    owner = create_technician(reseller=reseller, email=owner_email, name="Olga Owner", role=Role.OWNER, by=None)
    return reseller, owner


def second_factor_of(world: World, person: Technician) -> bytes:
    """A confirmed authenticator for the sign-in to Latchkey itself; its seed is what the person's phone holds."""
    _device, seed = make_totp_device(person, vault=world.outside.vault, confirmed=True)
    return seed


def eventually(true: Any, *, seconds: float = 10) -> bool:
    """Ask again until it is true or the time is up."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.05)
    return bool(true())
