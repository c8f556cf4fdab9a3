"""Decisions about passwords: which policy applies and when the next change is due. No database, network or clock."""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

CLASSES = ("lower", "upper", "digits", "symbols")
"""The kinds of characters that Entra counts; a password needs three of the four (entra-docs concept-sspr-policy)."""


Policy = TypeVar("Policy")


@dataclass(frozen=True)
class Rules:
    """One policy as plain facts; the defaults are the built-in policy."""

    style: str = "random"
    length: int = 24
    words: int = 6
    classes: tuple[str, ...] = CLASSES
    look_alikes: bool = False
    forbid_names: bool = True
    forbidden_parts: tuple[str, ...] = ()
    rotate_every_days: int | None = None
    rotate_after_reveal: bool = False
    hours_after_reveal: int = 8
    rotate_after_check_in: bool = True
    rotate_after_assignment_end: bool = True
    rotate_after_drift: bool = False
    quiet_from: dt.time | None = None
    quiet_until: dt.time | None = None
    quiet_zone: str = "UTC"
    stagger_minutes: int = 15
    sign_in_probe: bool = False
    asks: str = "reason"
    ticket_pattern: str = ""
    reveals_per_hour: int = 60
    check_out_required: bool = False
    check_out_minutes: int = 60


BUILT_IN = Rules()


@dataclass(frozen=True)
class Place:
    """Where a policy is set: at most one of the three; none of them is the whole reseller."""

    group: Any = None
    tenant: Any = None
    account: Any = None


def nearest(
    policies: Iterable[tuple[Place, Policy]], *, account: Any, tenant: Any, groups: Sequence[Any]
) -> Policy | None:
    """The policy that applies: of the account, else of its tenant, else of the first of its groups, else of all.

    `groups` are the tenant's groups by name. None when nobody has set any.
    """
    found = dict(policies)
    wanted = [Place(account=account), Place(tenant=tenant), *(Place(group=group) for group in groups), Place()]
    return next((found[place] for place in wanted if place in found), None)


@dataclass(frozen=True)
class Demanded:
    """A reason for a change, and from when on it may happen."""

    because: str
    due_at: dt.datetime


@dataclass(frozen=True)
class NextChange:
    at: dt.datetime
    because: str


def next_change(
    rules: Rules, *, break_glass: bool, in_force_since: dt.datetime | None, demands: Iterable[Demanded]
) -> NextChange | None:
    """When automation changes the password next, and why; None when it never will.

    What is due in the quiet hours is due when they end. Automation never touches a break-glass account.
    """
    if break_glass:
        return None
    due = [NextChange(demand.due_at, demand.because) for demand in demands]
    if rules.rotate_every_days and in_force_since:
        due.append(NextChange(in_force_since + dt.timedelta(days=rules.rotate_every_days), "schedule"))
    first = min(due, key=lambda change: change.at, default=None)
    return NextChange(after_quiet_hours(rules, first.at), first.because) if first else None


def after_quiet_hours(rules: Rules, moment: dt.datetime) -> dt.datetime:
    """The moment itself, or the end of the quiet hours it lies in. They may span midnight; their clock is local."""
    if rules.quiet_from is None or rules.quiet_until is None or rules.quiet_from == rules.quiet_until:
        return moment
    start, end, zone = rules.quiet_from, rules.quiet_until, zoneinfo.ZoneInfo(rules.quiet_zone)
    # More than one round only where the clock is put forward over the end and into the next quiet hours.
    while _is_quiet(clock := moment.astimezone(zone).time(), start, end):
        tomorrow = start > end and clock >= start
        day = moment.astimezone(zone).date() + dt.timedelta(days=tomorrow)
        ends = dt.datetime.combine(day, end, zone)
        if ends.astimezone(dt.UTC) <= moment:
            # The clock was put back, and this is its second time through the hour.
            ends = ends.replace(fold=1)
        moment = ends.astimezone(dt.UTC)
    return moment


def _is_quiet(clock: dt.time, start: dt.time, end: dt.time) -> bool:
    return clock >= start or clock < end if start > end else start <= clock < end


def staggered(rules: Rules, *, wanted: dt.datetime, others: Iterable[dt.datetime]) -> dt.datetime:
    """The first moment from `wanted` on that is far enough from every other change in the same tenant."""
    gap, taken = dt.timedelta(minutes=rules.stagger_minutes), sorted(others)
    moment = after_quiet_hours(rules, wanted)
    while (near := [other for other in taken if abs(moment - other) < gap]) != []:
        moment = after_quiet_hours(rules, max(near) + gap)
    return moment


def ticket_fits(pattern: str, ticket: str) -> bool:
    """Does the number of a ticket have one of the forms that a policy asks for?

    `INC#, OPS-##`: forms are separated by commas, `#` is a number of any length, more of them a number of so many
    digits, and everything else is itself, in either case. No form at all lets every ticket through that says something.
    """
    ticket, forms = ticket.strip(), [form.strip() for form in pattern.split(",") if form.strip()]
    if not forms:
        return bool(ticket)
    return any(re.fullmatch(_as_regex(form), ticket, re.IGNORECASE) for form in forms)


def _as_regex(form: str) -> str:
    # A number takes every digit that follows and gives none back, so that no form can make the search explode.
    return "".join(
        re.escape(part) if not part.startswith("#") else "[0-9]++" if part == "#" else f"[0-9]{{{len(part)}}}"
        for part in re.split("(#+)", form)
    )


ENTRY_TOLERANCE = dt.timedelta(minutes=1)
"""Assumption: our clock and Microsoft's differ by less than this. A password is typed in right after its change."""


def changed_elsewhere(
    *, before: dt.datetime | None, now: dt.datetime | None, given_at: dt.datetime | None, on_the_way: bool
) -> bool:
    """Was the password changed by somebody else since we last knew that the version in force is right?

    `before` and `now` are the directory's times of the last change at the reading before and at this one. `given_at`
    is when a person or a file gave us the version; None when Latchkey made it. While a change of ours is on the way,
    the times say nothing: its own steps decide.
    """
    if now is None or on_the_way:
        return False
    if before is not None and now <= before:
        return False
    if given_at is not None:
        return now > given_at + ENTRY_TOLERANCE
    return before is not None
