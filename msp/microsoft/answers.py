"""What an answer of Microsoft means: its parts, and the error of ours that a "no" becomes.

Graph speaks two dialects of one error shape (directory service and methods service), and a third shape for a
path it does not know. Only codes and messages are read from a body, and they are cut and cleaned before they
reach anybody.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

from msp.errors import AccountMissing, AnswerLost, Busy, DirectoryError, NoConnection, NotAllowed, Refused

PATIENCE = 10.0
"""Seconds to wait when Microsoft names none: the period of the narrowest bucket ("throttling limits")."""
MOST_PATIENCE = 3600.0
TURNED_AWAY = frozenset({408, 429, 503})
"""Statuses that say the request was not worked on. 503 counts as such after the page "errors"."""

UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]+")


@dataclass(frozen=True)
class Call:
    """One request and the words in which its failure is told.

    `path` begins with the version. `doing` names the act and the place ("changing the password of admin@... in
    tenant ..."), `stands` what is still true when it did not happen, `needs` what the app must be allowed.
    `secret` is never repeated, whatever Microsoft writes back.
    """

    method: str
    path: str
    doing: str
    stands: str
    needs: str
    changes: bool
    body: Mapping[str, Any] | None = field(default=None, repr=False)
    secret: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """One answer. Header names are in lower case; `body` is the JSON object, or None when there was none.

    `strange` marks content that is no JSON object: Graph sends none, so somebody on the way has answered in its place.
    """

    status: int
    headers: Mapping[str, str]
    body: Mapping[str, Any] | None = field(repr=False)
    client_request_id: str
    answered_at: dt.datetime
    strange: bool = False

    @property
    def request_id(self) -> str:
        return self.headers.get("request-id", "")

    @property
    def said_yes(self) -> bool:
        return 200 <= self.status < 300

    @property
    def throttle_percentage(self) -> float:
        """How much of a limit is used up, as a fraction; told from 0.8 to 1.8 ("throttling limits"), else 0."""
        try:
            said = float(self.headers.get("x-ms-throttle-limit-percentage", ""))
        except ValueError:
            return 0.0
        return said if math.isfinite(said) else 0.0

    @property
    def diagnostic(self) -> str:
        """Which of Microsoft's machines answered; their support asks for it ("best practices")."""
        return _clean(self.headers.get("x-ms-ags-diagnostic"), "")


@dataclass(frozen=True)
class Fault:
    """Microsoft's own code and sentence. `known_path` is False when Graph has nothing at that address."""

    code: str
    message: str
    known_path: bool

    def __str__(self) -> str:
        return " ".join(part for part in (self.code, f"({self.message})" if self.message else "") if part)


def fault_in(reply: Reply, secret: str = "") -> Fault:
    """Read the error of a reply in any of its shapes; empty words when there is none."""
    body = reply.body or {}
    error = body.get("error")
    if isinstance(error, dict):
        return Fault(_clean(error.get("code"), secret), _clean(error.get("message"), secret), known_path=True)
    return Fault("", _clean(body.get("Message"), secret), known_path=False)


def patience(reply: Reply) -> float:
    """Seconds that Retry-After asks for, as a number or a date; between 1 and 3600, 10 when it says nothing.

    A date is compared with the time of the same answer, so that a wrong clock here does not matter.
    """
    text = reply.headers.get("retry-after", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        until = _moment(text)
        if until is None:
            return PATIENCE
        seconds = (until - (_moment(reply.headers.get("date", "")) or reply.answered_at)).total_seconds()
    return min(max(seconds, 1.0), MOST_PATIENCE) if math.isfinite(seconds) else PATIENCE


def no(reply: Reply, call: Call) -> DirectoryError:
    """The error that a reply other than yes means for this call."""
    fault = fault_in(reply, call.secret)
    said = f"{reply.status} {fault}".strip()
    marks = {"code": fault.code, "request_id": reply.request_id}
    if reply.status in TURNED_AWAY:
        wait = patience(reply)
        return Busy(
            f"Microsoft asked for patience while {call.doing} (it answered {said}). {call.stands} "
            f"It is tried again in {math.ceil(wait)} seconds.",
            retry_after=wait,
            **marks,
        )
    if reply.status >= 500:
        return _trouble(reply, call, said, marks)
    if reply.status == 401:
        return NoConnection(
            f"Microsoft did not accept our token while {call.doing}, nor a new one (it answered {said}). "
            f"{call.stands} Check the app's consent and its credential in this tenant, then run the check again.",
            **marks,
        )
    if reply.status == 403:
        return NotAllowed(
            f"Microsoft did not allow {call.doing} (it answered {said}). {call.stands} "
            f"The app needs {call.needs} in this tenant; grant it and try again.",
            **marks,
        )
    if reply.status == 404 and fault.known_path:
        return AccountMissing(
            f"Microsoft found no such user while {call.doing} (it answered {said}). Nothing was changed. "
            "Check the user name and the tenant; the account may have been deleted or renamed.",
            **marks,
        )
    return Refused(
        f"Microsoft refused {call.doing} (it answered {said}). {call.stands} "
        "Read the reason in Microsoft's words above, mend it in the tenant, then try again.",
        **marks,
    )


def lost(call: Call, how: str, *, code: str = "answer_lost", request_id: str = "") -> AnswerLost:
    """The error for a change that was sent and whose answer nobody read."""
    return AnswerLost(
        f"No answer was read while {call.doing}: {how}. It may have happened. "
        "The account is read back before anything is tried again.",
        code=code,
        request_id=request_id,
    )


def _trouble(reply: Reply, call: Call, said: str, marks: Mapping[str, str]) -> DirectoryError:
    # Microsoft calls 504 transient, but whatever stood behind the gateway may have finished; the same holds for
    # any other fault inside. A read has no effect to lose.
    if call.changes:
        return lost(call, f"Microsoft had an internal fault and answered {said}", **marks)
    wait = patience(reply)
    return Busy(
        f"Microsoft had an internal fault while {call.doing} (it answered {said}). {call.stands} "
        f"It is tried again in {math.ceil(wait)} seconds.",
        retry_after=wait,
        **marks,
    )


def _moment(text: str) -> dt.datetime | None:
    """The moment that an HTTP date names; None for anything else."""
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


def _clean(text: object, secret: str) -> str:
    if not isinstance(text, str):
        return ""
    if secret:
        text = text.replace(secret, "[withheld]")
    return UNPRINTABLE.sub(" ", text).strip()[:300]
