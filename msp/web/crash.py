"""What may be told of a crash: where it happened, and never with which values.

Django's report of a crash, which mails to administrators and debug pages consist of, shows the variables of every
frame, what was sent and the settings. A password may be any of these.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any

from django.http import HttpRequest
from django.views.debug import ExceptionReporter


class ReportWithoutValues(ExceptionReporter):
    """The exception with its lines of code. It does not even know the request, whose address may be a one-time link."""

    def __init__(
        self,
        request: HttpRequest | None,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        tb: TracebackType | None,
        is_email: bool = False,
    ) -> None:
        super().__init__(None, exc_type, exc_value, tb, is_email)

    def get_traceback_data(self) -> dict[str, Any]:
        return super().get_traceback_data() | {"settings": {}, "unicode_hint": ""}

    def get_traceback_frames(self) -> list[dict[str, Any]]:
        return [frame | {"vars": []} for frame in super().get_traceback_frames()]
