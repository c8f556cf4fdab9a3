"""Decisions of a take-over: which unknown method gives up its place, and what is removed at the end.

Facts in, plan out. No database, no network, no clock.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from msp.microsoft.methods import PHONE_IDS, PLACES
from msp.microsoft.ports import SLOT_KINDS, SLOTS_PER_ACCOUNT, MethodKind
from tenants.plans import (
    PlannedStep,
    PlannedTarget,
    StepKind,
    break_glass,
    last_way_in,
    leaves_a_way_in,
    steps_for_account,
    steps_for_removal,
)


@dataclass(frozen=True)
class UnknownMethod:
    """A present method that is bound to nobody.

    `lets_in` is False for what is no way in for good (e-mail, a pass). `used_at` is the newest sign-in that named it
    within the days that were looked at, None when none did or nobody could look.
    """

    id: Any
    kind: MethodKind
    words: str
    label: str
    directory_id: str
    first_seen_at: dt.datetime
    lets_in: bool = True
    used_at: dt.datetime | None = None

    @property
    def takes_a_place(self) -> bool:
        return self.kind in SLOT_KINDS

    @property
    def can_be_removed(self) -> bool:
        """Some kinds have no way to be removed by an application (`msp.microsoft.methods`)."""
        return bool((place := PLACES.get(self.kind)) and place.version)


@dataclass(frozen=True)
class Concerned:
    """Somebody who holds the account now. `has_way_in`: a method of theirs that lets them in is on it."""

    id: Any
    name: str
    has_way_in: bool
    excused: bool = False

    @property
    def waits(self) -> bool:
        return not self.has_way_in and not self.excused


@dataclass(frozen=True)
class AccountFacts:
    """One account of a take-over as it was read last.

    `enrolling` names those who are enrolling on it right now. `ways_in` are the bound methods of those who hold it,
    `present` every present method of a person, and `places_taken` how many of them take one of the five places.
    """

    id: Any
    name: str
    tenant_id: Any
    tenant: str
    break_glass: bool
    was_read: bool
    unknown: tuple[UnknownMethod, ...]
    people: tuple[Concerned, ...]
    ways_in: frozenset[Any]
    present: frozenset[Any]
    places_taken: int
    enrolling: tuple[str, ...] = ()

    @property
    def is_full(self) -> bool:
        return self.places_taken >= SLOTS_PER_ACCOUNT

    @property
    def waiting(self) -> list[Concerned]:
        return [person for person in self.people if person.waits]


# --- one place of five --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Candidate:
    """An unknown method, and in words why it goes at this point or why it does not go at all."""

    method: UnknownMethod
    why: str


@dataclass(frozen=True)
class PlacePlan:
    """Who gives up a place: the first of `candidates`. `hold` says why nothing is removed at all, "" when it is."""

    candidates: tuple[Candidate, ...]
    passed_over: tuple[Candidate, ...]
    hold: str = ""

    @property
    def goes(self) -> Candidate | None:
        return None if self.hold or not self.candidates else self.candidates[0]


def plan_place(facts: AccountFacts) -> PlacePlan:
    """Which unknown method goes first, so that somebody can enrol on a full account.

    Never one that is bound, that somebody used lately, or that is the last way in. Of the others: an older
    registration under a label that is there again; then push; then whatever has been there longest.
    """
    places = [method for method in facts.unknown if method.takes_a_place]
    passed_over = [Candidate(method, why) for method in places if (why := _why_it_stays(facts, method))]
    stay = {candidate.method.id for candidate in passed_over}
    newest = _newest_under_each_label(places)
    going = sorted(
        (method for method in places if method.id not in stay),
        key=lambda method: (
            not _is_older_twin(method, newest),
            method.kind != MethodKind.MICROSOFT_AUTHENTICATOR,
            method.first_seen_at,
            str(method.id),
        ),
    )
    oldest = min((method.first_seen_at for method in going), default=None)
    candidates = tuple(Candidate(method, _why_it_goes(method, newest, oldest)) for method in going)
    return PlacePlan(candidates, tuple(passed_over), _why_no_place(facts, candidates))


def _why_it_stays(facts: AccountFacts, method: UnknownMethod) -> str:
    if method.used_at is not None:
        return _("Somebody signed in with it on %(day)s.") % {"day": method.used_at.date().isoformat()}
    others = facts.ways_in | {other.id for other in facts.unknown if other.lets_in}
    if not leaves_a_way_in(ways_in=others, present=facts.present, going={method.id}):
        return _("It may be the last way in.")
    return ""


def _newest_under_each_label(methods: Iterable[UnknownMethod]) -> dict[tuple[MethodKind, str], UnknownMethod]:
    newest: dict[tuple[MethodKind, str], UnknownMethod] = {}
    for method in sorted(methods, key=lambda method: (method.first_seen_at, str(method.id))):
        if method.label:
            newest[method.kind, method.label.casefold()] = method
    return newest


def _is_older_twin(method: UnknownMethod, newest: dict[tuple[MethodKind, str], UnknownMethod]) -> bool:
    last = newest.get((method.kind, method.label.casefold()))
    return last is not None and last.id != method.id


def _why_it_goes(
    method: UnknownMethod, newest: dict[tuple[MethodKind, str], UnknownMethod], oldest: dt.datetime | None
) -> str:
    if _is_older_twin(method, newest):
        return _("The same label is there a second time and newer, so this looks like an earlier registration.")
    if method.kind == MethodKind.MICROSOFT_AUTHENTICATOR:
        return _("It is push, which has no place on a shared account: whoever taps first lets the request in.")
    day = {"day": method.first_seen_at.date().isoformat()}
    if method.first_seen_at == oldest:
        return _("It has been there longest: since %(day)s at the latest.") % day
    return _("It has been there since %(day)s at the latest.") % day


def _why_no_place(facts: AccountFacts, candidates: Sequence[Candidate]) -> str:
    if facts.break_glass:
        return break_glass()
    if not facts.is_full:
        return _("A place is free already, so the next person can enrol right away. Nothing has to be removed.")
    if facts.enrolling:
        return _is_enrolling(facts)
    if not candidates:
        return _(
            "No unknown method may be removed here by the rule. Let somebody claim the one that is theirs, or end "
            "what is bound to somebody who does not need it any more."
        )
    return ""


# --- the end ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class AccountRemoval:
    """What happens on one account at the end. `hold` says why nothing does, "" when it does."""

    facts: AccountFacts
    steps: tuple[PlannedStep, ...]
    hold: str = ""

    @property
    def removals(self) -> list[UnknownMethod]:
        """What goes."""
        going = {step.method_id for step in self.steps if step.kind == StepKind.REMOVE_METHOD and not step.hold}
        return [method for method in self.facts.unknown if method.id in going]

    @property
    def by_hand(self) -> list[UnknownMethod]:
        """What only a person can remove."""
        stopped = {step.method_id for step in self.steps if step.kind == StepKind.REMOVE_METHOD and step.hold}
        return [method for method in self.facts.unknown if method.id in stopped]


@dataclass(frozen=True)
class RemovalPlan:
    """Every open account of a take-over."""

    accounts: tuple[AccountRemoval, ...]

    @property
    def targets(self) -> tuple[PlannedTarget, ...]:
        return tuple(PlannedTarget(a.facts.id, a.steps) for a in self.accounts if a.steps)

    @property
    def held(self) -> list[AccountRemoval]:
        return [account for account in self.accounts if account.hold]

    @property
    def at_the_end(self) -> list[AccountRemoval]:
        """Accounts on which nothing unknown is left and nobody waits: they are closed without a run."""
        return [account for account in self.accounts if not account.hold and not account.steps]

    @property
    def methods(self) -> int:
        return sum(len(account.removals) for account in self.accounts)

    @property
    def changed(self) -> int:
        return len(self.targets)

    @property
    def tenants(self) -> int:
        return len({account.facts.tenant_id for account in self.accounts if account.steps})


def plan_removal(accounts: Iterable[AccountFacts], *, rotate: bool = False) -> RemovalPlan:
    """Remove what is still unknown, wherever everybody concerned has a way in of their own.

    With `rotate` the password changes too: whoever used a method that goes knows it.
    """
    return RemovalPlan(tuple(_removal(facts, rotate=rotate) for facts in _in_turns(accounts)))


def _removal(facts: AccountFacts, *, rotate: bool) -> AccountRemoval:
    if hold := _why_held(facts):
        return AccountRemoval(facts, (), hold)
    if not facts.unknown:
        return AccountRemoval(facts, ())
    # An alternate phone cannot exist without the mobile one (Graph reference, phoneAuthenticationMethod).
    ordered = sorted(facts.unknown, key=lambda method: PHONE_IDS.get(method.directory_id) == "mobile")
    removals = [
        PlannedStep(StepKind.REMOVE_METHOD, method.id, "" if method.can_be_removed else _only_by_hand(method))
        for method in ordered
    ]
    return AccountRemoval(facts, steps_for_account(removals) if rotate else steps_for_removal(removals))


def steps_for_a_place(method_id: Any) -> tuple[PlannedStep, ...]:
    """One method goes and that is read back. Sessions stay: the holder is somebody of the house."""
    return PlannedStep(StepKind.REMOVE_METHOD, method_id), PlannedStep(StepKind.PROVE)


def _why_held(facts: AccountFacts) -> str:
    if facts.break_glass:
        return break_glass()
    if not facts.was_read:
        return _("It was never read, so nobody knows what is on it. Read it first.")
    if facts.enrolling:
        return _is_enrolling(facts)
    if facts.waiting:
        names = get_text_list([person.name for person in facts.waiting], _("and"))
        return ngettext(
            "%(names)s has no way in yet, and may be using one of the unknown methods. Nothing is removed here.",
            "%(names)s have no way in yet, and may be using the unknown methods. Nothing is removed here.",
            len(facts.waiting),
        ) % {"names": names}
    going = {method.id for method in facts.unknown}
    if going and not leaves_a_way_in(ways_in=facts.ways_in, present=facts.present, going=going):
        return (
            last_way_in(password_changes=False)
            if facts.people
            else _("Nobody holds this account, so nobody would have a way in.")
        )
    return ""


def _is_enrolling(facts: AccountFacts) -> str:
    names = get_text_list(list(facts.enrolling), _("and"))
    return _("%(names)s: an enrolment is open here, and what appears must not be mistaken. Wait until it is over.") % {
        "names": names
    }


def _only_by_hand(method: UnknownMethod) -> str:
    return _(
        "No application can remove this kind (%(kind)s). Remove it in the Entra admin center, or accept the gap."
    ) % {"kind": method.words}


def _in_turns(accounts: Iterable[AccountFacts]) -> list[AccountFacts]:
    """Each tenant's first account before any tenant's second: method calls are throttled per tenant."""
    taken: defaultdict[Any, int] = defaultdict(int)
    rounds = []
    for place, facts in enumerate(sorted(accounts, key=lambda facts: (facts.tenant, facts.name))):
        rounds.append((taken[facts.tenant_id], place, facts))
        taken[facts.tenant_id] += 1
    return [facts for _round, _place, facts in sorted(rounds, key=lambda row: row[:2])]


# --- how far it is ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Progress:
    """People and accounts, counted by what is true now. `unknown` are methods."""

    people: int
    ready: int
    excused: int
    accounts: int
    closed: int
    unknown: int

    @property
    def waiting(self) -> int:
        return self.people - self.ready - self.excused

    @property
    def settled(self) -> int:
        return self.ready + self.excused


def progress_of(accounts: Iterable[AccountFacts], *, closed: int) -> Progress:
    """Each person counts once on each open account that they hold."""
    open_accounts = list(accounts)
    people = [person for facts in open_accounts for person in facts.people]
    count = Counter("ready" if person.has_way_in else "excused" if person.excused else "waits" for person in people)
    return Progress(
        people=len(people),
        ready=count["ready"],
        excused=count["excused"],
        accounts=len(open_accounts) + closed,
        closed=closed,
        unknown=sum(len(facts.unknown) for facts in open_accounts),
    )
