"""A technician's own seeds that are kept here: a code, the seed once more for a new phone, and second devices."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from msp.access.fresh import demand_code
from msp.access.rights import needs, reader
from msp.errors import BadInput, LatchkeyError
from msp.outside import outside
from msp.web.qr import qr_svg
from technicians.actions.declare_duplicate import declare_duplicate, withdraw_duplicate
from technicians.actions.show_code import show_code
from technicians.actions.show_seed_again import seen_until, show_seed_again
from technicians.models import Authenticator, DeclaredDuplicate, KeptCode
from technicians.views.accounts import account_seen, by_script
from tenants.models import SharedAccount

SECONDS_OF_A_QR = 60
"""How long a seed stays on the page: enough to take the phone out and scan."""


@require_POST
@never_cache
@needs("reveal")
def my_code(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """The code of this moment, once, in this answer only: a fragment for htmx, else a page with it."""
    found = account_seen(request, account_id)
    kept = _mine(request, found, for_later=False)
    said: dict[str, Any] = {}
    status = HTTPStatus.OK
    try:
        if kept is None:
            raise BadInput(_("No codes are kept here for you on this account; nothing was shown."))
        demand_code(request, request.POST.get("code", ""))
        said = {"shown_code": show_code(kept, by=reader(request), outside=outside())}
    except LatchkeyError as trouble:
        said, status = {"code_trouble": str(trouble)}, HTTPStatus.UNPROCESSABLE_ENTITY
    context = {"account": found, "kept": kept, "by_script": by_script(request), **said}
    part = "technicians/_my_code.html" if by_script(request) else "technicians/my_code.html"
    return render(request, part, context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs("reveal")
def my_seed(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """GET says what it is about and asks for a code; POST shows the QR code, in this answer only."""
    found = account_seen(request, account_id)
    kept = _mine(request, found, for_later=True)
    said: dict[str, Any] = {}
    status = HTTPStatus.OK
    if request.method == "POST":
        try:
            if kept is None:
                raise BadInput(_("No seed is kept here for you on this account; nothing was shown."))
            demand_code(request, request.POST.get("code", ""))
            shown = show_seed_again(kept, by=reader(request), outside=outside())
            alt = _("QR code of your own authenticator for %(account)s") % {"account": shown.account}
            said = {"shown_seed": shown, "picture": qr_svg(shown.address, alt=alt)}
        except LatchkeyError as trouble:
            said, status = {"code_error": str(trouble)}, HTTPStatus.UNPROCESSABLE_ENTITY
    until = seen_until(kept) if kept else None
    context = {"account": found, "kept": kept, "until": until, "seconds": SECONDS_OF_A_QR, **said}
    return render(request, "technicians/my_seed.html", context, status=status)


@require_POST
@needs("reveal")
def declare(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """A second device of one of the reader's authenticators, or of somebody's whom the reader may enrol."""
    found = account_seen(request, account_id)
    seen = Authenticator.objects.visible_to(request.user).filter(method__account=found)
    try:
        bound = seen.select_related("method__account").filter(pk=_uuid(request.POST.get("authenticator", ""))).first()
        if bound is None:
            messages.error(request, _("This authenticator is not there any more; nothing was saved."))
        else:
            made = declare_duplicate(bound, label=request.POST.get("label", ""), by=reader(request))
            messages.success(request, _("%(label)s is declared as a second device.") % {"label": made.label})
    except LatchkeyError as trouble:
        messages.error(request, str(trouble))
    return redirect("tenants:account", found.pk)


@require_POST
@needs("reveal")
def withdraw(request: HttpRequest, duplicate_id: UUID) -> HttpResponse:
    seen = DeclaredDuplicate.objects.visible_to(request.user).select_related("authenticator__method__account")
    found: DeclaredDuplicate = get_object_or_404(seen, pk=duplicate_id)
    account_id = found.authenticator.method.account_id
    try:
        withdraw_duplicate(found, by=reader(request))
        messages.success(request, _("%(label)s is no longer counted as a second device.") % {"label": found.label})
    except LatchkeyError as trouble:
        messages.error(request, str(trouble))
    return redirect("tenants:account", account_id)


def _mine(request: HttpRequest, account: SharedAccount, *, for_later: bool) -> KeptCode | None:
    """What is kept for the reader here, whatever is kept for others."""
    mine = KeptCode.objects.visible_to(request.user).live().filter(technician=reader(request), account=account)
    found: KeptCode | None = mine.filter(until__isnull=not for_later).select_related("account").first()
    return found


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
