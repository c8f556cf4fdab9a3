"""Every account is read now and then without being asked, so that what changes elsewhere is noticed."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

import pytest
from celery import current_app
from django.utils import timezone

from tenants.actions.read_due_accounts import ask_for_due_readings, read_accounts
from tenants.models import Finding, SharedAccount, Tenant
from tests.support.world import World

SIX_HOURS = dt.timedelta(hours=6)


class Scene:
    """Two tenants with two accounts each; messages are kept instead of sent."""

    @pytest.fixture(autouse=True)
    def _scene(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world = world
        self.messages: list[list[str]] = []
        monkeypatch.setattr(current_app, "send_task", lambda _name, arguments, **_: self.messages.extend(arguments))
        self.tenants = [world.tenant(name) for name in ("Contoso", "Fabrikam")]
        self.accounts = [world.account(tenant, name) for tenant in self.tenants for name in ("admin", "backup")]

    def ask(self) -> int:
        return ask_for_due_readings(SIX_HOURS)

    def work(self) -> None:
        while self.messages:
            read_accounts([UUID(pk) for pk in self.messages.pop()], outside=self.world.outside)

    def due_at(self, account: SharedAccount) -> Any:
        return SharedAccount.objects.get(pk=account.pk).read_again_at


class WhenAReadingIsOldEnough(Scene):
    def test_each_account_is_asked_for_once_by_one_message_for_each_tenant(self):
        assert [self.ask(), self.ask()] == [4, 0]
        assert sorted(map(len, self.messages)) == [2, 2]
        self.work()
        assert not SharedAccount.objects.filter(observed_at=None).exists()

    def test_it_is_read_again_after_the_time_and_not_before(self):
        self.ask()
        SharedAccount.objects.update(read_again_at=timezone.now() + dt.timedelta(seconds=5))
        assert self.ask() == 0
        SharedAccount.objects.update(read_again_at=timezone.now())
        assert self.ask() == 4

    def test_one_that_a_person_had_read_just_now_waits_its_time(self):
        SharedAccount.objects.filter(pk=self.accounts[0].pk).update(observed_at=timezone.now())
        assert self.ask() == 3

    def test_what_changed_elsewhere_is_noticed_without_anybody_asking(self):
        self.ask()
        self.work()
        self.world.cloud.advance(120)
        account = self.accounts[0]
        self.world.cloud.change_password_as_person(
            self.world.directory_id(account), account.object_id, "Somebody-elses-1!"
        )
        SharedAccount.objects.update(read_again_at=timezone.now())
        self.ask()
        self.work()
        assert Finding.objects.open().filter(account=account, kind=Finding.Kind.PASSWORD_DOUBTFUL).exists()


class WhenATenantAsksForPatience(Scene):
    def test_it_is_not_asked_until_the_time_it_named(self):
        Tenant.objects.filter(pk=self.tenants[0].pk).update(busy_until=timezone.now() + dt.timedelta(minutes=5))
        assert self.ask() == 2

    def test_what_it_turned_away_comes_later_and_the_rest_in_time(self):
        self.ask()
        self.world.cloud.faults.plan(kind="429", method="POST", path=r"\$batch$", times=1, delay=40)
        self.work()
        late = SharedAccount.objects.filter(observed_at=None)
        assert late.exists()
        for account in late:
            assert dt.timedelta(seconds=30) < self.due_at(account) - timezone.now() < dt.timedelta(minutes=2)


class WhenTheBrokerIsAway(Scene):
    def test_nothing_breaks_and_the_accounts_keep_their_next_time(self, monkeypatch: pytest.MonkeyPatch):
        def away(*_: Any, **__: Any) -> None:
            raise OSError("nobody there")

        monkeypatch.setattr(current_app, "send_task", away)
        assert self.ask() == 4
        assert all(self.due_at(account) > timezone.now() for account in self.accounts)
