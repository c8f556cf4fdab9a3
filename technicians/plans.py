"""What a departure needs: facts in, plan out. No database, no network, no clock."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tenants.plans import (
    PlannedStep,
    PlannedTarget,
    StepKind,
    break_glass,
    hands_off,
    held_acts,
    last_way_in,
    leaves_a_way_in,
    steps_for_account,
)


@dataclass(frozen=True)
class HeldMethod:
    """A present method that is bound to the leaver.

    `goes_last` marks a mobile phone: an alternate phone cannot exist without it (Graph reference,
    phoneAuthenticationMethod), so that one has to go before.
    """

    id: Any
    kind: str
    label: str
    since: dt.datetime
    goes_last: bool = False


@dataclass(frozen=True)
class Remaining:
    """Somebody who stays on the account, and whether a working method of theirs is on it."""

    name: str
    has_method: bool
    id: Any = None


@dataclass(frozen=True)
class Holding:
    """One shared account that the leaver could enter or whose password the leaver may know.

    `ways_in` are the present methods of those who stay, `present` every present method of the account.
    With `hands_off` Latchkey changes nothing there: a person runs a script.
    """

    account_id: Any
    account: str
    tenant_id: Any
    tenant: str
    break_glass: bool
    methods: tuple[HeldMethod, ...]
    saw_current_password: bool
    remaining: tuple[Remaining, ...]
    ways_in: frozenset[Any]
    present: frozenset[Any]
    hands_off: bool = False


@dataclass(frozen=True)
class AccountPlan:
    """What will happen on one account; `holds` are the guard's reasons, in words, for what will not."""

    holding: Holding
    steps: tuple[PlannedStep, ...]

    @property
    def holds(self) -> list[str]:
        return sorted({step.hold for step in self.steps if step.hold})

    @property
    def removals(self) -> list[HeldMethod]:
        going = {s.method_id for s in self.steps if s.kind == StepKind.REMOVE_METHOD and not s.hold}
        return [m for m in self.holding.methods if m.id in going]

    @property
    def rotates(self) -> bool:
        return any(s.kind == StepKind.ROTATE_PASSWORD and not s.hold for s in self.steps)


@dataclass(frozen=True)
class DeparturePlan:
    """Every account of the departure, in the order in which work begins."""

    accounts: tuple[AccountPlan, ...]

    @property
    def targets(self) -> tuple[PlannedTarget, ...]:
        return tuple(PlannedTarget(a.holding.account_id, a.steps) for a in self.accounts)

    @property
    def tenants(self) -> int:
        return len({a.holding.tenant_id for a in self.accounts})

    @property
    def methods_to_go(self) -> int:
        return sum(len(a.removals) for a in self.accounts)

    @property
    def passwords_to_rotate(self) -> int:
        return sum(a.rotates for a in self.accounts)

    @property
    def held_back(self) -> int:
        return sum(bool(a.holds) for a in self.accounts)


def plan_departure(holdings: Iterable[Holding], tries: Sequence[StepKind] = ()) -> DeparturePlan:
    """Cut access first where the leaver can still get in, spread over the tenants.

    `tries` is the negative proof that the policy asks for (`tenants.departure_policy_queries.tries_asked_by`).
    """
    return DeparturePlan(tuple(AccountPlan(h, _steps(h, tries)) for h in in_order_of_urgency(holdings)))


def plan_departures(
    holdings_by_leaver: Mapping[Any, Iterable[Holding]], tries: Sequence[StepKind] = ()
) -> DeparturePlan:
    """Several leave at once: one plan, in which each account comes once and nobody who leaves counts as staying."""
    return plan_departure(merged(holdings_by_leaver.values()), tries)


def merged(holdings_of_each: Iterable[Iterable[Holding]]) -> list[Holding]:
    """The accounts of all leavers, each once, with the methods of all of them on it.

    A leaver who is still counted as staying in a colleague's holding has a holding of their own on that account, in
    which they are not: so what all holdings of an account agree on is what stays.
    """
    of_account: dict[Any, Holding] = {}
    for holding in (each for holdings in holdings_of_each for each in holdings):
        known = of_account.get(holding.account_id)
        of_account[holding.account_id] = _both(known, holding) if known else holding
    return list(of_account.values())


def _both(one: Holding, other: Holding) -> Holding:
    stay = Counter(one.remaining) & Counter(other.remaining)
    there = {method.id for method in one.methods}
    return replace(
        one,
        methods=(*one.methods, *(method for method in other.methods if method.id not in there)),
        saw_current_password=one.saw_current_password or other.saw_current_password,
        remaining=tuple(stay.elements()),
        ways_in=one.ways_in & other.ways_in,
    )


def in_order_of_urgency(holdings: Iterable[Holding]) -> list[Holding]:
    """First where the person can still get in, spread over the tenants."""
    return spread_over_tenants(sorted(holdings, key=_urgency))


def _urgency(holding: Holding) -> tuple[bool, bool, bool, str, str]:
    """Both the current password seen and a method there is the open door; then either of them."""
    seen, method = holding.saw_current_password, bool(holding.methods)
    return (not (seen and method), not seen, not method, holding.tenant, holding.account)


def spread_over_tenants(holdings: Sequence[Holding]) -> list[Holding]:
    """Keep the order of urgency, but take each tenant's first account before any tenant's second.

    Method calls are throttled per tenant, so neighbours of one tenant would wait for each other.
    """
    taken: defaultdict[Any, int] = defaultdict(int)
    rounds = []
    for place, holding in enumerate(holdings):
        rounds.append((taken[holding.tenant_id], place, holding))
        taken[holding.tenant_id] += 1
    return [holding for _round, _place, holding in sorted(rounds, key=lambda r: r[:2])]


def _steps(holding: Holding, tries: Sequence[StepKind]) -> tuple[PlannedStep, ...]:
    if holding.break_glass:
        removals = [PlannedStep(StepKind.REMOVE_METHOD, m.id) for m in holding.methods]
        return steps_for_account(removals, hold=break_glass(), tries=tries)
    safe = leaves_a_way_in(ways_in=holding.ways_in, present=holding.present, going={m.id for m in holding.methods})
    reason = "" if safe else last_way_in()
    removals = [
        PlannedStep(StepKind.REMOVE_METHOD, m.id, reason) for m in sorted(holding.methods, key=lambda m: m.goes_last)
    ]
    steps = steps_for_account(removals, tries=tries)
    return held_acts(steps, hands_off()) if holding.hands_off else steps


CALLS_PER_TEN_SECONDS = 5
"""Per app and tenant (learn.microsoft.com throttling-limits). Assumption: `/authentication/*` is under it."""
REQUESTS_PER_ACCOUNT = 3
SECONDS_PER_REQUEST = 0.4
REQUESTS_AT_ONCE = 64


def expected_seconds(plan: DeparturePlan) -> int:
    """How long the run will take if nothing is refused and nobody is slow.

    Each account takes three requests: one reads, one acts, one reads back.
    Assumption: 0.4 s a request, two readings and one removal each count as method calls, 64 requests at once.
    """
    calls_of_tenant: defaultdict[Any, int] = defaultdict(int)
    for account in plan.accounts:
        calls_of_tenant[account.holding.tenant_id] += 2 + len(account.removals)
    throttled = max((calls - CALLS_PER_TEN_SECONDS for calls in calls_of_tenant.values()), default=0)
    requests = REQUESTS_PER_ACCOUNT * len(plan.accounts)
    return round(max(0, throttled) * 10 / CALLS_PER_TEN_SECONDS + requests * SECONDS_PER_REQUEST / REQUESTS_AT_ONCE + 5)
