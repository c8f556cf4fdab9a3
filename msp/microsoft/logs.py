"""Reading a log that is never finished: its events come late, out of order, and now and then twice.

Pure: events and a cursor in, what is new and the next cursor out. The directory's logs name no figure for their
lateness. Assumption: an event is there within 15 minutes (`OVERLAP`) of the newest one that was read before it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, TypeVar

from msp.microsoft.methods import masked, moment
from msp.microsoft.tenant_ports import AuditEvent, Cursor, SignInEvent

OVERLAP = dt.timedelta(minutes=15)


class Event(Protocol):
    """One line of a log."""

    @property
    def event_id(self) -> str: ...

    @property
    def at(self) -> dt.datetime: ...


E = TypeVar("E", bound=Event)


def reads_from(cursor: Cursor) -> dt.datetime:
    """Where the next reading begins."""
    return cursor.newest - OVERLAP


def unseen(events: Iterable[E], since: Cursor, *, now: dt.datetime) -> tuple[tuple[E, ...], Cursor]:
    """The events that no reading before this one reported, oldest first, and where to go on.

    An event older than where the reading began was either reported long ago or came later than the overlap allows.
    Those cannot be told apart, so it is left out.
    """
    begin, seen, new = reads_from(since), dict(since.seen), list[E]()
    for event in events:
        if event.at >= begin and event.event_id not in seen:
            seen[event.event_id] = event.at
            new.append(event)
    # One event with a date far ahead must not carry the cursor past everything that is still to happen.
    newest = max([since.newest, *(at for at in seen.values() if at <= now)])
    kept = {event_id: at for event_id, at in seen.items() if at >= newest - OVERLAP}
    return tuple(sorted(new, key=lambda event: (event.at, event.event_id))), Cursor(newest, kept)


def filter_time(at: dt.datetime) -> str:
    """A time as a filter takes it. It is cut to whole seconds, so that a reading never begins too late."""
    return at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def audit_event(item: Mapping[str, Any]) -> AuditEvent | None:
    """One element of directoryAudits; None when it has no id or time, by which alone it can be placed."""
    event_id, at = item.get("id"), moment(item.get("activityDateTime"))
    if not event_id or at is None:
        return None
    by, by_id = _initiator(item.get("initiatedBy") or {})
    targets = (target.get("id") for target in item.get("targetResources") or () if isinstance(target, dict))
    return AuditEvent(
        event_id=str(event_id),
        at=at,
        activity=_text(item, "activityDisplayName"),
        service=_text(item, "loggedByService"),
        result=_text(item, "result"),
        by=by,
        targets=tuple(str(target) for target in targets if target),
        correlation_id=_text(item, "correlationId"),
        by_id=by_id,
    )


def _initiator(initiated_by: Mapping[str, Any]) -> tuple[str, str]:
    """(name, object id) of who did it. Assumption: an app is named by its service principal's id, else its own."""
    if user := initiated_by.get("user"):
        by_id = _text(user, "id")
        return _text(user, "userPrincipalName") or _text(user, "displayName") or by_id, by_id
    app = initiated_by.get("app") or {}
    by_id = _text(app, "servicePrincipalId") or _text(app, "appId")
    return _text(app, "displayName") or by_id, by_id


def sign_in_event(item: Mapping[str, Any]) -> SignInEvent | None:
    """One element of signIns, of beta or v1.0, where the latter does not know by which factors it was done.

    None when it has no id or time.
    """
    event_id, at = item.get("id"), moment(item.get("createdDateTime"))
    if not event_id or at is None:
        return None
    error = (item.get("status") or {}).get("errorCode")
    return SignInEvent(
        event_id=str(event_id),
        at=at,
        object_id=_text(item, "userId"),
        # Without a number nobody can say that it succeeded.
        error=error if isinstance(error, int) else -1,
        interactive=item.get("isInteractive") is True,
        ip_address=_text(item, "ipAddress"),
        app=_text(item, "appDisplayName") or _text(item, "appId"),
        device=_device(item.get("deviceDetail") or {}),
        factors=_factors(item),
    )


def _device(detail: Mapping[str, Any]) -> str:
    """The device's name, or what runs on it when it has none."""
    told = ", ".join(part for name in ("operatingSystem", "browser") if (part := _text(detail, name)))
    return _text(detail, "displayName") or told


def _factors(item: Mapping[str, Any]) -> tuple[str, ...]:
    steps = [step for step in item.get("authenticationDetails") or () if isinstance(step, dict)]
    factors = tuple(_factor(step) for step in steps if step.get("succeeded") is True)
    if factors or steps:
        return factors
    return tuple(str(word) for word in item.get("authenticationMethodsUsed") or ())


def _factor(step: Mapping[str, Any]) -> str:
    """Microsoft's word, and in brackets what tells it from its siblings: a device's name, a phone's last digits."""
    word, detail = _text(step, "authenticationMethod"), _text(step, "authenticationMethodDetail")
    detail = masked(detail) if detail.startswith("+") else detail
    return f"{word} ({detail})" if detail else word


def _text(item: Mapping[str, Any], name: str) -> str:
    return str(item.get(name) or "")
