"""Find a run, or a step of it, by what a person types."""

from __future__ import annotations

from django.core.management.base import CommandError
from django.db.models import TextField
from django.db.models.functions import Cast

from technicians.models import Technician
from tenants.models import Run, Step

SHORTEST = 4


def find_run(text: str, *, seen_by: Technician | None = None) -> Run:
    """By its id or by the first characters of it. Raises CommandError when it is none, or more than one.

    Whoever sits at this machine may look at every run; with `seen_by` only at those that this person sees.
    """
    text = text.strip().lower()
    if len(text) < SHORTEST:
        raise CommandError(f"Give at least {SHORTEST} characters of the run's id; `run list` shows the ids.")
    seen = Run.objects.all() if seen_by is None else Run.objects.visible_to(seen_by)
    runs = seen.select_related("requested_by", "reseller").annotate(text=Cast("pk", TextField()))
    found = list(runs.filter(text__startswith=text)[:2])
    if not found:
        raise CommandError(f"There is no run {text}; `run list` shows the ids.")
    if len(found) > 1:
        raise CommandError(f"More than one run begins with {text}; give more of its id.")
    return found[0]


def find_step(run: Run, text: str, *, seen_by: Technician) -> Step:
    """The same for a step of this run."""
    text = text.strip().lower()
    if len(text) < SHORTEST:
        raise CommandError(f"Give at least {SHORTEST} characters of the step's id; `run show` shows them.")
    steps = Step.objects.visible_to(seen_by).filter(target__run=run).select_related("target__account", "method")
    found: list[Step] = list(steps.annotate(text=Cast("pk", TextField())).filter(text__startswith=text)[:2])
    if not found:
        raise CommandError(f"This run has no step {text}; `run show` shows the ids of those that need a person.")
    if len(found) > 1:
        raise CommandError(f"More than one step begins with {text}; give more of its id.")
    return found[0]
