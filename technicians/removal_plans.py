"""Somebody stays, or comes back, and their methods go: facts in, plan out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from typing import Any

from technicians.plans import AccountPlan, DeparturePlan, HeldMethod, Holding, in_order_of_urgency
from tenants.plans import (
    PlannedStep,
    StepKind,
    break_glass,
    last_way_in,
    leaves_a_way_in,
    steps_for_account,
    steps_for_removal,
)


def plan_removal(holdings: Iterable[Holding], *, change_passwords: bool = False) -> DeparturePlan:
    """Take the methods away; with `change_passwords` also change each password in force that the person has seen.

    An account on which there is neither is not concerned.
    """
    concerned = [h for h in holdings if h.methods or (change_passwords and h.saw_current_password)]
    ordered = in_order_of_urgency(concerned)
    return DeparturePlan(tuple(AccountPlan(h, _steps(h, change_passwords)) for h in ordered))


def only_methods(holdings: Iterable[Holding], keeps: Callable[[HeldMethod], bool]) -> list[Holding]:
    """The same accounts, with those of the person's methods that are to go."""
    return [replace(h, methods=tuple(m for m in h.methods if keeps(m))) for h in holdings]


def without(holdings: Iterable[Holding], methods: Collection[Any]) -> list[Holding]:
    """Leave out methods, by id, that are on their way out already."""
    return only_methods(holdings, lambda method: method.id not in methods)


def _steps(holding: Holding, change_passwords: bool) -> tuple[PlannedStep, ...]:
    rotates = change_passwords and holding.saw_current_password
    steps_for = steps_for_account if rotates else steps_for_removal
    if holding.break_glass:
        return steps_for([PlannedStep(StepKind.REMOVE_METHOD, m.id) for m in holding.methods], hold=break_glass())
    going = {m.id for m in holding.methods}
    safe = leaves_a_way_in(ways_in=holding.ways_in, present=holding.present, going=going)
    hold = "" if safe else last_way_in(password_changes=rotates)
    ordered = sorted(holding.methods, key=lambda m: m.goes_last)
    return steps_for([PlannedStep(StepKind.REMOVE_METHOD, m.id, hold) for m in ordered])
