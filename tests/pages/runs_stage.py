"""What the tests of runs and reports put on the stage without a cloud: rows only, many of them if need be."""

from __future__ import annotations

import uuid
from typing import Any

from django.utils import timezone

from technicians.actions.create_technician import create_technician
from technicians.actions.offboard import offboard
from technicians.models import Assignment, Authenticator, Reveal, Role, Technician
from tenants.models import Customer, Method, Reseller, Run, Secret, SecretVersion, SharedAccount, Step, Tenant
from tenants.plans import StepState


class Office:
    """A reseller with an owner. Its tenants exist only here, so nothing is ever sent anywhere."""

    def __init__(self, name: str = "Northwind IT") -> None:
        self.reseller = Reseller.objects.create(name=name)
        self.word = name.split()[0].lower()
        self.owner = self.person("Olga", Role.OWNER)

    def person(self, name: str, role: str = Role.TECHNICIAN, **facts: Any) -> Technician:
        return create_technician(
            reseller=self.reseller,
            email=f"{name.lower().replace(' ', '.')}@{self.word}.example",
            name=name,
            role=role,
            by=None,
            **facts,
        )

    def tenant(self, name: str) -> Tenant:
        customer = Customer.objects.create(reseller=self.reseller, name=name)
        return Tenant.objects.create(
            reseller=self.reseller,
            customer=customer,
            directory_id=uuid.uuid4(),
            default_domain=f"{name.lower().replace(' ', '-')}.example",
        )

    def account(self, tenant: Tenant, name: str = "admin") -> SharedAccount:
        account = SharedAccount.objects.create(
            reseller=self.reseller,
            tenant=tenant,
            user_principal_name=f"{name}@{tenant.default_domain}",
            object_id=str(uuid.uuid4()),
        )
        secret = Secret.objects.create(reseller=self.reseller, account=account)
        SecretVersion.objects.create(
            reseller=self.reseller,
            secret=secret,
            number=1,
            status="current",
            sealed=b"-",
            current_from=timezone.now(),
        )
        return account

    def give(self, account: SharedAccount, *people: Technician, since: Any = None) -> None:
        """Each gets the account and has an authenticator on it."""
        for person in people:
            self.assign(account, person, since)
            self.bind(self.method(account, f"{person.name}'s phone", since), person, since)

    def assign(self, account: SharedAccount, person: Technician, since: Any = None) -> Assignment:
        return Assignment.objects.create(
            reseller=self.reseller, technician=person, account=account, from_at=since or timezone.now()
        )

    def method(self, account: SharedAccount, label: str, since: Any = None, kind: str = "software_oath") -> Method:
        since = since or timezone.now()
        return Method.objects.create(
            reseller=self.reseller,
            account=account,
            kind=kind,
            directory_id=str(uuid.uuid4()),
            label=label,
            first_seen_at=since,
            last_seen_at=since,
        )

    def bind(self, method: Method, person: Technician, since: Any = None) -> Authenticator:
        return Authenticator.objects.create(
            reseller=self.reseller,
            method=method,
            technician=person,
            proof="imported",
            bound_from=since or timezone.now(),
        )

    def reveal(self, account: SharedAccount, person: Technician, at: Any = None) -> Reveal:
        version = account.secret.versions.get(status="current")
        return Reveal.objects.create(
            reseller=self.reseller, technician=person, version=version, reason="work", at=at or timezone.now()
        )

    def offboard(self, person: Technician, reason: str = "resigned") -> Run:
        return offboard(person, by=self.owner, reason=reason).run

    def held_by(self, *people: Technician, tenants: int, word: str = "Customer") -> list[SharedAccount]:
        """So many tenants with one account each, all of them given to these people."""
        accounts = [self.account(self.tenant(f"{word} {number:03}")) for number in range(tenants)]
        for account in accounts:
            self.give(account, *people)
        return accounts


def settle(run: Run, status: str = StepState.VERIFIED, **facts: Any) -> None:
    """As if the work had been done: every step still planned gets this state."""
    now = timezone.now()
    steps = Step.objects.filter(target__run=run, status=StepState.PLANNED)
    steps.update(status=status, sent_at=now, accepted_at=now, verified_at=now, **facts)
