"""Have a shared account for oneself, give it back, or take it back from somebody."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from msp.access.fresh import demand_code
from msp.access.rights import needs, reader
from msp.errors import LatchkeyError
from technicians.actions import check_out as acts
from technicians.check_out_queries import check_out_of
from technicians.models import CheckOut
from technicians.views.accounts import account_seen, guarded, number_in, words_of
from tenants.models import SharedAccount


@require_POST
@needs("reveal")
def check_out(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """By the same form as the reveal, with the same questions."""
    found = account_seen(request, account_id)

    def take() -> HttpResponse:
        acts.check_out(reader(request), found, **words_of(request), minutes=number_in(request, "minutes"))
        messages.success(request, _("You have %(account)s for yourself now.") % {"account": found})
        if "HX-Request" in request.headers:
            return HttpResponse(headers={"HX-Refresh": "true"})
        return redirect("tenants:account", found.pk)

    return guarded(request, found, take)


@require_POST
@needs("reveal")
def check_in(request: HttpRequest, account_id: UUID) -> HttpResponse:
    found = account_seen(request, account_id)
    held = _held(request, found)
    if held:
        try:
            acts.check_in(held, by=reader(request))
        except LatchkeyError as trouble:
            messages.error(request, str(trouble))
        else:
            messages.success(request, _("%(account)s is checked in.") % {"account": found})
    return redirect("tenants:account", found.pk)


@require_POST
@needs("assign")
def take_back(request: HttpRequest, account_id: UUID) -> HttpResponse:
    found = account_seen(request, account_id)
    held = _held(request, found)
    if held:
        try:
            demand_code(request, request.POST.get("code", ""))
            acts.take_back(held, by=reader(request), reason=request.POST.get("reason", ""))
        except LatchkeyError as trouble:
            messages.error(request, str(trouble))
        else:
            messages.success(request, _("%(name)s has this account no longer.") % {"name": held.technician})
    return redirect("tenants:account", found.pk)


def _held(request: HttpRequest, found: SharedAccount) -> CheckOut | None:
    """The check-out that the page was about."""
    held = check_out_of(found, timezone.now())
    if held is None:
        messages.info(request, _("This account is not checked out; nothing had to be changed."))
    return held
