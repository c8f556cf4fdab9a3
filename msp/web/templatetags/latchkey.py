"""What templates of ours say often."""

from __future__ import annotations

from typing import Any

from django import template

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
    ],
    "red": [
        "refused",
        "blocked",
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


@register.simple_tag(takes_context=True)
def other_page(context: dict[str, Any], number: int, part: str = "", place: str = "") -> str:
    """The address of another page of a list; what else the reader asked for stays in it."""
    request = context["request"]
    asked = request.GET.copy()
    asked[part or "page"] = str(number)
    return f"{place or request.path}?{asked.urlencode()}{f'#{part}' if part else ''}"
