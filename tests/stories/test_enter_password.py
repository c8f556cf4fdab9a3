"""A person gives Latchkey a password by hand: byte for byte, with a reason, with the history kept."""

from __future__ import annotations

import pytest

from msp.errors import BadInput, NotPermitted
from msp.ledger.models import Entry
from technicians.actions.assign import end_assignment
from technicians.actions.enter_password import enter_password
from technicians.models import Role
from tenants.actions.demand_change import demand_change
from tenants.actions.rotate import rotate
from tenants.models import ChangeDemand, SecretVersion, SharedAccount
from tests.support.world import World


class Scene:
    """Ben holds Contoso's shared account."""

    @pytest.fixture(autouse=True)
    def _scene(self, world: World) -> None:
        self.world = world
        self.ben = world.technician("Ben")
        self.account: SharedAccount = world.account(world.tenant("Contoso"))
        world.give(self.account, self.ben)

    def enter(self, password: str, **facts):
        said = {"by": self.ben, "reason": "set in the portal", "corrects": False, "outside": self.world.outside} | facts
        return enter_password(self.account, password, **said)

    def values(self) -> list[tuple[int, str, str]]:
        versions = SecretVersion.objects.filter(secret__account=self.account).select_related("secret__account")
        return [
            (v.number, v.status, self.world.outside.vault.open(bytes(v.sealed), v.place).decode())
            for v in versions.order_by("number")
        ]


class WhenAPasswordIsEntered(Scene):
    def test_it_is_in_force_and_the_old_one_stays_in_the_history(self):
        [(_, _, old)] = self.values()
        self.enter(" Blank-at-both-ends 1 ")
        assert self.values() == [(1, "retired", old), (2, "current", " Blank-at-both-ends 1 ")]

    def test_who_and_why_are_kept(self):
        version = self.enter("Neu-2026-Regen")
        assert (version.entered_by, version.note, version.source) == (self.ben, "set in the portal", "entered")
        entry = Entry.objects.filter(verb="password.stored").latest("at")
        assert "Neu-2026-Regen" not in str(entry.facts)

    def test_a_correction_says_that_it_is_one(self):
        assert self.enter("Neu-2026-Regen", corrects=True).source == SecretVersion.Source.CORRECTED

    def test_the_value_in_force_again_makes_no_version(self):
        [(_, _, old)] = self.values()
        assert self.enter(old) is None
        assert len(self.values()) == 1

    def test_an_older_value_again_is_known_to_be_the_same(self):
        [(_, _, old)] = self.values()
        self.enter("Neu-2026-Regen")
        again = self.enter(old)
        assert again.repeats == SecretVersion.objects.get(secret__account=self.account, number=1)
        third = self.enter("Neu-2026-Regen")
        assert self.enter(old).repeats == again.repeats
        assert third.repeats == SecretVersion.objects.get(secret__account=self.account, number=2)

    def test_nothing_is_proven_by_it_so_a_demand_for_a_change_stands(self):
        demand_change(self.account, ChangeDemand.Because.PERSON)
        self.enter("Neu-2026-Regen")
        assert ChangeDemand.objects.open().count() == 1

    @pytest.mark.parametrize(
        ("password", "facts", "reason"),
        [
            ("", {}, "missing"),
            ("x" * 257, {}, "256"),
            ("line\nbreak", {}, "line break"),
            ("nul\0", {}, "control character"),
            ("Neu-2026-Regen", {"reason": "  "}, "where this password comes from"),
        ],
    )
    def test_what_cannot_be_a_password_is_refused_and_nothing_changes(self, password, facts, reason):
        before = self.values()
        with pytest.raises(BadInput, match=reason) as refused:
            self.enter(password, **facts)
        assert self.values() == before
        assert not password or password not in str(refused.value)

    def test_it_is_refused_while_a_change_is_under_way(self):
        self.world.cloud.faults.plan(kind="reset_after_effect", method="PATCH", times=1)
        self.world.cloud.faults.plan(kind="503", method="POST", path=r"/beta/\$batch$", skip=1)
        self.world.work(rotate([self.account], by=self.world.owner, reason="quarter"))
        with pytest.raises(BadInput, match="being changed right now"):
            self.enter("Neu-2026-Regen")


class WhoMayEnterOne(Scene):
    def test_a_holder_and_whoever_may_change_passwords(self):
        assert self.enter("Neu-2026-Regen")
        assert self.enter("Neu-2026-Sonne", by=self.world.technician("Mia", Role.MANAGER))

    @pytest.mark.parametrize("role", [Role.TECHNICIAN, Role.AUDITOR])
    def test_nobody_else(self, role):
        with pytest.raises(NotPermitted):
            self.enter("Neu-2026-Regen", by=self.world.technician("Eve", role))

    def test_not_one_second_after_the_assignment_ended(self):
        end_assignment(self.ben.assignments.get(), by=self.world.owner)
        with pytest.raises(NotPermitted):
            self.enter("Neu-2026-Regen")
