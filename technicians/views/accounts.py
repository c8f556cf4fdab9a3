"""One shared account: who holds it, with what, and its password for those who may have it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from msp.access.fresh import demand_code
from msp.access.rights import needs, reader
from msp.errors import BadInput, LatchkeyError, NotPermitted
from msp.outside import outside
from technicians.actions.reveal_password import reveal_password
from technicians.care_queries import care_of
from technicians.hand_over_queries import links_on
from technicians.knowledge_queries import who_knows_card
from technicians.models import Technician
from technicians.pages import account_page, assigned_now
from tenants.models import SharedAccount
from tenants.queries import runs_on
from tenants.views.tenants import say_reading

SECONDS_SHOWN = 30


@require_safe
@needs("see_accounts")
def account(request: HttpRequest, account_id: UUID) -> HttpResponse:
    found = _seen(request, account_id)
    return render(request, "technicians/account.html", _context(request, found))


@require_POST
@never_cache
@needs("reveal")
def reveal(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """The password, once, in this answer only: a fragment for htmx, else the page with it."""
    found = _seen(request, account_id)
    try:
        demand_code(request, request.POST.get("code", ""))
    except BadInput as wrong:
        return _answer(request, found, {"code_error": str(wrong)}, HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        shown = reveal_password(reader(request), found, reason=request.POST.get("reason", ""), outside=outside())
    except NotPermitted as refused:
        return _answer(request, found, {"trouble": str(refused)}, HTTPStatus.FORBIDDEN)
    except LatchkeyError as trouble:
        return _answer(request, found, {"trouble": str(trouble)}, HTTPStatus.UNPROCESSABLE_ENTITY)
    said = {
        "shown": shown,
        "seconds": SECONDS_SHOWN,
        "page": account_page(found),
        "may_see_people": reader(request).may("see_people"),
    }
    return _answer(request, found, said, HTTPStatus.OK)


@require_POST
@needs("observe")
def observe(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Read this account from its directory, now."""
    found = _seen(request, account_id)
    say_reading(request, [found])
    return redirect("tenants:account", found.pk)


def _seen(request: HttpRequest, account_id: UUID) -> SharedAccount:
    seen = SharedAccount.objects.visible_to(request.user).select_related("tenant__customer")
    found: SharedAccount = get_object_or_404(seen, pk=account_id)
    return found


def _answer(request: HttpRequest, found: SharedAccount, said: dict[str, Any], status: int) -> HttpResponse:
    by_htmx = "HX-Request" in request.headers
    if by_htmx and status == HTTPStatus.FORBIDDEN:
        status = HTTPStatus.UNPROCESSABLE_ENTITY  # htmx puts no 403 into the page, and the reason must be read
    context = {"account": found, "reason": request.POST.get("reason", ""), "may_reveal": True, "by_htmx": by_htmx}
    if not by_htmx:
        context |= _context(request, found)
    return render(request, f"technicians/{'_reveal' if by_htmx else 'account'}.html", context | said, status=status)


def _context(request: HttpRequest, found: SharedAccount) -> dict[str, Any]:
    person = reader(request)
    page = account_page(found)
    assigned = assigned_now(person, found)
    return {
        "account": found,
        "page": page,
        "care": care_of(found, person),
        "hand_overs": links_on(found, person),
        "knowledge": who_knows_card(found, person),
        "findings": found.findings.visible_to(person).exclude(status="resolved"),
        "may_see_runs": person.may("see_runs"),
        "runs": runs_on(person, account=found) if person.may("see_runs") else [],
        "may_see_people": person.may("see_people"),
        "may_observe": person.may("observe"),
        "may_reveal": person.may("reveal") and assigned,
        "people_to_enrol": _people_to_enrol(person, page, assigned),
    }


def _people_to_enrol(person: Technician, page: Any, assigned: bool) -> list[Technician]:
    """Whom the reader may enrol here: oneself when assigned, every holder with the right to."""
    if person.may("enrol"):
        return [holder.assignment.technician for holder in page.holders]
    return [person] if assigned and person.may("reveal") else []
