"""The password is new: who of those who stay has it, and who is reminded."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from msp.errors import NotPermitted
from msp.ledger.models import Entry
from technicians.actions.remind_holders import remind_holders
from technicians.actions.reveal_password import reveal_password
from technicians.actions.tell_holders import read_notices
from technicians.models import PasswordNotice, Role
from technicians.reshare_queries import accounts_changed_by, shares_of, sum_of
from tenants.plans import StepKind
from tests.support.world import World


class Scene:
    """Ana leaves. Ben and Cid stay on Contoso's account, Ben alone on Fabrikam's."""

    @pytest.fixture(autouse=True)
    def _scene(self, world: World) -> None:
        self.world = world
        self.ana, self.ben, self.cid = (world.technician(name) for name in ("Ana", "Ben", "Cid"))
        self.contoso, self.fabrikam = (world.account(world.tenant(name)) for name in ("Contoso", "Fabrikam"))
        world.give(self.contoso, self.ana, self.ben, self.cid)
        world.give(self.fabrikam, self.ana, self.ben)
        self.run = world.offboard(self.ana).run
        world.work(self.run)

    def shares(self) -> dict[tuple[str, str], Any]:
        return {
            (account.account.tenant.customer.name, share.name): share
            for account in shares_of(accounts_changed_by(self.run))
            for share in account.shares
        }

    def fetch(self, person: Any, account: Any) -> None:
        reveal_password(person, account, reason="work", outside=self.world.outside)

    def later(self, **by: float) -> Any:
        return time_machine.travel(timezone.now() + dt.timedelta(**by), tick=True)


class WhenThePasswordsAreNew(Scene):
    def test_each_who_stays_is_named_for_each_account_and_nobody_has_them_yet(self):
        assert set(self.shares()) == {("Contoso", "Ben"), ("Contoso", "Cid"), ("Fabrikam", "Ben")}
        assert not any(share.has_it for share in self.shares().values())
        assert all(share.told_at for share in self.shares().values())

    def test_the_leaver_is_not_among_them(self):
        assert "Ana" not in {name for _customer, name in self.shares()}

    def test_who_fetches_the_version_in_force_has_it_and_the_sum_says_so(self):
        self.fetch(self.ben, self.contoso)
        assert self.shares()["Contoso", "Ben"].has_it
        assert not self.shares()["Fabrikam", "Ben"].has_it
        total = sum_of(shares_of(accounts_changed_by(self.run)))
        assert (total.accounts, total.have_it, total.stay, total.is_complete) == (2, 1, 3, False)

    def test_having_fetched_an_older_version_is_not_enough(self):
        self.fetch(self.ben, self.contoso)
        again = self.world.offboard(self.cid).run
        self.world.work(again)
        assert not self.shares()["Contoso", "Ben"].has_it

    def test_who_read_the_notice_and_did_not_fetch_does_not_have_it(self):
        read_notices(self.cid)
        share = self.shares()["Contoso", "Cid"]
        assert share.read_at is not None
        assert not share.has_it

    def test_an_account_whose_password_was_not_changed_is_not_listed(self):
        dora = self.world.technician("Dora")
        synced = self.world.account(self.world.tenant("Tailspin"))
        self.world.give(synced, dora, self.ben)
        self.world.cloud.user(self.world.directory_id(synced), synced.object_id).synced = True
        run = self.world.offboard(dora).run
        self.world.work(run)
        assert self.world.step(run, StepKind.ROTATE_PASSWORD).status == "blocked"
        assert list(accounts_changed_by(run)) == []

    def test_more_accounts_take_no_more_queries(self, django_assert_num_queries):
        accounts = list(accounts_changed_by(self.run))
        with django_assert_num_queries(4):
            shares_of(accounts[:1])
        with django_assert_num_queries(4):
            shares_of(accounts)


class WhenSomebodyRemindsThem(Scene):
    def test_those_without_it_are_told_again_and_those_who_have_it_are_not(self, settings):
        settings.MAIL_FROM = "latchkey@reseller.example"
        PasswordNotice.objects.update(mail_due_at=None, mailed_at=timezone.now())
        self.fetch(self.ben, self.contoso)
        with self.later(hours=2):
            assert remind_holders(self.run, by=self.world.owner) == 2
        waiting = PasswordNotice.objects.filter(mail_due_at__isnull=False)
        assert {(n.technician.name, n.version.secret.account.tenant.customer.name) for n in waiting} == {
            ("Cid", "Contoso"), ("Ben", "Fabrikam")
        }  # fmt: skip

    def test_who_was_told_within_the_hour_is_left_in_peace(self, settings):
        settings.MAIL_FROM = "latchkey@reseller.example"
        PasswordNotice.objects.update(mail_due_at=None)
        assert remind_holders(self.run, by=self.world.owner) == 0

    def test_without_mail_what_was_read_is_new_again_and_what_is_unread_stays(self):
        with self.later(hours=1):
            read_notices(self.cid)
        with self.later(hours=3):
            assert remind_holders(self.run, by=self.world.owner) == 1
        assert PasswordNotice.objects.unread().filter(technician=self.cid).count() == 1

    def test_somebody_who_was_assigned_since_is_told_for_the_first_time(self):
        PasswordNotice.objects.filter(technician=self.cid).delete()
        assert remind_holders(self.run, by=self.world.owner) == 1
        assert self.shares()["Contoso", "Cid"].told_at is not None

    def test_the_ledger_says_who_was_reminded_of_what_and_never_the_password(self):
        PasswordNotice.objects.filter(technician=self.cid).delete()
        remind_holders(self.run, by=self.world.owner)
        entry = Entry.objects.get(verb="password.holders_reminded")
        assert entry.facts["holders"] == [str(self.cid.pk)]
        assert entry.run_id == self.run.pk
        assert self.world.password_at_microsoft(self.contoso).encode() not in bytes(entry.body)

    @pytest.mark.parametrize("role", [Role.TECHNICIAN, Role.AUDITOR])
    def test_not_every_role_may(self, role):
        with pytest.raises(NotPermitted):
            remind_holders(self.run, by=self.world.technician("Nosy", role))
