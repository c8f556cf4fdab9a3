"""What a rehearsal says, and how it compares with the real run: facts in, words out. No database, network or clock.

A *plan* is a list of accounts in the order of work, each {"id", "account", "tenant", "steps"}; a step is {"kind",
"method", "held"}. `method` is the id of our row of the method, None for a step about none; `held` is whether a guard
stops it before anything is sent. In an *outcome* the steps have {"state", "problem"} too, as they stood at the end.

The *result* of a rehearsal is one JSON object:

{"format": 1, "leavers": [{"id", "name", "email"}],
 "place": the name of the group or account that it is limited to, or "",
 "recorded": {"at", "digest", "accounts", "tenants", "people", "methods", "never_read", "oldest_reading"},
 "conditions": {"pace", "latency_ms", "throttle", "read_lag"},
 "plan": {"digest", "accounts", "steps", "held"},
 "run": {"state", "milliseconds", "requests", "told_to_wait"},
 "sign_in": {"leavers_tried", "leavers_in", "stayers_tried", "stayers_out"},
 "accounts": the outcome; each account has {"still_in", "kept_out", "not_tried"} besides: the names of leavers who got
 in at the copy's sign-in afterwards, those of people who stay and did not, and why nobody tried: "" (somebody did),
 "nobody" (no second factor is bound), "disabled", "gone" or "guided".}

Times are RFC 3339 in UTC, milliseconds are of the clock on the wall, and no number has a fraction, so that the whole
can be signed. `told_to_wait` counts the answers 429. No password, seed, code or token is in any of it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from msp.ledger.canonical import canonical
from tenants.plans import SETTLED, RunState, StepKind, StepState

Plan = Sequence[dict[str, Any]]

FOR_A_PERSON = frozenset({StepState.UNVERIFIED, StepState.REFUSED, StepState.BLOCKED})
"""The states of a step that a person has to look at."""


def digest_of(plan: Plan) -> str:
    """SHA-256 over accounts, steps in their order, and what a guard holds; names and end states are left out."""
    said = [
        [account["id"], [[step["kind"], step["method"], step["held"]] for step in account["steps"]]] for account in plan
    ]
    return hashlib.sha256(canonical({"plan": said})).hexdigest()


def digest_of_result(result: dict[str, Any]) -> str:
    """SHA-256 of the whole, as canonical JSON."""
    return hashlib.sha256(canonical(result)).hexdigest()


@dataclass(frozen=True)
class Difference:
    """One thing that was rehearsed in one way and came in another. `account` is "" when it is about the whole."""

    account: str
    words: str


def differences(rehearsed: Plan, real: Plan) -> list[Difference]:
    """What a real run did otherwise than its rehearsal, in the order of the real run.

    A real step that is still under way, and a second look that is still to come, are no difference yet.
    """
    before, now = ({account["id"]: account for account in plan} for plan in (rehearsed, real))
    found = [
        Difference(account["account"], _("was in the rehearsal and not in the run"))
        for key, account in before.items()
        if key not in now
    ]
    for key, account in now.items():
        if key not in before:
            found.append(Difference(account["account"], _("was in the run and not in the rehearsal")))
        else:
            found += [Difference(account["account"], words) for words in _of_account(before[key], account)]
    if not found and [account["id"] for account in rehearsed] != [account["id"] for account in real]:
        found.append(Difference("", _("The accounts were worked on in another order.")))
    return found


def _of_account(rehearsed: dict[str, Any], real: dict[str, Any]) -> list[str]:
    steps = {(step["kind"], step["method"]): step for step in rehearsed["steps"]}
    found = []
    for step in real["steps"]:
        then = steps.pop((step["kind"], step["method"]), None)
        kind = StepKind(step["kind"]).label
        if then is None:
            found.append(_("%(step)s: not in the rehearsal") % {"step": kind})
        elif step["state"] in SETTLED and step["state"] != then["state"]:
            found.append(
                _("%(step)s: %(then)s in the rehearsal, %(now)s in the run")
                % {"step": kind, "then": short(then["state"]), "now": short(step["state"])}
            )
    found += [_("%(step)s: in the rehearsal alone") % {"step": StepKind(step["kind"]).label} for step in steps.values()]
    return found


def short(state: str) -> str:
    """The word of a step's state without what it means: "verified"."""
    return str(StepState(state).label).partition(":")[0].lower()


def still_under_way(real: Plan) -> int:
    """How many steps of the run have no end state yet, the second looks left out."""
    return sum(
        step["state"] not in SETTLED
        for account in real
        for step in account["steps"]
        if step["kind"] != StepKind.SECOND_LOOK
    )


# --- in words ----------------------------------------------------------------------------------------------------


def verdict(result: dict[str, Any]) -> str:
    """The result in one sentence."""
    accounts, state = result["accounts"], RunState(result["run"]["state"])
    if not accounts:
        return _("No account is concerned: only the access to Latchkey would end.")
    size = ngettext("%(count)d account", "%(count)d accounts", len(accounts)) % {"count": len(accounts)}
    if concerned := sum(needs_a_person(account) for account in accounts):
        asks = ngettext("%(count)d needs a person", "%(count)d need a person", concerned) % {"count": concerned}
        return _("Would not end clean by itself: of %(size)s, %(asks)s.") % {"size": size, "asks": asks}
    if state == RunState.CLEAN:
        return _("Would end clean: %(size)s, and every step was read back, twice.") % {"size": size}
    return _("Would end as “%(state)s”: %(size)s.") % {"state": state.label, "size": size}


def needs_a_person(account: dict[str, Any]) -> bool:
    """Something was refused, held or not seen, or waits for somebody who is not in a rehearsal."""
    return any(step["state"] in FOR_A_PERSON or step["state"] not in SETTLED for step in account["steps"])


def reasons(account: dict[str, Any]) -> list[str]:
    """Why an account needs a person: each reason once, in the order of the steps."""
    said = [step["problem"] for step in account["steps"] if step["state"] in FOR_A_PERSON and step["problem"]]
    return list(dict.fromkeys(said))


def states_of(accounts: Iterable[dict[str, Any]]) -> dict[StepState, int]:
    """How many steps ended in which state, in the order of the states."""
    counted = Counter(step["state"] for account in accounts for step in account["steps"])
    return {state: counted[state] for state in StepState if counted[state]}


# --- by itself ---------------------------------------------------------------------------------------------------


def whose_turn(last: Sequence[tuple[Any, dt.datetime | None]], *, every: dt.timedelta, now: dt.datetime) -> Any | None:
    """The next person to rehearse, of (person, when last asked): the one who waits longest, and not yet if not due.

    The people of a reseller are spread over the whole interval: with 30 people and 30 days, one a day.
    """
    if not last:
        return None
    asked = [moment for _person, moment in last if moment is not None]
    if asked and now - max(asked) < every / len(last):
        return None
    beginning = dt.datetime.min.replace(tzinfo=dt.UTC)
    person, moment = min(last, key=lambda pair: pair[1] or beginning)
    return person if moment is None or now - moment >= every else None
