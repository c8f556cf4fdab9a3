"""A customer goes: what happens on each account. Facts in, plan out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from technicians.plans import AccountPlan, DeparturePlan, Holding, in_order_of_urgency
from tenants.plans import (
    PlannedStep,
    StepKind,
    break_glass,
    hands_off,
    held_acts,
    steps_for_exit,
    waits_for_hand_over,
)


def plan_exit(holdings: Iterable[Holding], tries: Sequence[StepKind] = ()) -> DeparturePlan:
    """Everybody of ours goes, so every method of ours is the last way in: each waits until the customer has one.

    The passwords change and the sessions end at once. Break-glass accounts and tenants that are not ours to change
    are held as in every run.
    """
    return DeparturePlan(tuple(AccountPlan(h, _steps(h, tries)) for h in in_order_of_urgency(holdings)))


def _steps(holding: Holding, tries: Sequence[StepKind]) -> tuple[PlannedStep, ...]:
    ordered = sorted(holding.methods, key=lambda method: method.goes_last)
    removals = [PlannedStep(StepKind.REMOVE_METHOD, method.id) for method in ordered]
    if holding.break_glass:
        return steps_for_exit(removals, hold=break_glass(), tries=tries)
    if holding.hands_off:
        return held_acts(steps_for_exit(removals, tries=tries), hands_off())
    waiting = [PlannedStep(r.kind, r.method_id, waits_for_hand_over()) for r in removals]
    return steps_for_exit(waiting, tries=tries)
