"""A shared password is given to one person: to be seen or to be copied, written down first, and not too often."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import time_machine
from django.db import transaction
from django.utils import timezone

from msp.errors import BadInput, KeyTrouble, LedgerClosed, NotPermitted
from msp.ledger.models import Entry
from technicians.actions.assign import assign, end_assignment
from technicians.actions.reveal_password import Shown, copy_password, reveal_password
from technicians.models import Assignment, Reveal, Role, Technician
from tenants.models import ChangeDemand, Finding, PasswordPolicy, SecretVersion, SharedAccount
from tests.support.closed_ledger import close_the_ledger
from tests.support.world import World

HOUR = dt.timedelta(hours=1)


class Scene:
    """Ana holds Contoso's account; Ben does not."""

    @pytest.fixture(autouse=True)
    def _scene(self, world: World) -> None:
        self.world = world
        self.ana, self.ben = (world.technician(name) for name in ("Ana", "Ben"))
        self.account = world.account(world.tenant("Contoso"))
        assign(self.ana, self.account, by=world.owner, reason="on the team")
        self.password = world.passwords_known(self.account)["current"]

    def policy(self, **facts: Any) -> PasswordPolicy:
        return PasswordPolicy.objects.create(reseller=self.world.reseller, **facts)

    def shows(self, person: Technician | None = None, *, reason: str = "the printer is down", **facts: Any):
        return reveal_password(person or self.ana, self.account, reason=reason, outside=self.world.outside, **facts)

    def copies(self, *, reason: str = "the printer is down", **facts: Any) -> Shown:
        return copy_password(self.ana, self.account, reason=reason, outside=self.world.outside, **facts)

    def change_is_not_proven(self, password: str) -> None:
        version = SecretVersion(reseller=self.world.reseller, secret=self.account.secret, number=2, status="unverified")
        with transaction.atomic():
            version.sealed = self.world.outside.vault.seal(password.encode(), version.place)
            version.save()

    def entries(self, *verbs: str) -> list[Entry]:
        return list(Entry.objects.filter(verb__in=verbs or ("password.revealed", "password.copied")).order_by("id"))

    def acts(self) -> list[tuple[str, int]]:
        return list(Reveal.objects.order_by("at", "version__number").values_list("act", "version__number"))


class WhenItIsShown(Scene):
    def test_it_is_the_password_and_stands_in_the_ledger_as_revealed(self):
        assert [one.password for one in self.shows()] == [self.password]
        [entry] = self.entries()
        assert (entry.verb, entry.actor_id, entry.account_id) == ("password.revealed", self.ana.pk, self.account.pk)
        assert entry.facts["reason"] == "the printer is down"
        assert self.acts() == [("shown", 1)]

    def test_every_version_that_may_sign_in_comes_and_each_is_written_down(self):
        self.change_is_not_proven("Another-Password-1")
        assert [one.password for one in self.shows()] == [self.password, "Another-Password-1"]
        assert [entry.facts["version"] for entry in self.entries()] == [1, 2]

    def test_a_doubtful_one_still_comes_and_says_that_it_is_doubtful(self):
        SecretVersion.objects.update(status="doubtful")
        [one] = self.shows()
        assert (one.password, one.version.status) == (self.password, "doubtful")

    def test_what_was_given_out_tells_nobody_what_it_is_when_it_is_printed(self):
        assert self.password not in f"{self.shows()} {self.copies()!r}"


class WhenItIsCopied(Scene):
    def test_that_is_another_act_than_showing(self):
        assert self.copies().password == self.password
        assert [entry.verb for entry in self.entries()] == ["password.copied"]
        assert self.acts() == [("copied", 1)]

    def test_of_several_versions_the_one_that_was_asked_for_goes_and_no_other(self):
        self.change_is_not_proven("Another-Password-1")
        assert self.copies(number=2).password == "Another-Password-1"
        assert self.acts() == [("copied", 2)]

    def test_of_several_versions_none_goes_unless_one_is_asked_for(self):
        self.change_is_not_proven("Another-Password-1")
        with pytest.raises(BadInput, match="Say which one"):
            self.copies()
        assert self.acts() == []

    def test_one_that_does_not_sign_in_any_more_is_not_given(self):
        with pytest.raises(BadInput, match="Version 7 may not sign in any more"):
            self.copies(number=7)
        assert self.acts() == []


class WhoIsRefused(Scene):
    def refused(self, person: Technician, match: str = "not assigned to you now") -> None:
        with pytest.raises(NotPermitted, match=match):
            self.shows(person)
        assert (self.acts(), self.entries()) == ([], [])

    def test_somebody_who_does_not_hold_the_account(self):
        self.refused(self.ben)

    def test_somebody_who_held_it_until_a_moment_ago(self):
        end_assignment(Assignment.objects.get(technician=self.ana), by=self.world.owner)
        self.refused(self.ana)

    def test_somebody_who_will_hold_it_tomorrow(self):
        assign(self.ben, self.account, by=self.world.owner, reason="soon", from_at=timezone.now() + 24 * HOUR)
        self.refused(self.ben)

    def test_an_auditor_who_was_assigned_all_the_same(self):
        auditor = self.world.technician("Aud", Role.AUDITOR)
        assign(auditor, self.account, by=self.world.owner, reason="by mistake")
        self.refused(auditor)

    def test_everybody_where_the_policy_wants_a_check_out_first(self):
        self.policy(check_out_required=True)
        self.refused(self.ana, "Check it out first")


class ThePolicysQuestion(Scene):
    def test_is_a_reason_unless_it_says_otherwise(self):
        with pytest.raises(BadInput, match="Say what you need the password for"):
            self.shows(reason="  ")
        assert self.acts() == []

    def test_may_be_nothing(self):
        self.policy(asks="nothing")
        assert self.shows(reason="")

    def test_is_a_ticket_number_of_the_wanted_form_and_both_are_kept(self):
        self.policy(asks="ticket", ticket_pattern="INC#######")
        for wrong in ("", "INC42", "INC12345678", "please"):
            with pytest.raises(BadInput, match="ticket number"):
                self.copies(ticket=wrong)
        self.copies(ticket=" INC0000042 ", reason="")
        assert Reveal.objects.get().ticket == "INC0000042"
        assert self.entries()[0].facts["ticket"] == "INC0000042"

    def test_is_answered_within_the_length_that_is_kept(self):
        with pytest.raises(BadInput, match="at most 500"):
            self.shows(reason="x" * 501)


class WhenThePolicyChangesWhatWasShown(Scene):
    def test_the_change_is_demanded_for_some_hours_later(self):
        self.policy(rotate_after_reveal=True, hours_after_reveal=3)
        self.copies()
        demand = ChangeDemand.objects.get()
        assert (demand.because, demand.detail) == ("reveal", "Ana")
        assert abs(demand.due_at - timezone.now() - 3 * HOUR) < dt.timedelta(minutes=5)

    def test_a_second_look_does_not_put_the_change_off(self):
        self.policy(rotate_after_reveal=True)
        self.shows()
        due_at = ChangeDemand.objects.get().due_at
        self.shows()
        assert ChangeDemand.objects.get().due_at == due_at

    def test_otherwise_nothing_is_demanded(self):
        self.shows()
        assert not ChangeDemand.objects.exists()


class IfItCannotBeGivenOut(Scene):
    def test_a_ledger_that_cannot_be_written_keeps_it_in(self, monkeypatch: pytest.MonkeyPatch):
        close_the_ledger(monkeypatch)
        for act in (self.shows, self.copies):
            with pytest.raises(LedgerClosed):
                act()
        assert self.acts() == []

    def test_nobody_is_said_to_know_what_the_vault_could_not_open(self):
        SecretVersion.objects.update(sealed=b"not an envelope")
        with pytest.raises(KeyTrouble):
            self.shows()
        assert (self.acts(), self.entries()) == ([], [])


class WhenSomebodyTakesManyInAnHour(Scene):
    def test_the_policys_number_is_the_last_and_the_refusal_says_when_there_is_more(self):
        self.policy(reveals_per_hour=2)
        now = (timezone.now() + 24 * HOUR).replace(hour=12, minute=0, second=30, microsecond=0)
        with time_machine.travel(now, tick=False):
            self.shows()
        with time_machine.travel(now + dt.timedelta(minutes=10), tick=False):
            self.copies()
            with pytest.raises(BadInput, match=r"fetched 2 passwords within an hour.*from 13:01 \(UTC\) on"):
                self.copies()
        assert len(self.acts()) == 2
        with time_machine.travel(now + HOUR, tick=False):
            self.shows()

    def test_every_account_of_theirs_counts(self):
        self.policy(reveals_per_hour=1)
        self.shows()
        self.account = self.world.account(self.world.tenant("Fabrikam"))
        assign(self.ana, self.account, by=self.world.owner, reason="too")
        with pytest.raises(BadInput, match="within an hour"):
            self.shows()

    def test_a_colleague_is_not_held_up(self):
        self.policy(reveals_per_hour=1)
        self.shows()
        assign(self.ben, self.account, by=self.world.owner, reason="too")
        assert self.shows(self.ben)

    def test_several_versions_of_one_reveal_are_one(self):
        self.policy(reveals_per_hour=2)
        self.change_is_not_proven("Another-Password-1")
        self.shows()
        assert self.shows()


class WhenSomebodyTakesUnusuallyMany:
    """Ana holds twelve accounts, and never took more than a few in an hour."""

    @pytest.fixture(autouse=True)
    def _scene(self, world: World) -> None:
        self.world, self.ana = world, world.technician("Ana")
        tenant = world.tenant("Contoso")
        self.accounts = [world.account(tenant, f"admin{number}") for number in range(12)]
        for account in self.accounts:
            assign(self.ana, account, by=world.owner, reason="on the team", from_at=timezone.now() - 2400 * HOUR)

    def takes(self, accounts: list[SharedAccount]) -> None:
        for account in accounts:
            copy_password(self.ana, account, reason="work", outside=self.world.outside)

    def alarms(self) -> list[Entry]:
        return list(Entry.objects.filter(verb="reveals.unusual"))

    def test_the_eleventh_account_raises_an_alarm_that_names_the_person_and_the_numbers(self):
        self.takes(self.accounts[:10])
        assert self.alarms() == []
        self.takes(self.accounts[10:11])
        [alarm] = self.alarms()
        assert (alarm.technician_id, alarm.account_id) == (self.ana.pk, self.accounts[10].pk)
        assert (alarm.facts["accounts"], alarm.facts["most_before"]) == (11, 0)
        finding = Finding.objects.visible_to(self.world.owner).open().get(kind="unusual_reveals")
        assert finding.tenant == self.accounts[10].tenant
        assert "Ana took the passwords of 11 different accounts within an hour" in finding.detail

    def test_there_is_one_alarm_in_an_hour_and_the_work_goes_on(self):
        self.takes(self.accounts)
        assert len(self.alarms()) == 1
        assert Reveal.objects.count() == 12

    def test_the_same_accounts_again_and_again_are_no_alarm(self):
        self.takes(self.accounts[:5] * 4)
        assert self.alarms() == []

    def test_somebody_who_took_half_as_many_before_raises_none(self):
        with time_machine.travel(timezone.now() - dt.timedelta(days=20)):
            self.takes(self.accounts[:6])
        self.takes(self.accounts)
        assert self.alarms() == []

    def test_what_is_longer_ago_than_a_month_is_forgotten(self):
        with time_machine.travel(timezone.now() - dt.timedelta(days=31)):
            self.takes(self.accounts[:6])
        self.takes(self.accounts)
        assert [alarm.facts["most_before"] for alarm in self.alarms()] == [0]


class EveryRevealOfAPersonWithALongPast(Scene):
    def test_costs_as_many_queries_as_the_first_ones(self, django_assert_max_num_queries: Any):
        def queries() -> int:
            with django_assert_max_num_queries(40) as used:
                self.copies()
            return len(used)

        queries()
        few = queries()
        version, ago = self.account.secret.versions.get(), timezone.now() - dt.timedelta(days=1)
        Reveal.objects.bulk_create(
            Reveal(reseller=self.world.reseller, technician=self.ana, version=version, at=ago) for _ in range(500)
        )
        assert queries() == few
