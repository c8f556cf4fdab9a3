"""A password policy in words: one sentence for each rule."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from tenants.models import ChangeDemand, PasswordPolicy
from tenants.password_plans import CLASSES, Rules

KINDS = {
    "lower": gettext_lazy("small letters"),
    "upper": gettext_lazy("capitals"),
    "digits": gettext_lazy("digits"),
    "symbols": gettext_lazy("symbols"),
}

BECAUSE = {
    ChangeDemand.Because.REVEAL: gettext_lazy("because it was shown"),
    ChangeDemand.Because.CHECK_IN: gettext_lazy("because it was checked in"),
    ChangeDemand.Because.ASSIGNMENT_END: gettext_lazy("because an assignment ended"),
    ChangeDemand.Because.DRIFT: gettext_lazy("because it was changed outside Latchkey"),
    ChangeDemand.Because.HAND_OVER: gettext_lazy("because it was handed to somebody outside"),
    ChangeDemand.Because.PERSON: gettext_lazy("because somebody asked for it"),
    ChangeDemand.Because.SCHEDULE: gettext_lazy("because it is old enough then"),
}


def in_words(rules: Rules) -> list[tuple[str, list[str]]]:
    """Headings with their sentences."""
    return [
        (_("What it looks like"), list(_look(rules))),
        (_("When it changes by itself"), list(_changes(rules))),
        (_("What a reveal asks for"), list(_reveals(rules))),
        (_("When it is not known which password is right"), [_doubt(rules)]),
    ]


def made_of(rules: Rules) -> str:
    """The look of the password in two or three words."""
    if rules.style == PasswordPolicy.Style.WORDS:
        return ngettext("%(count)d word", "%(count)d words", rules.words) % {"count": rules.words}
    return ngettext("%(count)d character", "%(count)d characters", rules.length) % {"count": rules.length}


def changes(rules: Rules) -> str:
    """The schedule in two or three words."""
    days = rules.rotate_every_days
    if not days:
        return _("when something asks for it")
    return ngettext("every day", "every %(count)d days", days) % {"count": days}


def _look(rules: Rules) -> Iterator[str]:
    if rules.style == PasswordPolicy.Style.WORDS:
        yield _("%(words)s, one with a capital and one with a digit.") % {"words": made_of(rules)}
    else:
        kinds = get_text_list([str(KINDS[kind]) for kind in CLASSES if kind in rules.classes], _("and"))
        yield _("%(characters)s: %(kinds)s.") % {"characters": made_of(rules), "kinds": kinds}
    if rules.look_alikes:
        yield _("Look-alikes (l I 1 o O 0) may be in it.")
    else:
        yield _("No look-alikes (l I 1 o O 0).")
    if rules.forbid_names:
        yield _("No part of the customer's, the tenant's or the account's name.")
    if rules.forbidden_parts:
        yield _("Never with: %(parts)s.") % {"parts": ", ".join(rules.forbidden_parts)}


def _changes(rules: Rules) -> Iterator[str]:
    if rules.rotate_every_days:
        yield _("Changes %(often)s.") % {"often": changes(rules)}
    else:
        yield _("Age alone changes nothing.")
    if rules.rotate_after_reveal:
        hours = rules.hours_after_reveal
        yield ngettext(
            "Changes %(count)d hour after it was shown.", "Changes %(count)d hours after it was shown.", hours
        ) % {"count": hours}
    else:
        yield _("Stays after it was shown.")
    yield _("Changes after check-in.") if rules.rotate_after_check_in else _("Stays after check-in.")
    if rules.rotate_after_assignment_end:
        yield _("Changes when somebody who fetched it loses the account.")
    else:
        yield _("Stays when somebody who fetched it loses the account.")
    if rules.rotate_after_drift:
        yield _("Changed outside Latchkey: is taken back by changing it again.")
    else:
        yield _("Changed outside Latchkey: waits for a person.")
    if rules.quiet_from != rules.quiet_until:
        yield _("Never between %(start)s and %(end)s (%(zone)s).") % {
            "start": f"{rules.quiet_from:%H:%M}",
            "end": f"{rules.quiet_until:%H:%M}",
            "zone": rules.quiet_zone,
        }
    yield ngettext(
        "Keeps %(count)d minute away from other accounts of the tenant.",
        "Keeps %(count)d minutes away from other accounts of the tenant.",
        rules.stagger_minutes,
    ) % {"count": rules.stagger_minutes}


def _reveals(rules: Rules) -> Iterator[str]:
    if rules.asks == PasswordPolicy.Asks.TICKET and rules.ticket_pattern:
        yield _("A reveal asks for a ticket number like %(form)s.") % {"form": rules.ticket_pattern}
    elif rules.asks == PasswordPolicy.Asks.TICKET:
        yield _("A reveal asks for a ticket number.")
    elif rules.asks == PasswordPolicy.Asks.REASON:
        yield _("A reveal asks for a reason.")
    else:
        yield _("A reveal asks for no reason.")
    yield ngettext(
        "At most %(count)d reveal per person and hour.",
        "At most %(count)d reveals per person and hour.",
        rules.reveals_per_hour,
    ) % {"count": rules.reveals_per_hour}
    minutes = {"count": rules.check_out_minutes}
    if rules.check_out_required:
        yield _("Only after check-out, which lasts %(count)d minutes.") % minutes
    else:
        yield _("A check-out is possible and lasts %(count)d minutes.") % minutes


def _doubt(rules: Rules) -> str:
    if rules.sign_in_probe:
        return _("A sign-in is tried where only that tells.")
    return _("No sign-in is tried: a reading or a person tells.")
