"""One person has an account for themselves for a time: nobody else gets its password, and it changes afterwards."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from msp.errors import BadInput, LatchkeyError, LedgerClosed, MoveLost, NotPermitted
from msp.ledger.models import Entry
from technicians import tasks
from technicians.actions.assign import assign, end_assignment
from technicians.actions.check_out import check_in, check_out, end_overdue_check_outs, take_back
from technicians.actions.reveal_password import copy_password, reveal_password
from technicians.models import Assignment, CheckOut, Reveal, Role, Technician
from tenants.models import ChangeDemand, PasswordPolicy, TenantGroup
from tests.support.closed_ledger import close_the_ledger
from tests.support.world import World, eventually

MINUTE = dt.timedelta(minutes=1)


class Scene:
    """Ana and Ben hold Contoso's account."""

    @pytest.fixture(autouse=True)
    def _scene(self, world: World) -> None:
        self.world = world
        self.ana, self.ben = (world.technician(name) for name in ("Ana", "Ben"))
        self.account = world.account(world.tenant("Contoso"))
        for person in (self.ana, self.ben):
            assign(person, self.account, by=world.owner, reason="on the team")

    def policy(self, **facts: Any) -> None:
        PasswordPolicy.objects.create(reseller=self.world.reseller, **facts)

    def takes(self, person: Technician | None = None, **facts: Any) -> CheckOut:
        return check_out(person or self.ana, self.account, **({"reason": "a long change"} | facts))

    def reveals(self, person: Technician) -> Any:
        return reveal_password(person, self.account, reason="work", outside=self.world.outside)

    def later(self, minutes: float) -> Any:
        return time_machine.travel(timezone.now() + minutes * MINUTE)

    def ended(self) -> list[str]:
        return list(CheckOut.objects.exclude(ended_at=None).values_list("ended_because", flat=True))

    def entries(self) -> list[str]:
        return list(
            Entry.objects.filter(verb__startswith="account.checked").order_by("id").values_list("verb", flat=True)
        )

    def demands(self) -> list[tuple[str, str]]:
        return list(ChangeDemand.objects.open().values_list("because", "detail"))


class WhenAnAccountIsCheckedOut(Scene):
    def test_nobody_else_gets_its_password_and_hears_who_has_it(self):
        self.takes()
        for act in (reveal_password, copy_password):
            with pytest.raises(NotPermitted, match="Ana has checked this account out until"):
                act(self.ben, self.account, reason="work", outside=self.world.outside)
        assert not Reveal.objects.exists()

    def test_its_holder_does(self):
        self.policy(check_out_required=True)
        self.takes()
        assert self.reveals(self.ana)

    def test_nobody_else_checks_it_out(self):
        self.takes()
        with pytest.raises(MoveLost, match="Ana has checked this account out"):
            self.takes(self.ben)
        with pytest.raises(MoveLost, match="You have checked this account out already"):
            self.takes()
        assert self.entries() == ["account.checked_out"]

    def test_the_database_itself_refuses_a_second_one(self):
        self.takes()
        with pytest.raises(IntegrityError, match="one_check_out_at_a_time"), transaction.atomic():
            CheckOut.objects.create(
                reseller=self.world.reseller, technician=self.ben, account=self.account, until_at=timezone.now()
            )

    def test_another_account_is_not_concerned(self):
        self.takes()
        other = self.world.account(self.account.tenant, "second")
        assign(self.ben, other, by=self.world.owner, reason="on the team")
        assert reveal_password(self.ben, other, reason="work", outside=self.world.outside)

    def test_it_stands_in_the_ledger_with_its_reason_and_its_end(self):
        made = self.takes(ticket="INC42")
        entry = Entry.objects.get(verb="account.checked_out")
        assert (entry.actor_id, entry.account_id) == (self.ana.pk, self.account.pk)
        assert (entry.facts["reason"], entry.facts["ticket"]) == ("a long change", "INC42")
        assert entry.facts["until_at"].startswith(f"{made.until_at:%Y-%m-%dT%H:%M:%S}")


class WhenItIsChecked(Scene):
    def test_in_everybody_gets_the_password_again_and_it_must_change(self):
        check_in(self.takes(), by=self.ana)
        assert self.reveals(self.ben)
        assert self.ended() == ["checked_in"]
        assert self.entries() == ["account.checked_out", "account.checked_in"]
        assert self.demands() == [("check_in", "Ana")]

    def test_in_it_need_not_change_where_the_policy_does_not_want_that(self):
        self.policy(rotate_after_check_in=False)
        check_in(self.takes(), by=self.ana)
        assert self.demands() == []

    def test_in_by_somebody_else_nothing_happens(self):
        made = self.takes()
        for somebody in (self.ben, self.world.owner):
            with pytest.raises(NotPermitted, match="Only whoever checked this account out"):
                check_in(made, by=somebody)
        assert self.ended() == []

    def test_in_twice_the_second_time_changes_nothing(self):
        made = self.takes()
        check_in(made, by=self.ana)
        with pytest.raises(MoveLost, match="had ended before"):
            check_in(made, by=self.ana)
        assert self.entries() == ["account.checked_out", "account.checked_in"]

    def test_out_again_it_can_be_at_once(self):
        check_in(self.takes(), by=self.ana)
        assert self.takes(self.ben).technician == self.ben


class WhenItsTimeIsOver(Scene):
    def test_it_counts_no_more_though_no_clock_has_ended_it(self):
        self.policy(check_out_required=True, check_out_minutes=30)
        self.takes()
        with self.later(31):
            with pytest.raises(NotPermitted, match="Check it out first"):
                self.reveals(self.ana)
            assert self.takes(self.ben).technician == self.ben
        assert self.ended() == ["time_over"]

    def test_the_clock_ends_it_and_the_password_must_change(self):
        self.policy(check_out_minutes=30)
        self.takes()
        assert end_overdue_check_outs() == 0
        with self.later(31):
            assert end_overdue_check_outs() == 1
            assert end_overdue_check_outs() == 0
        assert self.ended() == ["time_over"]
        assert Entry.objects.get(verb="account.checked_in").actor_id is None
        assert self.demands() == [("check_in", "Ana")]

    def test_the_clock_is_wound(self):
        names = [entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()]
        assert "technicians.tasks.end_overdue_check_outs" in names
        self.takes(minutes=1)
        with self.later(2):
            tasks.end_overdue_check_outs()
        assert self.ended() == ["time_over"]


class TheTimeOfACheckOut(Scene):
    def length(self, **facts: Any) -> int:
        made = self.takes(**facts)
        return round((made.until_at - made.from_at) / MINUTE)

    def test_is_as_long_as_the_policy_says_or_shorter(self):
        self.policy(check_out_minutes=45)
        assert self.length() == 45
        check_in(CheckOut.objects.get(), by=self.ana)
        assert self.length(minutes=5) == 5

    @pytest.mark.parametrize("minutes", [0, 46])
    def test_is_never_longer_and_never_nothing(self, minutes: int):
        self.policy(check_out_minutes=45)
        with pytest.raises(BadInput, match="for 1 to 45 minutes"):
            self.takes(minutes=minutes)
        assert not CheckOut.objects.exists()

    def test_ends_with_the_assignment_if_that_ends_sooner(self):
        Assignment.objects.filter(technician=self.ana).update(until_at=timezone.now() + 10 * MINUTE)
        assert self.length() == 10


class WhoCannotCheckItOut(Scene):
    def test_somebody_without_the_account(self):
        with pytest.raises(NotPermitted, match="not assigned to you now"):
            self.takes(self.world.technician("Carl"))

    def test_somebody_without_an_answer_to_what_the_policy_asks(self):
        self.policy(asks="ticket", ticket_pattern="INC#")
        with pytest.raises(BadInput, match=r"no ticket number as the policy.*The account was not checked out\."):
            self.takes(ticket="please")
        assert self.takes(ticket="INC42", reason="")

    def test_anybody_while_the_ledger_cannot_be_written(self, monkeypatch: pytest.MonkeyPatch):
        close_the_ledger(monkeypatch)
        with pytest.raises(LedgerClosed):
            self.takes()
        assert not CheckOut.objects.exists()


class WhenAManagerTakesItBack(Scene):
    def test_it_ends_with_the_reason_in_the_ledger(self):
        mia = self.world.technician("Mia", Role.MANAGER)
        take_back(self.takes(), by=mia, reason="Ana is ill")
        assert self.ended() == ["taken_back"]
        entry = Entry.objects.get(verb="account.checked_in")
        assert (entry.actor_id, entry.technician_id) == (mia.pk, self.ana.pk)
        assert (entry.facts["because"], entry.facts["reason"]) == ("taken_back", "Ana is ill")
        assert self.demands() == [("check_in", "Ana")]

    def test_a_reason_is_needed(self):
        with pytest.raises(BadInput, match="why"):
            take_back(self.takes(), by=self.world.owner, reason=" ")
        assert self.ended() == []

    def test_a_colleague_may_not(self):
        with pytest.raises(NotPermitted):
            take_back(self.takes(), by=self.ben, reason="I want it")
        assert self.ended() == []

    def test_a_manager_of_other_tenants_may_not(self):
        group = TenantGroup.objects.create(reseller=self.world.reseller, name="Others")
        sia = self.world.technician("Sia", Role.MANAGER, groups=[group])
        with pytest.raises(NotPermitted):
            take_back(self.takes(), by=sia, reason="Ana is ill")
        assert self.ended() == []


class WhenItsHolderLosesTheAccount(Scene):
    def test_it_ends_with_the_assignment(self):
        self.takes()
        end_assignment(Assignment.objects.get(technician=self.ana), by=self.world.owner)
        assert self.ended() == ["access_ended"]
        assert self.reveals(self.ben)

    def test_it_ends_when_the_holder_leaves(self):
        self.takes()
        self.world.offboard(self.ana)
        assert self.ended() == ["access_ended"]

    def test_one_that_somebody_else_has_goes_on(self):
        self.takes()
        self.world.offboard(self.ben)
        assert self.ended() == []

    def test_the_clock_finds_an_assignment_that_was_cut_short_by_its_date(self):
        self.takes()
        Assignment.objects.filter(technician=self.ana).update(until_at=timezone.now() + MINUTE)
        with self.later(2):
            assert end_overdue_check_outs() == 1
        assert self.ended() == ["access_ended"]


@pytest.mark.django_db(transaction=True)
class WhenTwoActAtTheSameMoment:
    """Each in a connection of its own, against the real database."""

    @pytest.fixture(autouse=True)
    def _scene(self, transactional_db: None, world: World) -> Iterator[None]:
        self.world = world
        self.people = [world.technician(name) for name in ("Ana", "Ben", "Carl", "Dina")]
        self.account = world.account(world.tenant("Contoso"))
        for person in self.people:
            assign(person, self.account, by=world.owner, reason="on the team")
        yield

    def at_once(self, *acts: Callable[[], Any]) -> list[Any]:
        """What each came to: its result, or its error."""
        gate = threading.Barrier(len(acts), timeout=60)

        def run(act: Callable[[], Any]) -> Any:
            try:
                gate.wait()
                return act()
            except LatchkeyError as refused:
                return refused
            finally:
                connection.close()

        with ThreadPoolExecutor(len(acts)) as pool:
            return list(pool.map(run, acts))

    def test_one_of_four_checks_it_out(self):
        came_to = self.at_once(*(lambda p=p: check_out(p, self.account, reason="work") for p in self.people))
        assert sum(isinstance(one, CheckOut) for one in came_to) == 1
        assert sum(isinstance(one, MoveLost) for one in came_to) == 3
        assert CheckOut.objects.live().count() == 1

    def test_a_reveal_waits_for_a_check_out_that_is_not_committed_yet_and_is_refused(self):
        ana, ben = self.people[:2]
        with ThreadPoolExecutor(1) as pool:
            with transaction.atomic():
                check_out(ana, self.account, reason="work")
                reveal = pool.submit(self.at_once, lambda: self.reveals(ben))
                assert eventually(lambda: somebody_waits() or reveal.done(), seconds=60)
            [came_to] = reveal.result()
        assert isinstance(came_to, NotPermitted)
        assert not Reveal.objects.exists()

    def test_a_check_out_waits_for_a_reveal_that_is_not_committed_yet(self):
        ana, ben = self.people[:2]
        with ThreadPoolExecutor(1) as pool:
            with transaction.atomic():
                self.reveals(ben)
                taking = pool.submit(self.at_once, lambda: check_out(ana, self.account, reason="work"))
                assert eventually(lambda: somebody_waits() or taking.done(), seconds=60)
                assert not taking.done()
            [made] = taking.result()
        assert made.from_at > Reveal.objects.get().at

    def reveals(self, person: Technician) -> Any:
        return reveal_password(person, self.account, reason="work", outside=self.world.outside)

    def test_a_check_in_and_the_clock_end_it_once(self):
        made = check_out(self.people[0], self.account, reason="work")
        CheckOut.objects.update(until_at=timezone.now() - MINUTE)
        self.at_once(lambda: check_in(made, by=self.people[0]), end_overdue_check_outs)
        assert Entry.objects.filter(verb="account.checked_in").count() == 1


def somebody_waits() -> bool:
    """Does a connection wait for a lock that another one holds?"""
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        return bool(cursor.fetchone()[0])
