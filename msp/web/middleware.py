"""What holds for every page."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import add_never_cache_headers

from msp.errors import BadInput, LatchkeyError, NotPermitted

GetResponse = Callable[[HttpRequest], HttpResponse]


class ReadersTimeZone:
    """Times are shown in the time zone of the person who reads them; stored and exported they are UTC."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with timezone.override(_zone_of(request.user)):
            return self.get_response(request)


class NeverStored:
    """No browser and no proxy keeps a page of somebody who is signed in: not even for the back button."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.user.is_authenticated or request.path.startswith("/access/"):
            add_never_cache_headers(response)
        return response

    def process_exception(self, request: HttpRequest, trouble: Exception) -> HttpResponse | None:
        """What an action refused and no view answered is a page in plain words, never a trace."""
        if not isinstance(trouble, LatchkeyError):
            return None
        if isinstance(trouble, NotPermitted):
            status = HTTPStatus.FORBIDDEN
        elif isinstance(trouble, BadInput):
            status = HTTPStatus.BAD_REQUEST
        else:
            status = HTTPStatus.CONFLICT
        return render(request, "web/refused.html", {"reason": str(trouble)}, status=status)


def _zone_of(user: Any) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(getattr(user, "time_zone", "") or "UTC")
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return zoneinfo.ZoneInfo("UTC")
