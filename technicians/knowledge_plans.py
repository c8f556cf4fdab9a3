"""Who knows a shared password: what happened in time order in, one verdict per person out.

No database, no network, no clock. The laws:

* A value may sign in from the moment it comes into force until another value is *proven* to have taken its place.
  What a person merely typed in or a file said proves nothing, so the value before it may sign in still.
* A value that was sent and is not proven may sign in too; one that the directory refused never did.
* Two versions with the same value are one value: whoever saw the first knows the second.
* Losing access while knowing a value that may sign in is remembered until that value is proven gone. Getting the
  access back does not undo it.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What one person knows of one password. The worst comes first."""

    VALID = "seen_valid"
    GONE = "seen_gone"
    COULD = "could_have_seen"
    NOT_READABLE = "not_readable"


ON_THE_WAY = frozenset({"candidate", "unverified"})
NOT_SENT = "candidate"


@dataclass(frozen=True)
class Version:
    """One version of the password. `value` is the same for versions with the same value; times are UTC.

    `stored_at` is when it could be read first, `ended_at` when it was retired or refused. `in_force_from` is None for
    one that never came into force as far as is known. `proven`: read back at the directory, or signed in with.
    """

    id: Hashable
    number: int
    status: str
    value: Hashable
    stored_at: dt.datetime
    in_force_from: dt.datetime | None = None
    ended_at: dt.datetime | None = None
    proven: bool = True


@dataclass(frozen=True)
class Sighting:
    """A version reached a person, once or several `times` in the same way: `at` is the first time, `reason` the last.

    `how`: `shown`, `copied`, `handed_over`, `exported`, `imported`, `entered`, `corrected`, or `opened` by a link.
    """

    person: Hashable
    version: Hashable
    at: dt.datetime
    how: str = "shown"
    reason: str = ""
    last_at: dt.datetime | None = None
    times: int = 1


@dataclass(frozen=True)
class Access:
    """A person may fetch the password from a moment until another; None: no end is set."""

    person: Hashable
    from_at: dt.datetime
    until_at: dt.datetime | None = None


@dataclass(frozen=True)
class Facts:
    """Everything about one account. `left` says who left the reseller, and when."""

    versions: Sequence[Version]
    sightings: Sequence[Sighting] = ()
    accesses: Sequence[Access] = ()
    left: Sequence[tuple[Hashable, dt.datetime]] = ()


@dataclass(frozen=True)
class Seen:
    """One sighting of one person, and whether the value may sign in now."""

    version: Version
    sighting: Sighting
    may_sign_in: bool


@dataclass(frozen=True)
class Knowledge:
    """What one person knows. `seen` is in time order.

    `could_have_seen` are the versions that may sign in now, were readable to the person and never fetched.
    `lost_access_at` is since when somebody knows a value that may sign in and has lost access: the password must
    change. None when that is not so.
    """

    person: Hashable
    verdict: Verdict
    seen: tuple[Seen, ...] = ()
    could_have_seen: tuple[Version, ...] = ()
    lost_access_at: dt.datetime | None = None


def who_knows(facts: Facts, *, now: dt.datetime) -> list[Knowledge]:
    """One row for everybody who saw a version or had access at some time; the worst verdict first."""
    seen: defaultdict[Hashable, list[Sighting]] = defaultdict(list)
    for sighting in sorted(facts.sightings, key=lambda s: s.at):
        seen[sighting.person].append(sighting)
    left, stays = dict(facts.left), _stays(facts, now)
    valid = values_that_may_sign_in(facts.versions)
    found = [
        _of_one(person, facts.versions, seen[person], stays[person], left.get(person), valid, now)
        for person in dict.fromkeys([*seen, *stays])
    ]
    return sorted(found, key=lambda knowledge: list(Verdict).index(knowledge.verdict))


def must_change_since(knowledge: Iterable[Knowledge]) -> dt.datetime | None:
    """Since when somebody who lost access knows a value that may sign in; None when nobody does."""
    return min((k.lost_access_at for k in knowledge if k.lost_access_at), default=None)


def values_that_may_sign_in(versions: Iterable[Version]) -> frozenset[Hashable]:
    """Walk through the versions as they came into force; only a proven one ends those before it."""
    versions = list(versions)
    may: set[Hashable] = set()
    came = [(v.in_force_from, v.number, v) for v in versions if v.in_force_from is not None]
    for _at, _number, version in sorted(came, key=lambda c: c[:2]):
        if version.proven:
            may.clear()
        may.add(version.value)
    return frozenset(may | {v.value for v in versions if v.status in ON_THE_WAY})


Stay = tuple[dt.datetime, dt.datetime | None]
"""A stretch of time with access, from and until; None: it goes on."""


def _of_one(
    person: Hashable,
    versions: Sequence[Version],
    sightings: Sequence[Sighting],
    stays: Sequence[Stay],
    left_at: dt.datetime | None,
    valid: frozenset[Hashable],
    now: dt.datetime,
) -> Knowledge:
    by_id = {version.id: version for version in versions}
    seen = tuple(Seen(v, s, v.value in valid) for s in sightings if (v := by_id.get(s.version)) is not None)
    known = {one.version.value for one in seen}
    could = tuple(v for v in versions if v.value in valid - known and _was_readable(v, stays, now))
    if any(one.may_sign_in for one in seen):
        verdict = Verdict.VALID
    elif seen:
        verdict = Verdict.GONE
    else:
        verdict = Verdict.COULD if could else Verdict.NOT_READABLE
    # Whoever saw the password without an assignment, such as its importer, loses access by leaving.
    losses = [end for end in (*(until_at for _from, until_at in stays), left_at) if end is not None]
    return Knowledge(person, verdict, seen, could, _lost_access_at(seen, losses))


def _was_readable(version: Version, stays: Sequence[Stay], now: dt.datetime) -> bool:
    """A candidate that was not sent is shown to nobody."""
    if version.status == NOT_SENT:
        return False
    gone = version.ended_at or now
    return any(from_at < gone and version.stored_at < (until_at or now) for from_at, until_at in stays)


def _lost_access_at(seen: Iterable[Seen], losses: Iterable[dt.datetime]) -> dt.datetime | None:
    """The first loss after the first sighting of a value that may sign in now."""
    since = min((one.sighting.at for one in seen if one.may_sign_in), default=None)
    return None if since is None else min((at for at in losses if at >= since), default=None)


def _stays(facts: Facts, now: dt.datetime) -> defaultdict[Hashable, list[Stay]]:
    """When each person had access until now. What follows without a gap is one stay; an end to come is no end."""
    left = dict(facts.left)
    found: defaultdict[Hashable, list[Stay]] = defaultdict(list)
    for access in sorted(facts.accesses, key=lambda a: a.from_at):
        until_at = min((end for end in (access.until_at, left.get(access.person)) if end is not None), default=None)
        if access.from_at > now or (until_at is not None and until_at <= access.from_at):
            continue
        if until_at is not None and until_at > now:
            until_at = None
        mine = found[access.person]
        if mine and mine[-1][1] == access.from_at:
            mine[-1] = (mine[-1][0], until_at)
        else:
            mine.append((access.from_at, until_at))
    return found
