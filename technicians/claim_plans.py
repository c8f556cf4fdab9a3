"""Decisions about a method that is there already: who may say whose it is, and what counts as evidence. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.translation import gettext as _

from msp.microsoft.ports import MethodKind
from msp.microsoft.tenant_ports import SignInEvent

NEVER_CLAIMED = frozenset({MethodKind.PASSWORD, MethodKind.TEMPORARY_ACCESS_PASS, MethodKind.UNKNOWN})
"""The password is everybody's, a pass expires, and what we do not understand nobody can recognise."""

LOOKED_BACK = dt.timedelta(days=7)
"""How old a sign-in may be that speaks for somebody. Microsoft keeps them for 7 days at least (entra-docs
reference-reports-data-retention)."""


@dataclass(frozen=True)
class Claimed:
    """A method as a claim sees it. `same_label` counts the other present methods of its kind that bear its label,
    or like it bear none: one phone may stand there with the same name for push and for passwordless sign-in."""

    kind: MethodKind
    words: str
    label: str
    same_label: int

    @property
    def stands_alone(self) -> bool:
        return self.same_label == 0


def why_nobody_can_claim(method: Claimed) -> str:
    """In words, "" when somebody can."""
    if method.kind in NEVER_CLAIMED:
        return _("A method of this kind (%(kind)s) is nobody's own, so it cannot be claimed.") % {"kind": method.words}
    return ""


def why_not_by_label(method: Claimed, *, claims_allowed: bool) -> str:
    """Why a person's own word is not enough here, "" when it is. The label is the evidence."""
    if refused := why_nobody_can_claim(method):
        return refused
    if not claims_allowed:
        return _(
            "The enrolment policy of this account does not take a person's word alone. Enrol anew, point at a sign-in "
            "that names your device, or ask a manager."
        )
    if not method.stands_alone:
        return _(
            "Several methods here look the same to Microsoft, so nobody can tell which one is yours. Enrol anew; the "
            "old one can be removed afterwards."
        )
    return ""


@dataclass(frozen=True)
class NamedIn:
    """A sign-in that names the device: when, by which factor, from where."""

    event_id: str
    at: dt.datetime
    factor: str
    app: str
    device: str
    ip_address: str

    @property
    def note(self) -> str:
        return _("Sign-in of %(when)s UTC with %(factor)s, from %(address)s.") % {
            "when": f"{self.at.astimezone(dt.UTC):%Y-%m-%d %H:%M}",
            "factor": self.factor,
            "address": self.ip_address or _("an unknown address"),
        }


def sign_ins_that_name(method: Claimed, events: Iterable[SignInEvent], *, since: dt.datetime) -> tuple[NamedIn, ...]:
    """The successful sign-ins of a person that were confirmed by a device of this label, newest first.

    Assumption: `authenticationMethodDetail` of a sign-in holds the display name of the method, or the number of a
    phone. Microsoft documents the field and not its values. A label that two methods bear names neither.
    """
    name = _telling_part(method)
    if not name or not method.stands_alone:
        return ()
    found = [
        NamedIn(event.event_id, event.at, factor, event.app, event.device, event.ip_address)
        for event in events
        if event.succeeded and event.interactive and event.at >= since
        for factor in event.factors
        if _in_brackets(factor).casefold() == name.casefold()
    ]
    return tuple(sorted(found, key=lambda named: (named.at, named.event_id), reverse=True))


def _telling_part(method: Claimed) -> str:
    """What a sign-in would say of this method: the label, of a phone the masked number without its type."""
    label = method.label.strip()
    if method.kind == MethodKind.PHONE:
        _type, space, number = label.partition(" ")
        return number.strip() if space else label
    return label


def _in_brackets(factor: str) -> str:
    """`Mobile app notification (Ana's phone)` -> `Ana's phone` (msp.microsoft.logs)."""
    _word, bracket, detail = factor.partition(" (")
    return detail.removesuffix(")") if bracket else ""
