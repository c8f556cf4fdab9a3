"""Nobody comes in without a second factor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import resolve_url
from django.urls import ResolverMatch

from msp.access.models import TotpDevice

OPEN_NAMES = frozenset({"healthz"})
OPEN_NAMESPACES = frozenset({"access", "hand_over"})


class SecondFactorRequired:
    """Every page but the access pages, hand-over links and `healthz` is closed without both factors.

    Closed is the default: a new page needs no decorator to be behind this door. Static files never come here.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, _view: Any, _args: tuple[Any, ...], _named: dict[str, Any]
    ) -> HttpResponseBase | None:
        user: Any = request.user
        if _is_open(request.resolver_match) or has_both_factors(user):
            return None
        return _sent_to(request, next_door(user))


def has_both_factors(user: Any) -> bool:
    """django-otp keeps the device of this session on the user; an anonymous user has none."""
    return getattr(user, "otp_device", None) is not None


def next_door(user: Any) -> str:
    """The URL name of what a person must do next to come in."""
    if not user.is_authenticated:
        return "access:sign_in"
    if not user.has_usable_password():
        return "access:set_password"
    has_device = TotpDevice.objects.filter(user=user, confirmed=True).exists()
    return "access:code" if has_device else "access:second_factor"


def _is_open(match: ResolverMatch | None) -> bool:
    return match is not None and (match.url_name in OPEN_NAMES or bool(OPEN_NAMESPACES & set(match.namespaces[:1])))


def _sent_to(request: HttpRequest, door: str) -> HttpResponseBase:
    if "HX-Request" in request.headers:
        # A fragment cannot hold the sign-in page: the whole page goes there.
        return HttpResponse(status=204, headers={"HX-Redirect": resolve_url(door)})
    asked_for = request.get_full_path() if request.method in ("GET", "HEAD") else "/"
    return redirect_to_login(asked_for, resolve_url(door))
