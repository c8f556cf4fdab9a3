"""A technician gets an authenticator of their own: begin here, register at Microsoft, come back and finish."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from msp.access.fresh import demand_code
from msp.access.rights import needs, reader
from msp.errors import LatchkeyError, NotPermitted
from msp.outside import outside
from technicians.actions.enrol import begin_enrolment, cancel_enrolment, finish_enrolment
from technicians.models import Enrolment, Technician
from tenants.models import SharedAccount


@require_POST
@needs("see_accounts")
def begin(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """For oneself, or with the right to for somebody who holds the account."""
    seen = SharedAccount.objects.visible_to(request.user).select_related("tenant")
    account: SharedAccount = get_object_or_404(seen, pk=account_id)
    people = Technician.objects.visible_to(request.user)
    person: Technician = get_object_or_404(people, pk=_uuid(request.POST.get("technician", "")))
    try:
        demand_code(request, request.POST.get("code", ""))
        begun = begin_enrolment(person, account, by=reader(request), outside=outside())
    except NotPermitted:
        raise
    except LatchkeyError as trouble:
        messages.error(request, str(trouble))
        return redirect("tenants:account", account.pk)
    return redirect("technicians:enrolment", begun.pk)


@require_safe
@needs("see_accounts")
def enrolment(request: HttpRequest, enrolment_id: UUID) -> HttpResponse:
    found = _seen(request, enrolment_id)
    waiting = found.status == Enrolment.Status.WAITING_FOR_SCAN and found.expires_at > timezone.now()
    mine = found.technician_id == reader(request).pk
    context = {
        "enrolment": found,
        "account": found.account,
        "waiting": waiting,
        "is_mine": mine,
        "may_act": waiting and (mine or reader(request).may("enrol")),
    }
    return render(request, "technicians/enrolment.html", context)


@require_POST
@needs("see_accounts")
def finish(request: HttpRequest, enrolment_id: UUID) -> HttpResponse:
    """Look at the directory: exactly one new method is bound, anything else binds nobody."""
    found = _seen(request, enrolment_id)
    try:
        finish_enrolment(found, by=reader(request), outside=outside())
    except NotPermitted:
        raise
    except LatchkeyError as trouble:
        messages.error(request, str(trouble))
        return redirect("technicians:enrolment", found.pk)
    messages.success(request, _("The new authenticator is bound to %(name)s.") % {"name": found.technician})
    return redirect("tenants:account", found.account_id)


@require_POST
@needs("see_accounts")
def cancel(request: HttpRequest, enrolment_id: UUID) -> HttpResponse:
    found = _seen(request, enrolment_id)
    try:
        cancel_enrolment(found, by=reader(request))
    except NotPermitted:
        raise
    except LatchkeyError as trouble:
        messages.error(request, str(trouble))
    else:
        messages.info(request, _("The enrolment is cancelled. Whatever was registered at Microsoft is still there."))
    return redirect("tenants:account", found.account_id)


def _seen(request: HttpRequest, enrolment_id: UUID) -> Enrolment:
    seen = Enrolment.objects.visible_to(request.user).select_related("account__tenant__customer", "technician")
    found: Enrolment = get_object_or_404(seen, pk=enrolment_id)
    return found


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
