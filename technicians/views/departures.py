"""Requests that access is taken away: all of them, one of them, and what people say to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from msp.access.fresh import demand_code
from msp.access.rights import needs, reader
from msp.errors import LatchkeyError, NotPermitted
from technicians.actions.decide_request import approve, override, reject, review_override, withdraw
from technicians.departure_pages import SHOW, request_page, requests_seen_by
from technicians.models import DepartureRequest

REQUESTS_PER_PAGE = 50


@require_safe
@needs("see_people")
def departures(request: HttpRequest) -> HttpResponse:
    show = request.GET.get("show", "")
    show = show if show in SHOW else ""
    found = requests_seen_by(request.user, show=show)
    context = {
        "rows": Paginator(found, REQUESTS_PER_PAGE).get_page(request.GET.get("page")),
        "show": show,
        "choices": SHOW,
        "may_ask": reader(request).may("offboard"),
    }
    return render(request, "technicians/departures/list.html", context)


@require_safe
@needs("see_people")
def departure(request: HttpRequest, departure_id: UUID) -> HttpResponse:
    return _page(request, _seen(request, departure_id))


@require_POST
@needs("offboard")
def approve_departure(request: HttpRequest, departure_id: UUID) -> HttpResponse:
    return _decide(
        request,
        departure_id,
        lambda found, words: approve(found, by=reader(request), note=words),
        _("You approved it. Others have to agree as well before it starts."),
    )


@require_POST
@needs("offboard")
def reject_departure(request: HttpRequest, departure_id: UUID) -> HttpResponse:
    return _decide(
        request,
        departure_id,
        lambda found, words: reject(found, by=reader(request), reason=words),
        _("It is rejected."),
    )


@require_POST
@needs("offboard")
def withdraw_departure(request: HttpRequest, departure_id: UUID) -> HttpResponse:
    return _decide(
        request,
        departure_id,
        lambda found, words: withdraw(found, by=reader(request), reason=words),
        _("It is withdrawn."),
    )


@require_POST
@needs("offboard")
def override_departure(request: HttpRequest, departure_id: UUID) -> HttpResponse:
    return _decide(request, departure_id, lambda found, words: override(found, by=reader(request), reason=words), "")


@require_POST
@needs("offboard")
def review_departure(request: HttpRequest, departure_id: UUID) -> HttpResponse:
    return _decide(
        request,
        departure_id,
        lambda found, words: review_override(found, by=reader(request), note=words),
        _("Your review is kept, and the alarm has ended."),
    )


def _decide(
    request: HttpRequest, departure_id: UUID, act: Callable[[DepartureRequest, str], Any], done: str
) -> HttpResponse:
    """The act with the words typed; when it started a run, that run is shown next."""
    found = _seen(request, departure_id)
    was = found.status
    try:
        demand_code(request, request.POST.get("code", ""))
        act(found, request.POST.get("words", ""))
    except LatchkeyError as stopped:
        status = 403 if isinstance(stopped, NotPermitted) else 422
        return _page(request, _seen(request, departure_id), trouble=str(stopped), status=status)
    now = _seen(request, departure_id)
    if now.run_id is not None and was != now.status:
        messages.success(request, _("It has started: this is its run."))
        return redirect("tenants:run", now.run_id)
    if now.status == DepartureRequest.Status.SCHEDULED and was != now.status:
        done = _("Everybody who has to agree did. It is scheduled.")
    messages.success(request, done)
    return redirect("technicians:departure", now.pk)


def _seen(request: HttpRequest, departure_id: UUID) -> DepartureRequest:
    seen = DepartureRequest.objects.visible_to(request.user).select_related(
        "requested_by", "successor", "override_by", "reviewed_by", "ended_by", "group", "account", "customer", "run"
    )
    found: DepartureRequest = get_object_or_404(seen, pk=departure_id)
    return found


def _page(request: HttpRequest, found: DepartureRequest, *, trouble: str = "", status: int = 200) -> HttpResponse:
    context = {
        "found": request_page(found, reader(request)),
        "departure": found,
        "trouble": trouble,
        "words": request.POST.get("words", ""),
    }
    return render(request, "technicians/departures/departure.html", context, status=status)
