"""What people do about a shared password besides using it: change it, enter it, and say which one signs in."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from msp.access.fresh import demand_code
from msp.access.rights import needs, reader
from msp.errors import BadInput, LatchkeyError, NotPermitted
from msp.outside import outside
from technicians.actions.enter_password import enter_password, may_care
from technicians.actions.settle_password import find_out_which_signs_in, settle_password
from tenants.actions.reconcile_password import Found
from tenants.actions.rotate import rotate as rotate_now
from tenants.models import SecretVersion, SharedAccount


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs("rotate")
def rotate(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """GET says what will happen; POST opens the run and goes to it."""
    account = _seen(request, account_id)
    said: dict[str, Any] = {}
    if request.method == "POST":
        try:
            demand_code(request, request.POST.get("code", ""))
        except BadInput as wrong:
            said = {"code_error": str(wrong)}
        else:
            try:
                run = rotate_now([account], by=reader(request), reason=request.POST.get("reason", ""))
            except LatchkeyError as trouble:
                said = {"trouble": str(trouble), "status": _status_of(trouble)}
            else:
                return redirect("tenants:run", run.pk)
    return _page(request, "technicians/rotate_password.html", account, said)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@sensitive_post_parameters("password")
@needs("reveal")
def enter(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """A password typed in by hand. What was typed is never put into a page again."""
    account = _seen(request, account_id)
    said: dict[str, Any] = {}
    if not may_care(reader(request), account):
        raise NotPermitted(_("This account is not assigned to you now; its password was not changed."))
    if request.method == "POST":
        try:
            demand_code(request, request.POST.get("code", ""))
        except BadInput as wrong:
            said = {"code_error": str(wrong)}
        else:
            try:
                version = enter_password(
                    account,
                    request.POST.get("password", ""),
                    by=reader(request),
                    reason=request.POST.get("reason", ""),
                    corrects=request.POST.get("corrects") == "yes",
                    outside=outside(),
                )
            except LatchkeyError as trouble:
                said = {"trouble": str(trouble), "status": _status_of(trouble)}
            else:
                if version is None:
                    messages.info(request, _("This password is in force here already; nothing had to be changed."))
                else:
                    messages.success(
                        request,
                        _("Version %(number)d is in force now. Nothing proves yet that it signs in.")
                        % {"number": version.number},
                    )
                return redirect("tenants:account", account.pk)
    return _page(request, "technicians/enter_password.html", account, said)


@require_POST
@needs("reveal")
def settle(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """A person says which version signs in."""
    account = _seen(request, account_id)
    version = get_object_or_404(
        SecretVersion.objects.visible_to(request.user).select_related("secret__account"),
        secret__account=account,
        number=_number(request.POST.get("version", "")),
    )
    try:
        demand_code(request, request.POST.get("code", ""))
        settle_password(version, by=reader(request), reason=request.POST.get("reason", ""))
    except LatchkeyError as trouble:
        messages.error(request, str(trouble))
    else:
        messages.success(request, _("Version %(number)d is in force, by your word.") % {"number": version.number})
    return redirect("tenants:account", account.pk)


@require_POST
@needs("reveal")
def find_out(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Latchkey reads the account, and tries a sign-in where the policy allows."""
    account = _seen(request, account_id)
    try:
        found, version = find_out_which_signs_in(account, by=reader(request), outside=outside())
    except LatchkeyError as trouble:
        messages.error(request, str(trouble))
        return redirect("tenants:account", account.pk)
    number = {"number": version.number if version else 0}
    if found == Found.SIGNS_IN:
        messages.success(
            request, _("Version %(number)d signs in.") % number if version else _("It is known now which one signs in.")
        )
    elif found == Found.DOES_NOT_SIGN_IN:
        messages.warning(request, _("Version %(number)d was tried and does not sign in.") % number)
    else:
        messages.info(
            request,
            _(
                "The account was read, and that does not tell. A sign-in was not tried, or told nothing: the policy "
                "must allow it, and there is at most one try in an hour. Try it yourself and say which one signs in, "
                "or take the account back by changing the password."
            ),
        )
    return redirect("tenants:account", account.pk)


def _seen(request: HttpRequest, account_id: UUID) -> SharedAccount:
    seen = SharedAccount.objects.visible_to(request.user).select_related("tenant__customer")
    found: SharedAccount = get_object_or_404(seen, pk=account_id)
    return found


def _page(request: HttpRequest, template: str, account: SharedAccount, said: dict[str, Any]) -> HttpResponse:
    status = said.pop("status", 422 if said else 200)
    context = {"account": account, "reason": request.POST.get("reason", ""), **said}
    return render(request, template, context, status=status)


def _status_of(trouble: LatchkeyError) -> int:
    return 403 if isinstance(trouble, NotPermitted) else 422


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
