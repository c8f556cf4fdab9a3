"""Find a run by what a person types."""

from __future__ import annotations

from django.core.management.base import CommandError
from django.db.models import TextField
from django.db.models.functions import Cast

from tenants.models import Run

SHORTEST = 4


def find_run(text: str) -> Run:
    """By its id or by the first characters of it. Raises CommandError when it is none, or more than one."""
    text = text.strip().lower()
    if len(text) < SHORTEST:
        raise CommandError(f"Give at least {SHORTEST} characters of the run's id; `run list` shows the ids.")
    runs = Run.objects.select_related("requested_by", "reseller").annotate(text=Cast("pk", TextField()))
    found = list(runs.filter(text__startswith=text)[:2])
    if not found:
        raise CommandError(f"There is no run {text}; `run list` shows the ids.")
    if len(found) > 1:
        raise CommandError(f"More than one run begins with {text}; give more of its id.")
    return found[0]
