"""What templates of ours say often."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import template
from django.utils.translation import gettext as _

register = template.Library()

TONES = {
    "green": ["verified", "clean", "active", "current", "resolved", "bound", "can_enter", "not_readable"],
    "azure": ["running", "accepted", "sending", "clean_so_far", "waiting_for_scan", "candidate", "could_have_seen"],
    "yellow": [
        "unverified",
        "clean_with_exceptions",
        "waived",
        "snoozed",
        "push_on_shared",
        "knows_password",
        "no_authenticator",
        "doubtful",
        "seen_valid",
        "paused",
        "stated",
    ],
    "red": [
        "refused",
        "blocked",
        "failed",
        "needs_attention",
        "open",
        "unknown",
        "no_connection",
        "unknown_method",
        "account_missing",
        "run_problem",
        "left_behind",
    ],
}
TONE_OF = {value: tone for tone, values in TONES.items() for value in values}


@register.filter
def tone(value: object) -> str:
    """The colour that repeats the word of a state; grey for everything that neither worries nor reassures."""
    return TONE_OF.get(str(value), "secondary")


@register.filter
def duration(time: dt.timedelta) -> str:
    """A length of time in its two largest units; what is shorter than a second is one."""
    seconds = max(1, round(time.total_seconds()))
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if days:
        return _("%(days)d d %(hours)d h") % {"days": days, "hours": hours % 24}
    if hours:
        return _("%(hours)d h %(minutes)d min") % {"hours": hours, "minutes": minutes % 60}
    if minutes:
        return _("%(minutes)d min %(seconds)d s") % {"minutes": minutes, "seconds": seconds % 60}
    return _("%(seconds)d s") % {"seconds": seconds}


@register.simple_tag(takes_context=True)
def other_page(context: dict[str, Any], number: int, part: str = "", place: str = "") -> str:
    """The address of another page of a list; what else the reader asked for stays in it."""
    request = context["request"]
    asked = request.GET.copy()
    asked[part or "page"] = str(number)
    return f"{place or request.path}?{asked.urlencode()}{f'#{part}' if part else ''}"
