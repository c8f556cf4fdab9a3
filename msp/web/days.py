"""Days as people write them, and the moments that they mean in the reader's time zone."""

from __future__ import annotations

import datetime as dt

from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput


def day_of(text: str) -> dt.date | None:
    """A day written as 2026-11-25; None for nothing. Raises BadInput for anything else."""
    if not text.strip():
        return None
    try:
        return dt.date.fromisoformat(text.strip())
    except ValueError:
        raise BadInput(_("%(text)s is not a day; write it like 2026-11-25.") % {"text": text.strip()[:40]}) from None


FIRST, LAST = dt.date(1970, 1, 1), dt.date(9000, 1, 1)
"""Far from the edges of the calendar, where sums with times have no answer."""


def start_of(day: dt.date) -> dt.datetime:
    """The first moment of that day where the reader is. Raises BadInput for a day that nobody can mean."""
    if not FIRST <= day <= LAST:
        raise BadInput(_("%(day)s is too far away.") % {"day": day.isoformat()})
    return timezone.make_aware(dt.datetime.combine(day, dt.time.min)).astimezone(dt.UTC)


def end_of(day: dt.date) -> dt.datetime:
    """The first moment that is not that day any more, where the reader is. Raises BadInput like `start_of`."""
    return start_of(min(day, LAST) + dt.timedelta(days=1))
