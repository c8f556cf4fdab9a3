"""Who knows a shared password, told as histories. A day is a number; every history is looked at on day 100."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from technicians.knowledge_plans import (
    Access,
    Facts,
    Knowledge,
    Sighting,
    Verdict,
    Version,
    must_change_since,
    who_knows,
)

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def day(number: float) -> dt.datetime:
    return START + dt.timedelta(days=number)


@dataclass
class History:
    """One account. Each event is a line: `History().imported(0).given(1).shown(2)` reads in time order."""

    versions: list[Version] = field(default_factory=list)
    sightings: list[Sighting] = field(default_factory=list)
    accesses: list[Access] = field(default_factory=list)
    left: list[tuple[Any, dt.datetime]] = field(default_factory=list)

    # --- the password ---------------------------------------------------------------------------------------------

    def imported(self, at: float, value: str = "first") -> History:
        """Given by a file or a person: it takes the place of the one before, and proves nothing."""
        return self._in_force(at, value, proven=False)

    def rotated(self, at: float, value: str = "") -> History:
        """Changed by Latchkey, and read back."""
        return self._in_force(at, value or f"made on day {at}", proven=True)

    def sent(self, at: float, value: str = "") -> History:
        """A new password is on its way, and nobody knows yet whether it arrived."""
        return self._stored(at, "unverified", value or f"made on day {at}")

    def proven(self, at: float) -> History:
        """What was on its way is read back."""
        self._retire(at)
        self.versions[-1] = replace(self.versions[-1], status="current", in_force_from=day(at), proven=True)
        return self

    def refused(self, at: float) -> History:
        """What was on its way is refused by the directory."""
        self.versions[-1] = replace(self.versions[-1], status="dead", ended_at=day(at))
        return self

    def had_not_happened(self) -> History:
        """What was on its way did not arrive, and will be sent again."""
        self.versions[-1] = replace(self.versions[-1], status="candidate")
        return self

    def prepared(self, at: float) -> History:
        return self._stored(at, "candidate", f"made on day {at}")

    def doubted(self) -> History:
        """Somebody changed the password at the directory."""
        self.versions = [replace(v, status="doubtful") if v.status == "current" else v for v in self.versions]
        return self

    def _in_force(self, at: float, value: str, *, proven: bool) -> History:
        self._retire(at)
        self._stored(at, "current", value)
        self.versions[-1] = replace(self.versions[-1], in_force_from=day(at), proven=proven)
        return self

    def _stored(self, at: float, status: str, value: str) -> History:
        number = len(self.versions) + 1
        self.versions.append(Version(number, number, status, value, stored_at=day(at), proven=False))
        return self

    def _retire(self, at: float) -> None:
        in_force = {"current", "doubtful"}
        self.versions = [
            replace(v, status="retired", ended_at=day(at)) if v.status in in_force else v for v in self.versions
        ]

    # --- Ana, unless it is said otherwise -------------------------------------------------------------------------

    def given(self, at: float, until: float | None = None, who: str = "Ana") -> History:
        self.accesses.append(Access(who, day(at), day(until) if until is not None else None))
        return self

    def shown(self, at: float, number: int = 0, who: str = "Ana", how: str = "shown") -> History:
        """The version with this number, or every one that may sign in, as a reveal does."""
        now_there = {"current", "doubtful", "unverified"}
        which = [number] if number else [v.number for v in self.versions if v.status in now_there]
        self.sightings += [Sighting(who, n, day(at), how) for n in which]
        return self

    def copied(self, at: float) -> History:
        return self.shown(at, how="copied")

    def leaves(self, at: float, who: str = "Ana") -> History:
        self.left.append((who, day(at)))
        return self

    def known(self) -> list[Knowledge]:
        return who_knows(Facts(self.versions, self.sightings, self.accesses, self.left), now=day(100))

    def of(self, who: str = "Ana") -> Knowledge:
        (found,) = [k for k in self.known() if k.person == who]
        return found


def held(until: float | None = None) -> History:
    """Imported on day 0, Ana has it from day 1."""
    return History().imported(0).given(1, until)


VALID, GONE, COULD, NOT_READABLE = Verdict.VALID, Verdict.GONE, Verdict.COULD, Verdict.NOT_READABLE

HISTORIES = [
    ("shown: still valid", held().shown(2), VALID),
    ("copied, never shown: still valid", held().copied(2), VALID),
    ("shown, rotated and verified: no longer valid", held().shown(2).rotated(3), GONE),
    ("shown after the rotation: still valid", held().rotated(2).shown(3), VALID),
    ("shown before and after the rotation: still valid", held().shown(2).rotated(3).shown(4), VALID),
    ("shown, rotation refused: still valid", held().shown(2).sent(3).refused(3.1), VALID),
    ("shown, five candidates refused: still valid", held().shown(2).sent(3).refused(3).sent(4).refused(4), VALID),
    ("shown, rotation unverified: still valid", held().shown(2).sent(3), VALID),
    ("shown, rotation unverified and later proven: no longer valid", held().shown(2).sent(3).proven(4), GONE),
    ("both shown while unverified, the new one proven: still valid", held().sent(2).shown(3).proven(4), VALID),
    ("both shown while unverified, the new one refused: still valid", held().sent(2).shown(3).refused(4), VALID),
    (
        "only the refused one seen: it never was valid",
        held().sent(2).shown(2.5, number=2).refused(3).rotated(4),
        GONE,
    ),
    (
        "the refused one seen, and entered by hand afterwards: valid after all",
        held().sent(2, "B").shown(2.5, number=2).refused(3).imported(4, "B"),
        VALID,
    ),
    (
        "seen on its way, read back as not arrived: it will be sent again, so valid",
        held().sent(2).shown(3, number=2).had_not_happened(),
        VALID,
    ),
    ("shown, then changed outside Latchkey: doubtful still counts as valid", held().shown(2).doubted(), VALID),
    ("shown, changed outside, taken back by rotating: no longer valid", held().shown(2).doubted().rotated(4), GONE),
    (
        "rotated back to an old value by hand: valid again",
        History().imported(0, "A").given(1).shown(2).rotated(3).imported(5, "A"),
        VALID,
    ),
    (
        "rotated back to an old value and away again: no longer valid",
        History().imported(0, "A").given(1).shown(2).rotated(3).imported(5, "A").rotated(6),
        GONE,
    ),
    ("shown, another one entered by hand and not proven: still valid", held().shown(2).imported(3, "second"), VALID),
    (
        "shown, the same one entered by hand: still valid",
        History().imported(0, "A").given(1).shown(2).imported(3, "A"),
        VALID,
    ),
    (
        "shown, entered by hand, then rotated and verified: no longer valid",
        held().shown(2).imported(3, "second").rotated(4),
        GONE,
    ),
    ("person left, password not rotated: still valid", held().shown(2).leaves(5), VALID),
    ("person left, password rotated afterwards: no longer valid", held().shown(2).leaves(5).rotated(6), GONE),
    ("copied before, reassigned after: still valid", held(until=5).copied(2).given(8), VALID),
    (
        "copied before, rotated meanwhile, reassigned after: no longer valid",
        held(until=5).copied(2).rotated(6).given(8),
        GONE,
    ),
    ("assigned and never fetched: could have seen", held(), COULD),
    ("assignment ended, never fetched, not rotated: could have seen", held(until=5), COULD),
    ("assignment ended, never fetched, rotated: not readable", held(until=5).rotated(6), NOT_READABLE),
    (
        "assignment ended, never fetched, another one entered by hand: could have seen",
        held(until=5).imported(6, "second"),
        COULD,
    ),
    (
        "never fetched, assignment ended, rotated back to that value by hand: could have seen",
        History().imported(0, "A").given(1, 5).rotated(6).imported(7, "A"),
        COULD,
    ),
    ("assigned while nothing was stored: not readable", History().given(1, 5).imported(6), NOT_READABLE),
    ("assigned, only a candidate that was never sent: not readable", History().given(1).prepared(2), NOT_READABLE),
    ("assigned while the only version is unverified: could have seen", History().given(1).sent(2), COULD),
    ("left before the end of the assignment: what came after was not readable",
     History().imported(0).given(1, 50).leaves(5).rotated(6), NOT_READABLE),
    ("entered without an assignment: still valid", History().imported(0).shown(0, who="Ana", how="entered"), VALID),
]  # fmt: skip


class EveryHistory:
    @pytest.mark.parametrize(("history", "verdict"), [h[1:] for h in HISTORIES], ids=[h[0] for h in HISTORIES])
    def test_has_one_verdict(self, history: History, verdict: Verdict):
        assert history.of().verdict == verdict


MUST_CHANGE = [
    ("nobody lost access", held().shown(2), None),
    ("left, knowing it", held().shown(2).leaves(5), 5),
    ("left, never fetched it", held().leaves(5), None),
    ("left, rotation refused", held().shown(2).leaves(5).sent(6).refused(7), 5),
    ("left, rotation unverified", held().shown(2).leaves(5).sent(6), 5),
    ("left, rotation proven", held().shown(2).leaves(5).sent(6).proven(7), None),
    ("left, another one entered by hand", held().shown(2).leaves(5).imported(6, "second"), 5),
    ("left, the same one entered by hand", History().imported(0, "A").given(1).shown(2).leaves(5).imported(6, "A"), 5),
    ("left, changed outside Latchkey", held().shown(2).leaves(5).doubted(), 5),
    (
        "left, rotated, and back to the value she knows",
        History().imported(0, "A").given(1).shown(2).leaves(5).rotated(6).imported(9, "A"),
        5,
    ),
    ("the assignment ended", held(until=5).shown(2), 5),
    ("the assignment ended before the password was seen anew", held(until=5).shown(2).rotated(6).given(8).shown(9),
     None),
    ("reassigned, which undoes nothing", held(until=5).shown(2).given(8), 5),
    ("prolonged without a gap", held(until=5).shown(2).given(5), None),
    ("the assignment is still to end", held(until=500).shown(2), None),
    ("left long after the assignment ended", held(until=5).shown(2).leaves(9), 5),
    ("entered it without an assignment, and left", History().imported(0).shown(0, how="entered").leaves(5), 5),
]  # fmt: skip


class EveryLossOfAccess:
    @pytest.mark.parametrize(("history", "since"), [h[1:] for h in MUST_CHANGE], ids=[h[0] for h in MUST_CHANGE])
    def test_says_since_when_the_password_must_change(self, history: History, since: float | None):
        assert must_change_since(history.known()) == (day(since) if since is not None else None)


class WhenSeveralPeopleKnowIt:
    def test_the_worst_comes_first(self):
        history = held().given(1, who="Ben").given(1, who="Cid").given(1, who="Dee").shown(2, who="Cid").rotated(3)
        history.shown(4, who="Ben").leaves(2, who="Dee")
        assert [(k.person, k.verdict) for k in history.known()] == [
            ("Ben", VALID), ("Cid", GONE), ("Ana", COULD), ("Dee", NOT_READABLE),
        ]  # fmt: skip

    def test_one_who_saw_the_old_one_is_told_apart_from_one_who_may_also_fetch_the_new_one(self):
        history = held(until=2.5).given(1, who="Ben").shown(2).shown(2, who="Ben").rotated(3)
        assert history.of("Ana").could_have_seen == ()
        assert [v.number for v in history.of("Ben").could_have_seen] == [2]
        assert history.of("Ben").verdict == history.of("Ana").verdict == GONE

    def test_what_was_seen_is_told_in_time_order_with_what_may_sign_in(self):
        seen = held().rotated(2).shown(5).shown(3, number=1).of().seen
        assert [(one.version.number, one.may_sign_in) for one in seen] == [(1, False), (2, True)]

    def test_an_assignment_to_come_lets_nobody_read_anything(self):
        assert History().imported(0).given(200).known() == []
