"""A technician gets an authenticator of their own on one account: choose a way, see how far it is, cancel it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from msp.access.fresh import demand_code
from msp.access.rights import needs, reader
from msp.errors import BadInput, LatchkeyError, NotPermitted
from msp.outside import outside
from technicians.actions.choose_way import choose_way
from technicians.actions.enrol import cancel_enrolment
from technicians.enrolment_page_queries import enrolment_page
from technicians.models import Enrolment, Technician
from technicians.way_queries import ways_page
from tenants.models import SharedAccount


@require_http_methods(["GET", "HEAD", "POST"])
@needs("see_accounts")
def begin(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """The ways that are on offer, for oneself or with the right to for a holder named in `technician`; POST begins."""
    seen = SharedAccount.objects.visible_to(request.user).select_related("tenant__customer")
    account: SharedAccount = get_object_or_404(seen, pk=account_id)
    person = _person(request)
    if request.method != "POST":
        return _choose(request, account, person)
    try:
        demand_code(request, request.POST.get("code", ""))
    except BadInput as wrong:
        return _choose(request, account, person, code_error=str(wrong))
    try:
        begun = choose_way(account, person, request.POST.get("way", ""), by=reader(request), outside=outside())
    except NotPermitted:
        raise
    except LatchkeyError as trouble:
        return _choose(request, account, person, trouble=str(trouble))
    return redirect("technicians:enrolment", begun.pk)


def _choose(request: HttpRequest, account: SharedAccount, person: Technician, **said: str) -> HttpResponse:
    """Again with what was wrong, if something was."""
    context: dict[str, Any] = {
        "account": account,
        "person": person,
        "page": ways_page(account, person, by=reader(request)),
        "is_oneself": person.pk == reader(request).pk,
        "may_begin": person.pk == reader(request).pk or reader(request).may("enrol"),
        "chosen": request.POST.get("way", ""),
        **said,
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if said else HTTPStatus.OK
    return render(request, "technicians/enrol/choose.html", context, status=status)


def _person(request: HttpRequest) -> Technician:
    """Oneself when nobody is named."""
    asked = (request.POST if request.method == "POST" else request.GET).get("technician", "")
    if not asked:
        oneself: Technician = reader(request)
        return oneself
    found: Technician = get_object_or_404(Technician.objects.visible_to(request.user), pk=_uuid(asked))
    return found


@require_safe
@never_cache
@needs("see_accounts")
def enrolment(request: HttpRequest, enrolment_id: UUID) -> HttpResponse:
    """How far it is; a fragment for htmx, which asks again while Microsoft is at work."""
    return answer(request, enrolment_seen(request, enrolment_id))


@require_POST
@needs("see_accounts")
def cancel(request: HttpRequest, enrolment_id: UUID) -> HttpResponse:
    found = enrolment_seen(request, enrolment_id)
    try:
        cancel_enrolment(found, by=reader(request), outside=outside())
    except NotPermitted:
        raise
    except LatchkeyError as trouble:
        messages.error(request, str(trouble))
    else:
        messages.info(request, _("The enrolment is cancelled."))
    return redirect("technicians:enrolment", found.pk)


# --- what the doors to an enrolment share -------------------------------------------------------------------------


def enrolment_seen(request: HttpRequest, enrolment_id: UUID) -> Enrolment:
    seen = Enrolment.objects.visible_to(request.user).select_related(
        "account__tenant__customer", "technician", "registration__account", "authenticator"
    )
    found: Enrolment = get_object_or_404(seen, pk=enrolment_id)
    return found


def answer(
    request: HttpRequest, found: Enrolment, said: dict[str, Any] | None = None, status: int = HTTPStatus.OK
) -> HttpResponse:
    """The part that is to do now for a script, else the whole page. `said` is what came of an act, for this once."""
    context = {
        "enrolment": found,
        "account": found.account,
        "page": enrolment_page(found, reader(request)),
        "by_script": by_script(request),
        **(said or {}),
    }
    name = "_state" if by_script(request) else "enrolment"
    return render(request, f"technicians/enrol/{name}.html", context, status=status)


def by_script(request: HttpRequest) -> bool:
    return "HX-Request" in request.headers


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
