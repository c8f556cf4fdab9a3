"""What Microsoft demands of an account besides its password: read now, and demand more or less."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from msp.access.fresh import demand_code
from msp.access.rights import needs, reader
from msp.errors import LatchkeyError
from msp.microsoft.enrolment_ports import MfaState
from msp.outside import outside
from tenants.actions.mfa_state import read_mfa_state, says_so, set_mfa_state
from tenants.mfa_words import STATES, title_of
from tenants.models import SharedAccount


@require_http_methods(["GET", "HEAD", "POST"])
@needs("see_accounts")
def mfa_state(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """What each state means and which one holds; POST sets one."""
    found = _seen(request, account_id)
    said: dict[str, Any] = {}
    if request.method == "POST":
        try:
            wanted = MfaState(request.POST.get("state", ""))
        except ValueError:
            said = {"trouble": _("Choose one of the three states; nothing was changed.")}
        else:
            try:
                demand_code(request, request.POST.get("code", ""))
                _say(request, wanted, set_mfa_state(found, wanted, by=reader(request), outside=outside()))
                return redirect("tenants:mfa_state", found.pk)
            except LatchkeyError as trouble:
                said = {"trouble": str(trouble)}
    context = {
        "account": found,
        "states": STATES,
        "may_set": reader(request).may("enrol") and not found.break_glass,
        "may_read": reader(request).may("observe"),
        **said,
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if said else HTTPStatus.OK
    return render(request, "tenants/mfa_state.html", context, status=status)


@require_POST
@needs("observe")
def read(request: HttpRequest, account_id: UUID) -> HttpResponse:
    found = _seen(request, account_id)
    try:
        state = read_mfa_state(found, outside=outside())
        messages.success(request, _("Microsoft says: %(state)s.") % {"state": title_of(state)})
    except LatchkeyError as trouble:
        messages.error(request, str(trouble))
    return redirect("tenants:mfa_state", found.pk)


def _seen(request: HttpRequest, account_id: UUID) -> SharedAccount:
    seen = SharedAccount.objects.visible_to(request.user).select_related("tenant__customer")
    found: SharedAccount = get_object_or_404(seen, pk=account_id)
    return found


def _say(request: HttpRequest, wanted: MfaState, found: MfaState) -> None:
    facts = {"wanted": title_of(wanted), "found": title_of(found)}
    if says_so(found, wanted):
        messages.success(request, _("Read back: Microsoft says %(found)s.") % facts)
    else:
        messages.warning(
            request,
            _(
                "Microsoft took %(wanted)s and still says %(found)s. A change takes a moment to show: read it again in "
                "a minute. Until then it is not proven."
            )
            % facts,
        )
