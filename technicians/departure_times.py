"""When a departure starts: facts in, a moment out. No database and no clock of ours."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from dataclasses import dataclass

from django.utils.translation import gettext as _

from msp.errors import BadInput

UTC = "UTC"
MIDNIGHT = dt.time(0)


@dataclass(frozen=True)
class Start:
    """Now, at a moment (in UTC, with the zone in which it was meant), or when the directory says so.

    `kind` is one of `DepartureRequest.Starts`; `remark` says what the clocks of that zone made of the time, "" when
    they made nothing of it.
    """

    kind: str
    at: dt.datetime | None = None
    zone: str = ""
    remark: str = ""


NOW = Start("now")
WHEN_DISABLED = Start("when_disabled")


def zone_named(name: str) -> zoneinfo.ZoneInfo:
    """A time zone of the IANA database, such as Europe/Berlin. Raises BadInput."""
    try:
        return zoneinfo.ZoneInfo(name.strip() or UTC)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise BadInput(
            _("There is no time zone called %(name)s; write one like Europe/Berlin. Nothing was saved.")
            % {"name": name.strip()[:60]}
        ) from None


def start_at(day: dt.date, time: dt.time | None, zone: str) -> Start:
    """At this time on this day by the clocks of `zone`; without a time when the day is over there.

    Clocks that go forward skip an hour: a time in it is taken as they show it after the jump. Clocks that go back
    show an hour twice: the first one counts, so that access ends no later than anybody meant. Raises BadInput.
    """
    place = zone_named(zone)
    try:
        local = dt.datetime.combine(day if time is not None else day + dt.timedelta(days=1), time or MIDNIGHT)
        meant = local.replace(second=0, microsecond=0, tzinfo=place, fold=0)
        at = meant.astimezone(dt.UTC)
        shown = at.astimezone(place)
    except (OverflowError, ValueError):
        raise BadInput(_("%(day)s is too far away; nothing was saved.") % {"day": day}) from None
    return Start("at", at, place.key, _remark(meant, shown))


def _remark(meant: dt.datetime, shown: dt.datetime) -> str:
    facts = {"meant": f"{meant:%H:%M}", "day": f"{meant:%Y-%m-%d}", "zone": meant.tzinfo, "shown": f"{shown:%H:%M}"}
    if meant.replace(tzinfo=None) != shown.replace(tzinfo=None):
        return (
            _(
                "%(meant)s does not exist on %(day)s in %(zone)s, because the clocks go forward: "
                "it starts at %(shown)s there."
            )
            % facts
        )
    if meant.utcoffset() != meant.replace(fold=1).utcoffset():
        return (
            _("%(meant)s comes twice on %(day)s in %(zone)s, because the clocks go back: it starts the first time.")
            % facts
        )
    return ""


def in_words(at: dt.datetime, zone: str) -> str:
    """The moment by the clocks of the zone, and in UTC."""
    local = at.astimezone(zone_named(zone))
    if local.utcoffset() == dt.timedelta(0):
        return f"{local:%Y-%m-%d %H:%M} UTC"
    return f"{local:%Y-%m-%d %H:%M} {zone} ({at.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC)"
