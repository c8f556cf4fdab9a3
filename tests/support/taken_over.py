"""Accounts that people used long before Latchkey: five methods on each, and nobody knows whose."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from msp.microsoft.graph import Graph
from msp.outside import Outside
from technicians.actions.assign import assign
from technicians.actions.claim_method import claim
from technicians.actions.finish_take_over import mind_take_overs
from technicians.actions.free_place import free_place, preview_place
from technicians.actions.open_enrolments import open_enrolments
from technicians.actions.prove_enrolment import prove_enrolment
from technicians.actions.remove_unknown import remove_unknown
from technicians.actions.show_seed import show_seed
from technicians.actions.start_take_over import start_take_over
from technicians.codes import SECONDS, code_at
from technicians.models import Authenticator, Enrolment, TakeOver, TakeOverTask
from tenants.actions.observe_account import observe_account
from tenants.models import Method, Run, SharedAccount, Tenant
from tests.support.world import World

NAMES = ("Ana", "Ben", "Cid", "Dan", "Eve")
WORD = Authenticator.Proof.CLAIMED


class TakenOver:
    """Five people hold an account, each has a phone on it, and Latchkey knows of none whose it is."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.outside: Outside = replace(world.outside, reader_for=Graph(world.connection).reader)
        self.people = {name: world.technician(name) for name in NAMES}
        self.keys: dict[tuple[Any, Any], bytes] = {}
        self.waited = 0

    def tenant(self, name: str) -> Tenant:
        tenant = self.world.tenant(name)
        self.world.allow_tokens(tenant)
        return tenant

    def account(self, tenant: Tenant, name: str = "admin", *, holders: tuple[str, ...] = NAMES) -> SharedAccount:
        account = self.world.account(tenant, name)
        for holder in holders:
            assign(self.people[holder], account, by=self.world.owner, reason="on the team")
        return account

    def old_phone(self, account: SharedAccount, kind: str = "software_oath", label: str = "", **details: Any) -> str:
        """A method that somebody registered at Microsoft long ago; its directory id."""
        made = self.world.cloud.register(self.world.directory_id(account), account.object_id, kind, label, **details)
        return str(made.id)

    def read(self, account: SharedAccount) -> None:
        observe_account(account, outside=self.outside)

    def method(self, account: SharedAccount, directory_id: str) -> Method:
        found: Method = account.methods.present().get(directory_id=directory_id)
        return found

    def start(self, *accounts: SharedAccount, due_in: int = 14, **facts: Any) -> TakeOver:
        told = {"by": self.world.owner, "reason": "everybody their own"} | facts
        due_on = timezone.localdate() + dt.timedelta(days=due_in)
        return start_take_over("Contoso", accounts, due_on=due_on, outside=self.outside, **told)

    def claims(self, name: str, method: Method, **facts: Any) -> Authenticator:
        person = self.people[name]
        told = {"by": person, "proof": WORD, "outside": self.outside} | facts
        return claim(method, person, **told)

    def enrols(self, name: str, account: SharedAccount) -> Authenticator:
        """With a seed that Latchkey chooses; the person scans it and shows a code."""
        person = self.people[name]
        begun = open_enrolments(person, [account], by=person, outside=self.outside)
        assert begun.run is not None
        self.world.work(begun.run, outside=self.outside)
        enrolment = self.again(begun.enrolments[0])
        shown = show_seed(enrolment, by=person, outside=self.outside)
        code = code_at(shown.key, int(time.time() // SECONDS))
        prove_enrolment(self.again(enrolment), code, by=person, outside=self.outside)
        self.world.work(begun.run, outside=self.outside)
        done = self.again(enrolment)
        assert done.status == Enrolment.Status.ACTIVE, done.note
        assert done.authenticator is not None
        self.keys[account.pk, person.pk] = shown.key
        return done.authenticator

    def again(self, enrolment: Enrolment) -> Enrolment:
        return Enrolment.objects.select_related("registration__account", "account", "technician").get(pk=enrolment.pk)

    @contextmanager
    def some_time_later(self) -> Iterator[None]:
        """At Microsoft's sign-in alone, each time later than the last: a code serves once."""
        cloud = self.world.cloud
        before, self.waited = cloud.clock_offset, self.waited + SECONDS
        cloud.clock_offset = before + self.waited
        try:
            yield
        finally:
            cloud.clock_offset = before

    def frees_a_place(self, take_over: TakeOver, account: SharedAccount, **facts: Any) -> Run:
        """A manager looks at what the rule says, and decides so; then the run is worked through."""
        by = facts.pop("by", self.world.owner)
        goes = preview_place(take_over, account, by=by, outside=self.outside).plan.goes
        assert goes is not None
        run = free_place(
            take_over, account, method_id=goes.method.id, by=by, reason="for the next one", outside=self.outside
        )
        self.world.work(run, outside=self.outside)
        return run

    def gets_in(self, name: str, account: SharedAccount) -> bool:
        """The password in force and a code of the person's own new key, at Microsoft's sign-in page."""
        key = self.keys[account.pk, self.people[name].pk]
        with self.some_time_later():
            return self.lets_in(account, code_at(key, int(self.world.cloud.now().timestamp() // SECONDS)))

    def old_phone_gets_in(self, account: SharedAccount, directory_id: str) -> bool:
        with self.some_time_later():
            code = self.world.cloud.code(self.world.directory_id(account), account.object_id, directory_id)
            return self.lets_in(account, code)

    def lets_in(self, account: SharedAccount, code: str | None = None, push: str | None = None) -> bool:
        result = self.world.cloud.sign_in(
            self.world.directory_id(account),
            account.user_principal_name,
            self.world.password_at_microsoft(account),
            code,
            push,
        )
        return bool(result.session)

    def tasks(self, take_over: TakeOver) -> dict[str, str]:
        found = TakeOverTask.objects.filter(take_over_account__take_over=take_over)
        return {task.technician.name: task.status for task in found.select_related("technician")}

    def bound(self, account: SharedAccount) -> dict[str, str]:
        """name -> proof of what is bound on the account and present."""
        found = Authenticator.objects.on_the_account().filter(method__account=account)
        return {a.technician.name: a.proof for a in found.select_related("technician")}


class Scene:
    """Five people hold Contoso's account; what old phones are on it, each test says."""

    @pytest.fixture(autouse=True)
    def _scene(self, world: World) -> None:
        self.world, self.stage = world, TakenOver(world)
        self.tenant = self.stage.tenant("Contoso")
        self.account: SharedAccount = self.stage.account(self.tenant)
        self.people = self.stage.people
        self.hour = 0

    def old(self, count: int = 5, kind: str = "software_oath") -> list[str]:
        return [self.stage.old_phone(self.account, kind) for _ in range(count)]

    def removes(self, take_over: TakeOver, **facts: Any) -> TakeOver:
        told = {"by": self.world.owner, "reason": "nobody claimed them"} | facts
        return remove_unknown(take_over, **told)

    def works(self, take_over: TakeOver) -> None:
        """The run, its second look an hour later, and what the clock does then. Time never goes back."""
        assert take_over.run is not None
        for hour in (self.hour, self.hour + 1):
            with time_machine.travel(timezone.now() + hour * dt.timedelta(minutes=70), tick=True):
                self.world.work(take_over.run, outside=self.stage.outside)
                mind_take_overs()
        self.hour += 1
        take_over.refresh_from_db()

    def task(self, take_over: TakeOver, name: str) -> TakeOverTask:
        return TakeOverTask.objects.get(take_over_account__take_over=take_over, technician=self.people[name])

    def unknown(self) -> set[str]:
        return set(self.account.methods.unknown().values_list("directory_id", flat=True))
