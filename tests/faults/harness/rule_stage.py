"""What the machine of rules plays on: one cloud and one database in this process, and a new cast for each play."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from django.db import connection

from msp.errors import LatchkeyError
from msp.ledger.models import Entry
from msp.outside import Outside
from msp.simulator.cloud import Cloud
from msp.vault.database import Vault
from msp.vault.keepers.file import FileKeeper
from technicians.actions.bind_authenticator import bind_authenticator
from technicians.actions.offboard import offboard
from technicians.models import Assignment, Authenticator, Reveal, Role, Technician
from tenants.actions.observe_account import observe_account
from tenants.actions.store_password import store_password
from tenants.models import Customer, Method, Reseller, Run, SecretVersion, SharedAccount, Step, Tenant
from tenants.plans import StepKind, StepState
from tests.faults.harness.wire import graph_of
from tests.support.sudden_death import Died
from tests.support.world import AT_ONCE

NAMES = ("ana", "ben", "cid", "dee")
ENDS_A_SAVEPOINT = ("ROLLBACK TO SAVEPOINT", "RELEASE SAVEPOINT")
_numbers = itertools.count(1)


class Stage:
    """`home` is where the root key lies."""

    def __init__(self, home: Path) -> None:
        self.cloud = Cloud(seed=1)
        graph = graph_of(self.cloud)
        self.outside = Outside(
            graph.directory, Vault(FileKeeper(home / "keys")), registrar_for=graph.registrar, patience=AT_ONCE
        )

    def new_cast(self, accounts: int, *, ana_alone_on_the_first: bool) -> Cast:
        self.heal()
        self.cloud.clock_offset = 0.0
        self.cloud.log.clear()
        self.cloud.effects.clear()
        return Cast.of(self, accounts, ana_alone_on_the_first)

    def heal(self) -> None:
        self.cloud.faults.clear()
        self.cloud.knobs.reset()
        self.cloud.advance(0)

    @contextmanager
    def mortal(self, milestone: str) -> Iterator[Outside]:
        """A worker that dies at this milestone: from then on nothing of it reaches the database."""
        dead = []

        def reached(here: str) -> None:
            if here == milestone:
                dead.append(here)
                raise Died

        def guard(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            # Its transaction is rolled back by the database, which is not the dead worker's doing.
            if dead and not sql.startswith(ENDS_A_SAVEPOINT):
                raise Died
            return execute(sql, params, many, context)

        with suppress(Died), connection.execute_wrapper(guard):
            yield replace(self.outside, reached=reached)


@dataclass
class AccountOnStage:
    """One shared account, and whose each of its methods is ("" a stranger's)."""

    account: SharedAccount
    tenant_id: str
    first_password: str
    owners: dict[str, str] = field(default_factory=dict)
    changed_outside: bool = False


@dataclass
class Cast:
    """Everybody of one play, and what must be true of them."""

    stage: Stage
    reseller: Reseller
    owner: Technician
    people: dict[str, Technician]
    accounts: list[AccountOnStage] = field(default_factory=list)
    left: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, stage: Stage, accounts: int, ana_alone_on_the_first: bool) -> Cast:
        number = next(_numbers)
        reseller = Reseller.objects.create(name=f"Reseller {number}")
        made = Technician.objects.bulk_create(
            Technician(reseller=reseller, email=f"{name}{number}@r.example", name=name, role=role, password="!")
            for name, role in [("olga", Role.OWNER), *((name, Role.TECHNICIAN) for name in NAMES)]
        )
        cast = cls(stage, reseller, made[0], dict(zip(NAMES, made[1:], strict=True)))
        there = stage.cloud.add_tenant(f"Tenant {number} {id(cast)}")
        customer = Customer.objects.create(reseller=reseller, name="Contoso")
        tenant = Tenant.objects.create(
            reseller=reseller, customer=customer, directory_id=there.id, default_domain=there.domain
        )
        for place in range(accounts):
            alone = place == 0 and ana_alone_on_the_first
            cast.accounts.append(cast._account(tenant, place, ("ana",) if alone else ("ana", "ben", "cid")))
        return cast

    def _account(self, tenant: Tenant, place: int, holders: tuple[str, ...]) -> AccountOnStage:
        cloud, tenant_id = self.stage.cloud, str(tenant.directory_id)
        user = cloud.add_user(tenant_id, f"admin{place}")
        account = SharedAccount.objects.create(
            reseller=self.reseller, tenant=tenant, user_principal_name=user.upn, object_id=user.id
        )
        store_password(account, user.password, by=self.owner, outside=self.stage.outside, source="imported")
        on = AccountOnStage(account, tenant_id, user.password)
        for name in holders:
            on.owners[cloud.register(tenant_id, user.upn, "software_oath", name).id] = name
        observe_account(account, outside=self.stage.outside)
        version = SecretVersion.objects.get(secret__account=account)
        for method in account.methods.present().filter(directory_id__in=on.owners):
            person = self.people[on.owners[method.directory_id]]
            bound = {"reseller": self.reseller, "technician": person}
            Authenticator.objects.create(method=method, proof=Authenticator.Proof.IMPORTED, **bound)
            Assignment.objects.create(account=account, reason="on the team", **bound)
            Reveal.objects.create(version=version, **bound)
        return on

    # What people do

    def leaves(self, name: str) -> Run:
        self.left.add(name)
        return offboard(self.people[name], by=self.owner, reason="resigned").run

    def enrols(self, name: str, number: int, *, say_so: bool) -> None:
        on = self.accounts[number % len(self.accounts)]
        if len(self._methods(on)) >= 5:
            return
        made = self.stage.cloud.register(on.tenant_id, on.account.object_id, "software_oath", name)
        on.owners[made.id] = name
        if not say_so:
            return
        with suppress(LatchkeyError):
            observe_account(on.account, outside=self.stage.outside)
            method = Method.objects.filter(account=on.account, directory_id=made.id).first()
            if method is not None:
                bind_authenticator(method, self.people[name], by=self.owner, proof=Authenticator.Proof.IMPORTED)

    def change_outside(self, on: AccountOnStage) -> None:
        """In another second than every change of ours: Microsoft's times have whole seconds and cannot tell more."""
        on.changed_outside = True
        self.stage.cloud.advance(2)
        self.stage.cloud.change_password_as_person(on.tenant_id, on.account.object_id, f"Theirs-{next(_numbers)}-A!")

    # The truth

    def _user(self, on: AccountOnStage) -> Any:
        return self.stage.cloud.user(on.tenant_id, on.account.object_id)

    def _methods(self, on: AccountOnStage) -> set[str]:
        return {method.id for method in self.stage.cloud.methods(on.tenant_id, on.account.object_id)}

    def _known(self, on: AccountOnStage) -> dict[str, str]:
        versions = SecretVersion.objects.filter(secret__account=on.account).that_may_sign_in()
        vault = self.stage.outside.vault
        return {
            v.status: vault.open(bytes(v.sealed), v.place).decode() for v in versions.select_related("secret__account")
        }

    # The laws

    def no_password_is_lost(self, on: AccountOnStage) -> None:
        known = self._known(on)
        assert on.changed_outside or self._user(on).password in known.values(), f"lost password: only {list(known)}"

    def no_colleague_is_touched(self, on: AccountOnStage) -> None:
        theirs = {method for method, name in on.owners.items() if name not in self.left}
        assert theirs <= self._methods(on), "colleague touched"

    def a_way_in_is_left(self, on: AccountOnStage) -> None:
        assert self._methods(on), "locked out: no method is left"
        user = self._user(on)
        assert not user.lockouts and len(user.wrong_passwords) <= 3, "locked out by wrong tries"

    def what_is_verified_is_so(self, on: AccountOnStage, steps: list[Step]) -> None:
        present, known, password = self._methods(on), self._known(on), self._user(on).password
        for step in steps:
            if step.kind == StepKind.REMOVE_METHOD and step.status == StepState.VERIFIED:
                assert step.method.directory_id not in present, "false success: the removed method is there"
        rotated = [s for s in steps if s.kind == StepKind.ROTATE_PASSWORD and s.status == StepState.VERIFIED]
        if rotated and not on.changed_outside:
            current_is_so = known.get("current") == password
            assert current_is_so or "unverified" in known, "false success: the current password does not sign in"

    def clean_is_clean(self, run: Run, steps: list[Step]) -> None:
        """Said now for the first time, after the second look."""
        waived = {step.target.account_id for step in steps if step.status == StepState.WAIVED}
        for on in self.accounts:
            mine = [step for step in steps if step.target.account_id == on.account.pk]
            if not mine or on.account.pk in waived:
                continue
            gone = {step.method.directory_id for step in mine if step.kind == StepKind.REMOVE_METHOD}
            assert not gone & self._methods(on), "false success: clean, and a leaver's method is there"
            strangers = {method for method in self._methods(on) if not on.owners.get(method)}
            assert not strangers, "false success: clean, and a stranger's method is there"
            assert self._user(on).password != on.first_password, "false success: clean, with the old password"
            assert self._user(on).password in self._known(on).values(), "false success: clean, with another password"

    def what_was_sent_is_recorded(self, steps: list[Step]) -> None:
        sent = {str(step.pk) for step in steps if step.sent_at is not None}
        entries = Entry.objects.filter(reseller_id=self.reseller.pk, verb="step.sent")
        assert sent <= {entry.facts["step"] for entry in entries}, "not recorded"

    def those_who_stay_get_in(self) -> None:
        for on in self.accounts:
            user = self._user(on)
            for method_id, name in on.owners.items():
                if name in self.left or not name or on.changed_outside:
                    continue
                user.methods[method_id].used_steps = []
                code = self.stage.cloud.code(on.tenant_id, user.upn, method_id)
                tried = [
                    self.stage.cloud.sign_in(on.tenant_id, user.upn, password, code).result
                    for password in self._known(on).values()
                ]
                assert "signed_in" in tried, f"locked out: {name} stays and gets {tried}"
