"""What Microsoft demands of an account besides its password: read, changed, read back, and never guessed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from msp.errors import AnswerLost, BadInput, LedgerClosed, NotAllowed, NotPermitted, Unreachable
from msp.ledger.models import Entry
from msp.microsoft.enrolment_ports import MfaState, Registrar
from msp.microsoft.ports import AccountRef, Answer
from technicians.models import Role
from tenants.actions.mfa_state import read_mfa_state, says_so, set_mfa_state
from tenants.models import SharedAccount
from tests.support.world import World


class Scene:
    """Contoso's account demands nothing yet, and the application may change that."""

    @pytest.fixture(autouse=True)
    def _scene(self, world: World) -> None:
        self.world = world
        self.tenant = world.tenant("Contoso")
        self.account = world.account(self.tenant)
        world.allow_tokens(self.tenant)
        self.mia = world.technician("Mia", Role.MANAGER)

    def at_microsoft(self) -> str:
        return str(self.world.cloud.user(str(self.tenant.directory_id), self.account.object_id).mfa_state)

    def demand_there(self, state: str) -> None:
        self.world.cloud.user(str(self.tenant.directory_id), self.account.object_id).mfa_state = state

    def set(self, state: MfaState, **facts: Any) -> MfaState:
        by = facts.pop("by", self.mia)
        return set_mfa_state(self.account, state, by=by, outside=facts.pop("outside", self.world.outside))

    def known(self) -> tuple[str, bool]:
        row = SharedAccount.objects.get(pk=self.account.pk)
        return row.mfa_state, row.mfa_state_read_at is not None

    def entries(self) -> list[tuple[str, Any]]:
        found = Entry.objects.filter(verb__startswith="mfa_state.").order_by("pk")
        return [(entry.verb, entry.facts) for entry in found]


class WhenItIsRead(Scene):
    def test_nothing_is_known_before_the_first_time(self):
        assert self.known() == ("", False)

    @pytest.mark.parametrize("state", list(MfaState))
    def test_the_answer_is_kept_with_its_time(self, state: MfaState):
        self.demand_there(state)
        assert read_mfa_state(self.account, outside=self.world.outside) == state
        assert self.known() == (state, True)


class WhenItIsChanged(Scene):
    def test_it_is_so_at_microsoft_and_read_back(self):
        assert self.set(MfaState.ENFORCED) == MfaState.ENFORCED
        assert self.at_microsoft() == "enforced"
        assert self.known() == ("enforced", True)

    def test_the_intent_stands_in_the_ledger_before_and_the_reading_after(self):
        self.set(MfaState.ENFORCED)
        assert self.entries() == [
            ("mfa_state.sent", {"asked": "enforced"}),
            ("mfa_state.read_back", {"asked": "enforced", "found": "enforced"}),
        ]

    def test_enabled_counts_as_done_when_microsoft_made_it_enforced_by_itself(self):
        assert says_so(MfaState.ENFORCED, MfaState.ENABLED)
        assert not says_so(MfaState.ENABLED, MfaState.ENFORCED)
        assert not says_so(MfaState.DISABLED, MfaState.ENABLED)

    def test_nothing_is_sent_when_it_cannot_be_written_down(self, monkeypatch: pytest.MonkeyPatch):
        def closed(*_: Any, **__: Any) -> None:
            raise LedgerClosed("The ledger cannot be written.")

        monkeypatch.setattr("tenants.actions.mfa_state.record", closed)
        with pytest.raises(LedgerClosed):
            self.set(MfaState.ENFORCED)
        assert self.at_microsoft() == "disabled"

    def test_whoever_may_not_enrol_others_changes_nothing(self):
        tess = self.world.technician("Tess")
        with pytest.raises(NotPermitted):
            self.set(MfaState.ENFORCED, by=tess)
        assert (self.at_microsoft(), self.entries()) == ("disabled", [])

    def test_a_break_glass_account_is_left_alone(self):
        SharedAccount.objects.update(break_glass=True)
        self.account.refresh_from_db()
        with pytest.raises(BadInput, match="break-glass"):
            self.set(MfaState.ENFORCED)
        assert self.at_microsoft() == "disabled"

    def test_without_the_permission_the_refusal_is_passed_on_and_nothing_is_claimed(self):
        second = self.world.tenant("Fabrikam")
        self.account, self.tenant = self.world.account(second), second
        with pytest.raises(NotAllowed):
            self.set(MfaState.ENFORCED)
        assert self.known() == ("", False)
        assert [verb for verb, _facts in self.entries()] == ["mfa_state.sent"]


class Trouble:
    """A registrar whose answers to a change get lost, after the change or before it."""

    def __init__(self, real: Registrar, *, does_it: bool, reads: bool = True) -> None:
        self._real, self._does_it, self._reads = real, does_it, reads

    def set_mfa_state(self, account: AccountRef, state: MfaState) -> Answer:
        if self._does_it:
            self._real.set_mfa_state(account, state)
        raise AnswerLost("The connection broke.")

    def mfa_state(self, account: AccountRef) -> MfaState:
        if not self._reads:
            raise Unreachable("No connection could be opened.")
        return self._real.mfa_state(account)


class WhenTheAnswerIsLost(Scene):
    def outside(self, **facts: Any) -> Any:
        way = self.world.outside.registrar_for
        return replace(self.world.outside, registrar_for=lambda *tenant: Trouble(way(*tenant), **facts))

    def test_the_reading_says_that_it_happened(self):
        assert self.set(MfaState.ENFORCED, outside=self.outside(does_it=True)) == MfaState.ENFORCED
        assert self.known() == ("enforced", True)

    def test_or_that_it_did_not(self):
        assert self.set(MfaState.ENFORCED, outside=self.outside(does_it=False)) == MfaState.DISABLED
        assert self.known() == ("disabled", True)

    def test_what_could_not_be_read_back_is_not_claimed(self):
        with pytest.raises(Unreachable):
            self.set(MfaState.ENFORCED, outside=self.outside(does_it=True, reads=False))
        assert self.known() == ("", False)
        assert [verb for verb, _facts in self.entries()] == ["mfa_state.sent"]
