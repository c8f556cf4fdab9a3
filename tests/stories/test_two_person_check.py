"""Two technicians type their codes at the same time: it comes out whether their phones have one seed."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import time_machine

from msp.errors import BadInput, NotPermitted
from msp.ledger.models import Entry
from msp.simulator import totp
from technicians.actions.assign import assign, end_assignment
from technicians.actions.compare_codes import MOST_IN_AN_HOUR, ask_for_check, close_late_checks, type_code
from technicians.models import Technician, TwoPersonCheck
from tenants.models import Finding
from tests.support.world import World

NOON = dt.datetime(2026, 3, 1, 12, 0, 0, tzinfo=dt.UTC)
ONE, OTHER = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
Result = TwoPersonCheck.Result


class Scene:
    """At noon sharp Ana and Ben begin to compare their codes of Contoso's account; Cem has no part in it."""

    @pytest.fixture(autouse=True)
    def _scene(self, world: World) -> Any:
        self.world = world
        self.ana, self.ben, self.cem = (world.technician(name) for name in ("Ana", "Ben", "Cem"))
        self.account = world.account(world.tenant("Contoso"))
        with time_machine.travel(NOON, tick=False) as self.clock:
            for person in (self.ana, self.ben):
                assign(person, self.account, by=world.owner, reason="on the team")
            self.check = self.ask()
            yield

    def ask(self, *, by: Technician | None = None) -> TwoPersonCheck:
        return ask_for_check(self.account, self.ana, self.ben, by=by or self.ana)

    def at(self, seconds: float) -> None:
        self.clock.move_to(NOON + dt.timedelta(seconds=seconds))

    def types(self, person: Technician, code: str, check: TwoPersonCheck | None = None) -> str:
        return type_code(check or self.check, code, by=person, outside=self.world.outside).result

    def reads(self, seed: str, read_at: float) -> str:
        """What a phone shows so many seconds after noon."""
        return totp.code(seed, NOON.timestamp() + read_at)

    def findings(self) -> list[str]:
        return [finding.detail for finding in Finding.objects.filter(kind=Finding.Kind.SHARED_SEED)]


class WhenBothPhonesHaveOneSeed(Scene):
    @pytest.mark.parametrize(("first", "second"), [(10, 14), (28, 31), (33, 34)])
    def test_it_is_proven_and_becomes_a_finding_with_both_names(self, first: int, second: int):
        """Also when the second is so near the edge that a new code is out by now."""
        code = self.reads(ONE, 9 if first < 30 else 31)
        self.at(first)
        assert self.types(self.ana, code) == Result.WAITING
        self.at(second)
        assert self.types(self.ben, f"{code[:3]} {code[3:]}") == Result.SHARED
        [detail] = self.findings()
        assert detail.startswith("Ana and Ben typed the same code")
        assert "Enrol an authenticator of their own" in detail

    def test_reading_one_code_before_and_one_after_the_change_is_never_called_two_seeds(self):
        self.at(28)
        self.types(self.ana, self.reads(ONE, 27))
        self.at(37)
        assert self.types(self.ben, self.reads(ONE, 36)) == Result.TOO_LATE
        assert self.findings() == []

    def test_nor_is_an_old_code_typed_right_after_the_change(self):
        self.at(33)
        self.types(self.ana, self.reads(ONE, 29))
        self.at(38)
        assert self.types(self.ben, self.reads(ONE, 37)) == Result.TOO_LATE


class WhenThePhonesHaveTwoSeeds(Scene):
    def test_different_codes_say_so_and_nothing_is_found(self):
        self.at(10)
        self.types(self.ana, self.reads(ONE, 9))
        self.at(20)
        assert self.types(self.ben, self.reads(OTHER, 19)) == Result.INDEPENDENT
        assert self.findings() == []

    def test_the_order_of_the_two_does_not_matter(self):
        self.at(10)
        self.types(self.ben, self.reads(OTHER, 9))
        assert self.types(self.ana, self.reads(ONE, 9)) == Result.INDEPENDENT


class WhenOneIsTooLate(Scene):
    def test_it_says_nothing_and_can_be_done_again(self):
        self.at(10)
        self.types(self.ana, self.reads(ONE, 9))
        self.at(70)
        assert self.types(self.ben, self.reads(ONE, 69)) == Result.TOO_LATE
        again = self.ask()
        assert again != self.check
        self.types(self.ana, self.reads(ONE, 69), again)
        assert self.types(self.ben, self.reads(ONE, 69), again) == Result.SHARED

    def test_the_clock_ends_it_when_the_other_never_types(self):
        self.at(10)
        self.types(self.ana, self.reads(ONE, 9))
        self.at(20)
        assert close_late_checks() == 0
        self.at(100)
        assert close_late_checks() == 1
        self.check.refresh_from_db()
        assert (self.check.result, bytes(self.check.first_digest)) == (Result.TOO_LATE, b"")

    def test_nobody_types_into_one_that_was_begun_long_ago(self):
        self.at(11 * 60)
        with pytest.raises(BadInput, match="too long ago"):
            self.types(self.ana, "123456")


class WhenACodeIsTyped(Scene):
    def test_the_code_itself_is_nowhere_and_its_fingerprint_goes_with_the_result(self):
        code = self.reads(ONE, 9)
        self.at(10)
        self.types(self.ana, code)
        self.check.refresh_from_db()
        kept = bytes(self.check.first_digest)
        assert (len(kept), code.encode() in kept) == (32, False)
        self.types(self.ben, code)
        self.check.refresh_from_db()
        assert bytes(self.check.first_digest) == b""
        facts = str([entry.facts for entry in Entry.objects.filter(verb__startswith="check.")])
        assert code not in facts
        assert "shared" in facts

    def test_the_same_code_in_two_comparisons_leaves_two_fingerprints(self):
        self.at(10)
        self.types(self.ana, "123456")
        dee = self.world.technician("Dee")
        assign(dee, self.account, by=self.world.owner, reason="on the team")
        other = ask_for_check(self.account, self.ana, dee, by=self.ana)
        self.types(self.ana, "123456", other)
        digests = {bytes(check.first_digest) for check in TwoPersonCheck.objects.all()}
        assert len(digests) == 2

    @pytest.mark.parametrize("typed", ["", "12345", "1234567", "12345a", "١٢٣٤٥٦"])
    def test_what_is_no_code_is_not_compared(self, typed: str):
        with pytest.raises(BadInput, match="six digits"):
            self.types(self.ana, typed)

    def test_each_types_once(self):
        self.at(10)
        self.types(self.ana, "123456")
        with pytest.raises(BadInput, match="already"):
            self.types(self.ana, "654321")

    def test_nobody_else_takes_part(self):
        for person in (self.cem, self.world.owner):
            with pytest.raises(NotPermitted):
                self.types(person, "123456")

    def test_whoever_lost_the_account_takes_no_part_any_more(self):
        end_assignment(self.ben.assignments.get(), by=self.world.owner)
        with pytest.raises(NotPermitted):
            self.types(self.ben, "123456")


class WhenAComparisonIsAskedFor(Scene):
    def test_a_manager_may_ask_two_others(self):
        self.at(11 * 60)
        assert self.ask(by=self.world.owner).asked_by == self.world.owner

    def test_a_colleague_may_not(self):
        with pytest.raises(NotPermitted):
            self.ask(by=self.cem)

    def test_it_takes_two_who_hold_the_account(self):
        for second, why in ((self.ana, "two people"), (self.cem, "does not hold")):
            with pytest.raises(BadInput, match=why):
                ask_for_check(self.account, self.ana, second, by=self.ana)

    def test_one_that_is_open_is_the_one_that_is_meant(self):
        assert ask_for_check(self.account, self.ben, self.ana, by=self.ben) == self.check

    def test_there_is_an_end_to_it(self):
        for minute in range(1, MOST_IN_AN_HOUR):
            TwoPersonCheck.objects.update(result=Result.INDEPENDENT)
            self.at(minute * 60)
            self.ask()
        TwoPersonCheck.objects.update(result=Result.INDEPENDENT)
        with pytest.raises(BadInput, match="within an hour"):
            self.ask()
