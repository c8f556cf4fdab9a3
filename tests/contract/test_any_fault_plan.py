"""What the client says against what is true at the cloud, under random plans of faults.

`LATCHKEY_FAULT_PLANS` says how many plans are tried (200 without it), `LATCHKEY_FAULT_SEED` with which number they
begin. A disagreement names its seed, and that seed alone plays it again.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from msp.errors import AnswerLost, DirectoryError, NoConnection, NotSent, Refused
from msp.microsoft.ports import (
    Act,
    Answer,
    EndSessions,
    MethodKind,
    ObservedMethod,
    RemoveMethod,
    SetPassword,
)
from msp.simulator.faults import Fault, random_plan
from tests.support.box import OLD, Place, new_place, way_to

PLANS = int(os.environ.get("LATCHKEY_FAULT_PLANS", "200"))
FIRST = int(os.environ.get("LATCHKEY_FAULT_SEED", "1"))
AT_ONCE = 20
KINDS = (MethodKind.SOFTWARE_OATH, MethodKind.FIDO2, MethodKind.MICROSOFT_AUTHENTICATOR, MethodKind.HARDWARE_OATH)
OPERATIONS = ("user.read", "methods.list", "method.delete", "password.set", "sessions.revoke", "batch", "token")
LIES = frozenset({"lie"})


@dataclass
class Play:
    """One account, one plan of faults, and what was claimed about each act."""

    place: Place
    chance: random.Random
    rules: list[Fault] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def run(self) -> None:
        methods = [self.place.add(kind) for kind in self.chance.sample(KINDS, self.chance.randint(1, 4))]
        for number in range(self.chance.randint(1, 3)):
            acts = self._some_acts(number, methods)
            if self.chance.random() < 0.7:
                self._judge(acts, self._truth_before(acts), self.place.directory.act(self.place.account, acts))
            else:
                for act in acts:
                    self._judge((act,), self._truth_before((act,)), (self._alone(act),))
            self._look()

    def _some_acts(self, number: int, methods: list[ObservedMethod]) -> tuple[Act, ...]:
        acts: list[Act] = [SetPassword(f"Next-Password-{number}!"), EndSessions()]
        acts += [RemoveMethod(method) for method in self.chance.sample(methods, self.chance.randint(0, len(methods)))]
        self.chance.shuffle(acts)
        return tuple(acts)

    def _alone(self, act: Act) -> Answer | DirectoryError:
        directory, account = self.place.directory, self.place.account
        try:
            match act:
                case SetPassword(password):
                    return directory.set_password(account, password)
                case RemoveMethod(method):
                    return directory.remove(account, method)
            return directory.revoke_sessions(account)
        except DirectoryError as trouble:
            return trouble

    def _truth_before(self, acts: tuple[Act, ...]) -> list[object]:
        return [self._truth(act) for act in acts]

    def _truth(self, act: Act) -> object:
        """What this act is about, as the cloud has it now."""
        match act:
            case SetPassword():
                return self.place.box.cloud.user(self.place.tenant, self.place.user).password
            case RemoveMethod(method):
                return self.place.holds(method.directory_id)
        return self.place.effects("sessions_revoked")

    def _done(self, act: Act, before: object) -> bool:
        match act:
            case SetPassword(password):
                return self._truth(act) == password
            case RemoveMethod():
                return self._truth(act) is False
        return self._truth(act) != before

    def _judge(self, acts: tuple[Act, ...], before: list[object], said: tuple[Answer | DirectoryError, ...]) -> None:
        lied = any(rule.kind in LIES and rule.struck for rule in self.rules)
        for act, was, outcome in zip(acts, before, said, strict=True):
            match outcome:
                case Answer():
                    agrees = self._done(act, was) or lied
                case AnswerLost():
                    agrees = True
                case NotSent() | NoConnection() | Refused():
                    agrees = self._truth(act) == was
                case _:
                    agrees = False
            if not agrees:
                self.wrong.append(f"{type(act).__name__}: {type(outcome).__name__} ({outcome})")

    def _look(self) -> None:
        """A reading is complete and true, or it is no reading at all."""
        try:
            seen = self.place.directory.observe(self.place.account)
        except (NotSent, NoConnection):
            return
        except Refused as trouble:
            # A planned 400 or 404 may stand in for any answer; what it must not do is look like an empty account.
            if not any(rule.struck for rule in self.rules):
                self.wrong.append(f"reading: {trouble}")
            return
        real = {m.id for m in self.place.box.cloud.methods(self.place.tenant, self.place.user)}
        found = {m.directory_id for m in seen.methods if m.kind is not MethodKind.PASSWORD}
        if real != found:
            self.wrong.append(f"reading: {sorted(found)} instead of {sorted(real)}")


@pytest.fixture(scope="module")
def directories(box, pem):
    return way_to(box, pem, timeout_seconds=0.5)


@pytest.fixture
def calm(box) -> Iterator[None]:
    yield
    box.cloud.faults.clear()


class EveryClaimOfTheClient:
    @pytest.mark.parametrize("first", range(FIRST, FIRST + PLANS, AT_ONCE))
    def test_agrees_with_the_cloud_or_says_that_it_is_not_known(self, box, directories, calm, first):
        wrong = {}
        for seed in range(first, min(first + AT_ONCE, FIRST + PLANS)):
            box.cloud.faults.clear()
            play = Play(new_place(box, directories), random.Random(seed))
            assert play.place.lets_in(OLD)
            rules = random_plan(seed, operations=OPERATIONS, longest=0.05)
            play.rules = box.cloud.faults.plan(*[rule | {"tenant": play.place.tenant} for rule in rules])
            play.run()
            if play.wrong:
                wrong[seed] = (play.wrong, rules)
        assert not wrong, f"Play it again with LATCHKEY_FAULT_SEED={min(wrong)} LATCHKEY_FAULT_PLANS=1."
