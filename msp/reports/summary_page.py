"""The summary of a run in words, for the page that is printed: what is said is what the signed file says."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from technicians.models import DepartureRequest
from tenants.models import Run
from tenants.plans import RunState, StepKind, StepState

CLOCKS = {
    "access_ended": _lazy("Access to Latchkey ended after"),
    "first_tenant_clean": _lazy("First tenant clean after"),
    "last_tenant_clean": _lazy("Last tenant clean after"),
    "p50": _lazy("Half of the clean tenants within"),
    "p95": _lazy("95 of 100 clean tenants within"),
}

TRIED: dict[str, Any] = {
    StepState.VERIFIED: _lazy("refused, as it must be"),
    StepState.UNVERIFIED: _lazy("still taken: a person must act"),
    StepState.BLOCKED: _lazy("no clear answer"),
    StepState.NEEDLESS: _lazy("nothing to try"),
}


def in_words(summary: dict[str, Any]) -> dict[str, Any]:
    """The summary with each word of a state or kind beside its label, and durations as such."""
    totals, request = summary["totals"], summary["request"]
    return {
        "summary": summary,
        "state": _state(RunState, summary["run"]["state"]),
        "scope": DepartureRequest.Scope(request["scope"]).label if request else "",
        "starts": DepartureRequest.Starts(request["starts"]).label if request else "",
        "leavers": [one | {"because": Run.Kind(one["because"]).label} for one in summary["leavers"]],
        "steps": [_counted(state, count) for state, count in totals["steps"].items()],
        "tries": [
            {"kind": StepKind(kind).label, "states": [_tried(state, count) for state, count in counts.items()]}
            for kind, counts in totals["tries"].items()
        ],
        "clocks": [
            {"label": CLOCKS[name], "took": None if seconds is None else dt.timedelta(seconds=seconds)}
            for name, seconds in totals["clocks"].items()
        ],
        "tenants": [
            tenant
            | {
                "state": _state(RunState, tenant["state"]),
                "exceptions": [_exception(one) for one in tenant["exceptions"]],
            }
            for tenant in summary["tenants"]
        ],
    }


def _state(kind: Any, value: str) -> dict[str, str]:
    return {"value": value, "label": kind(value).label}


def _counted(state: str, count: int) -> dict[str, Any]:
    return _state(StepState, state) | {"count": count}


def _tried(state: str, count: int) -> dict[str, Any]:
    """What the state of a step means for a try of what must be refused."""
    return _counted(state, count) | ({"label": TRIED[state]} if state in TRIED else {})


def _exception(one: dict[str, Any]) -> dict[str, Any]:
    """Who answers for the gap, until when, in a sentence of its own."""
    answers = ""
    if one.get("accepted_by"):
        answers = _("Accepted by %(who)s until %(day)s.") % {
            "who": one["accepted_by"],
            "day": one["accepted_until"] or _("no day"),
        }
    elif one.get("stated_by"):
        answers = _("Stated by %(who)s; nobody read it back.") % {"who": one["stated_by"]}
    return {
        "account": one["account"],
        "kind": StepKind(one["kind"]).label,
        "state": _state(StepState, one["state"]),
        "reason": one["reason"],
        "answers": answers,
    }
