"""Who stands at the door, and whether this door is theirs."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext as _

View = Callable[..., HttpResponseBase]


def reader(request: HttpRequest) -> Any:
    """The signed-in person. `SecondFactorRequired` lets nobody else come this far."""
    return request.user


def needs(right: str) -> Callable[[View], View]:
    """A view for those whose role has this right; others get 403."""

    def guard(view: View) -> View:
        @wraps(view)
        def door(request: HttpRequest, *args: Any, **named: Any) -> HttpResponseBase:
            if not request.user.is_authenticated or not reader(request).may(right):
                raise PermissionDenied(_("Your role does not open this page."))
            return view(request, *args, **named)

        return door

    return guard
