"""Steps that wait for a person: the list of them, one of them, its new password, and what became of it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from msp.access.fresh import demand_code
from msp.access.rights import needs, reader
from msp.errors import LatchkeyError, NotPermitted
from msp.outside import outside
from technicians.actions.reveal_candidate import reveal_candidate
from technicians.actions.state_authenticator import state_authenticator
from technicians.by_hand_pages import step_page
from technicians.forms import AuthenticatorForm
from technicians.views.accounts import SECONDS_SHOWN
from tenants.actions.state_step import state_done, state_failed
from tenants.guided_queries import guided_steps_seen_by, tasks_in, waiting_targets
from tenants.models import SharedAccount, Step, Tenant

TASKS_PER_PAGE = 50


@require_safe
@needs("see_accounts")
def tasks(request: HttpRequest) -> HttpResponse:
    page = Paginator(waiting_targets(reader(request)), TASKS_PER_PAGE).get_page(request.GET.get("page"))
    context = {"rows": page, "tasks": tasks_in(page, reader(request))}
    return render(request, "technicians/by_hand/tasks.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs("see_accounts")
def step(request: HttpRequest, hand_step_id: UUID) -> HttpResponse:
    """What to do; POST states what became of it, and goes on to the next step of the account."""
    found = _seen(request, hand_step_id)
    if request.method != "POST":
        return _page(request, found, {})
    note, failed = request.POST.get("note", ""), request.POST.get("outcome") == "failed"
    try:
        demand_code(request, request.POST.get("code", ""))
        if failed:
            state_failed(found, by=reader(request), reason=note, outside=outside())
        else:
            state_done(found, by=reader(request), note=note, outside=outside())
    except LatchkeyError as wrong:
        return _page(request, found, _wrong(wrong) | {"note": note, "failed": failed})
    said = _("It is written down that it could not be done.") if failed else _("It is written down under your name.")
    messages.success(request, said)
    following = tasks_in(waiting_targets(reader(request)).filter(pk=found.target_id), reader(request))
    if following and not following[0].for_others:
        return redirect("tenants:hand_step", following[0].step.pk)
    return redirect("tenants:hand_tasks")


@require_POST
@never_cache
@needs("reveal")
def password(request: HttpRequest, hand_step_id: UUID) -> HttpResponse:
    """The new password, to be set by hand, in this answer only: a fragment for htmx, else the page with it."""
    found = _seen(request, hand_step_id)
    try:
        demand_code(request, request.POST.get("code", ""))
        shown = reveal_candidate(found, by=reader(request), outside=outside())
    except LatchkeyError as wrong:
        return _page(request, found, _wrong(wrong, part="password_"))
    return _page(request, _seen(request, hand_step_id), {"shown": shown, "seconds": SECONDS_SHOWN})


@require_http_methods(["GET", "HEAD", "POST"])
@needs("see_accounts")
def authenticator(request: HttpRequest, place_account_id: UUID) -> HttpResponse:
    """Say which second factor somebody has on an account that nobody can read."""
    seen = SharedAccount.objects.visible_to(request.user).exclude(tenant__system=Tenant.System.ENTRA)
    account: SharedAccount = get_object_or_404(seen.select_related("tenant__customer"), pk=place_account_id)
    form = AuthenticatorForm(request.POST or None, account=account, by=reader(request))
    said: dict[str, Any] = {}
    if request.method == "POST" and form.is_valid():
        try:
            demand_code(request, request.POST.get("code", ""))
            bound = state_authenticator(account, **form.cleaned_data, by=reader(request))
        except LatchkeyError as wrong:
            said = _wrong(wrong)
        else:
            messages.success(
                request, _("From now on this counts as a way in of %(name)s.") % {"name": bound.technician}
            )
            return redirect("tenants:account", account.pk)
    usual = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    status = said.pop("status", usual)
    context = {"account": account, "form": form} | said
    return render(request, "technicians/by_hand/authenticator.html", context, status=status)


def _seen(request: HttpRequest, hand_step_id: UUID) -> Step:
    found: Step = get_object_or_404(guided_steps_seen_by(request.user), pk=hand_step_id)
    return found


def _wrong(wrong: LatchkeyError, *, part: str = "") -> dict[str, Any]:
    refused = isinstance(wrong, NotPermitted)
    return {
        f"{part}trouble": str(wrong),
        "status": HTTPStatus.FORBIDDEN if refused else HTTPStatus.UNPROCESSABLE_ENTITY,
    }


def _page(request: HttpRequest, found: Step, said: dict[str, Any]) -> HttpResponse:
    status = said.pop("status", HTTPStatus.OK)
    context = {"page": step_page(found, reader(request)), **said}
    by_script = request.headers.get("HX-Target") == "new-password"
    if by_script and status == HTTPStatus.FORBIDDEN:
        status = HTTPStatus.UNPROCESSABLE_ENTITY  # htmx puts no 403 into the page, and the reason must be read
    part = "_new_password" if by_script else "step"
    context["by_script"] = by_script
    return render(request, f"technicians/by_hand/{part}.html", context, status=status)
