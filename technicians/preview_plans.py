"""What a departure would do, and what stands in its way: facts in, answers out. No database, network or clock."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.db.models import TextChoices
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from technicians.pace_plans import Expected, Pace, expected
from technicians.plans import AccountPlan, HeldMethod, Holding, Remaining
from tenants.plans import leaves_a_way_in


class Knows(TextChoices):
    """What the leavers know of a password; the worst of several leavers counts. The values are those of `Verdict`."""

    SEEN = "seen_valid", _lazy("Seen and still valid")
    COULD = "could_have_seen", _lazy("Could have seen")
    NOT_READABLE = "not_readable", _lazy("Not readable")


class Unread(TextChoices):
    """Why a password was not readable."""

    OLDER = "older", _lazy("saw an older one, which does not sign in any more")
    NEVER = "never", _lazy("never had access to it")
    NOT_HERE = "not_here", _lazy("nobody here knows one")


class Hindrance(TextChoices):
    """What was last observed of an account that keeps a run from doing all of its work there."""

    NO_CONNECTION = "no_connection", _lazy("No connection")
    GONE = "gone", _lazy("Not there when last looked")
    HANDS_OFF = "hands_off", _lazy("Not changed by Latchkey")
    GUIDED = "guided", _lazy("By hand")
    SYNCED = "synced", _lazy("Synced")
    DISABLED = "disabled", _lazy("Disabled")
    NEVER_READ = "never_read", _lazy("Never read")
    BREAK_GLASS = "break_glass", _lazy("Break-glass")


MEANS = {
    Hindrance.HANDS_OFF: _lazy(
        "Latchkey reads this tenant and changes nothing: the run offers a script that somebody there runs."
    ),
    Hindrance.GUIDED: _lazy("No directory answers there: a person does each step and states it."),
    Hindrance.SYNCED: _lazy(
        "The password belongs to a local directory, which alone can change it. "
        "Authenticators and sessions go all the same."
    ),
    Hindrance.DISABLED: _lazy(
        "Nobody can sign in now. The run does its work all the same, in case it is enabled again."
    ),
    Hindrance.NEVER_READ: _lazy("Nobody has looked yet: which authenticators are there is not known. Read it now."),
    Hindrance.BREAK_GLASS: _lazy("Automation never touches it: a person must change it by hand."),
}
"""What each one means; no connection and an account that is gone are told by what the directory said."""
NEEDS_A_PERSON = frozenset(
    {Hindrance.NO_CONNECTION, Hindrance.GONE, Hindrance.HANDS_OFF, Hindrance.GUIDED, Hindrance.BREAK_GLASS}
)
"""With one of these the run does nothing by itself on the account, so it is not in the expected time."""


@dataclass(frozen=True)
class Standing:
    """What is known of an account besides its plan, as last observed. `gone` and `connection_problem` are sentences.

    `hours` is how soon the access must be gone, `unknown_methods` how many methods there are bound to nobody.
    """

    object_id: str = ""
    customer: str = ""
    account_class: str = ""
    hours: int = 24
    observed_at: dt.datetime | None = None
    enabled: bool = True
    synced: bool = False
    gone: str = ""
    connection_problem: str = ""
    hands_off: bool = False
    guided: str = ""
    knows: Knows = Knows.NOT_READABLE
    unread: Unread = Unread.NEVER
    unknown_methods: int = 0


@dataclass(frozen=True)
class Hindered:
    """One hindrance, with what it means here."""

    kind: Hindrance
    means: str


@dataclass(frozen=True)
class Lift:
    """What somebody can do so that a guard does not hold; `person_id` is who would have to enrol."""

    words: str
    person_id: Any = None


@dataclass(frozen=True)
class AccountPreview:
    """One account: what will happen there, and what is known of it."""

    plan: AccountPlan
    standing: Standing

    @property
    def holding(self) -> Holding:
        return self.plan.holding

    @property
    def holds(self) -> list[str]:
        return self.plan.holds

    @property
    def removals(self) -> list[HeldMethod]:
        return self.plan.removals

    @property
    def rotates(self) -> bool:
        return self.plan.rotates and not self.standing.synced

    @cached_property
    def hindrances(self) -> list[Hindered]:
        return hindrances_of(self.standing, break_glass=self.holding.break_glass)

    @property
    def not_enrolled(self) -> list[Remaining]:
        return [person for person in self.holding.remaining if not person.has_method]

    @property
    def is_last_way_in(self) -> bool:
        """The guard keeps the authenticators, because nobody who stays has one."""
        held, going = self.holding, {method.id for method in self.holding.methods}
        if held.break_glass or not going or not self.holds:
            return False
        return not leaves_a_way_in(ways_in=held.ways_in, present=held.present, going=going)

    @property
    def lifts(self) -> list[Lift]:
        return lifts_of(self)

    @property
    def by_itself(self) -> bool:
        """The run works here without a person."""
        return any(not step.hold for step in self.plan.steps) and not (
            NEEDS_A_PERSON & {hindered.kind for hindered in self.hindrances}
        )


def hindrances_of(standing: Standing, *, break_glass: bool) -> list[Hindered]:
    """The gravest first."""
    there = {
        Hindrance.NO_CONNECTION: bool(standing.connection_problem),
        Hindrance.GONE: bool(standing.gone),
        Hindrance.HANDS_OFF: standing.hands_off,
        Hindrance.GUIDED: bool(standing.guided),
        Hindrance.SYNCED: standing.synced,
        Hindrance.DISABLED: not standing.enabled,
        Hindrance.NEVER_READ: standing.observed_at is None and not standing.guided,
        Hindrance.BREAK_GLASS: break_glass,
    }
    said = {Hindrance.NO_CONNECTION: standing.connection_problem, Hindrance.GONE: standing.gone}
    return [Hindered(kind, said.get(kind) or str(MEANS[kind])) for kind, is_so in there.items() if is_so]


def lifts_of(account: AccountPreview) -> list[Lift]:
    """What would lift the guard, by name; nothing where no guard holds."""
    if not account.holds:
        return []
    upn = account.holding.account
    if account.holding.break_glass:
        return [Lift(_("Change %(account)s by hand, then accept the gap in the run.") % {"account": upn})]
    if not account.is_last_way_in:
        return []
    if not account.not_enrolled:
        return [
            Lift(
                _("Nobody else holds it: assign %(account)s to somebody who stays, and enrol them.") % {"account": upn}
            )
        ]
    return [
        Lift(_("Enrol %(name)s on %(account)s.") % {"name": person.name, "account": upn}, person.id)
        for person in account.not_enrolled
    ]


@dataclass(frozen=True)
class ToEnrol:
    """Somebody who stays without an authenticator: on how many accounts, and on how many that would lift the guard."""

    person_id: Any
    name: str
    accounts: int
    lifts: int


@dataclass(frozen=True)
class Preview:
    """The whole of it, in the order of work."""

    accounts: tuple[AccountPreview, ...]
    pace: Pace = field(default_factory=Pace)

    @cached_property
    def tenants(self) -> int:
        return len({account.holding.tenant_id for account in self.accounts})

    @cached_property
    def methods_to_go(self) -> int:
        return sum(len(account.removals) for account in self.accounts)

    @cached_property
    def passwords_to_rotate(self) -> int:
        return sum(account.rotates for account in self.accounts)

    @cached_property
    def held_back(self) -> int:
        return sum(bool(account.holds) for account in self.accounts)

    @cached_property
    def hindered(self) -> int:
        return sum(bool(account.hindrances) for account in self.accounts)

    @cached_property
    def without_colleague(self) -> int:
        """Accounts on which somebody who stays has not enrolled yet, or on which nobody stays."""
        return sum(FILTERS["enrol"](account) for account in self.accounts)

    @cached_property
    def knowledge(self) -> dict[Knows, int]:
        found = Counter(account.standing.knows for account in self.accounts)
        return {group: found[group] for group in Knows}

    @cached_property
    def unread(self) -> dict[Unread, int]:
        """Why the passwords of the third group were not readable."""
        found = Counter(a.standing.unread for a in self.accounts if a.standing.knows == Knows.NOT_READABLE)
        return {why: found[why] for why in Unread if found[why]}

    @cached_property
    def hindrances(self) -> dict[Hindrance, int]:
        found = Counter(hindered.kind for account in self.accounts for hindered in account.hindrances)
        return {kind: found[kind] for kind in Hindrance if found[kind]}

    @cached_property
    def deadlines(self) -> dict[int, int]:
        """Hours -> accounts, the shortest first."""
        return dict(sorted(Counter(account.standing.hours for account in self.accounts).items()))

    @cached_property
    def for_a_person(self) -> int:
        return sum(not account.by_itself for account in self.accounts)

    @cached_property
    def expected(self) -> Expected:
        return expected([account.plan for account in self.accounts if account.by_itself], self.pace)

    @cached_property
    def to_enrol(self) -> list[ToEnrol]:
        """Whoever lifts most guards first."""
        names, accounts, lifts = {}, Counter[Any](), Counter[Any]()
        for account in self.accounts:
            for person in account.not_enrolled:
                names[person.id] = person.name
                accounts[person.id] += 1
                lifts[person.id] += account.is_last_way_in
        found = [ToEnrol(pk, name, accounts[pk], lifts[pk]) for pk, name in names.items()]
        return sorted(found, key=lambda one: (-one.lifts, -one.accounts, one.name))

    @cached_property
    def nobody_stays(self) -> int:
        """Accounts that nobody holds once the leavers are gone."""
        return sum(not account.holding.remaining for account in self.accounts)


FILTERS: dict[str, Callable[[AccountPreview], bool]] = {
    "held": lambda account: bool(account.holds),
    "hindered": lambda account: bool(account.hindrances),
    "seen": lambda account: account.standing.knows == Knows.SEEN,
    "could": lambda account: account.standing.knows == Knows.COULD,
    "unread": lambda account: account.standing.knows == Knows.NOT_READABLE,
    "enrol": lambda account: bool(account.not_enrolled) or not account.holding.remaining,
}
"""What the list can be narrowed to, by the word in the address."""


def shown(preview: Preview, *, only: str = "", words: str = "") -> list[AccountPreview]:
    """The accounts that one of FILTERS lets through and that have every word in account, tenant or customer."""
    wanted = words.lower().split()
    lets_through = FILTERS.get(only)
    return [
        account
        for account in preview.accounts
        if (lets_through is None or lets_through(account)) and all(word in _text_of(account) for word in wanted)
    ]


def _text_of(account: AccountPreview) -> str:
    return f"{account.holding.account} {account.holding.tenant} {account.standing.customer}".lower()


def worst_known(of_leavers: Iterable[tuple[Knows, Unread]]) -> tuple[Knows, Unread]:
    """What several leavers know together. Without any, nobody ever had access."""
    found: defaultdict[Knows, list[Unread]] = defaultdict(list)
    for knows, unread in of_leavers:
        found[knows].append(unread)
    group = next((knows for knows in Knows if knows in found), Knows.NOT_READABLE)
    return group, next((why for why in Unread if why in found[group]), Unread.NEVER)
