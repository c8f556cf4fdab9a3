"""What a person is to enrol, where they stand with it, and the links that lead there."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from msp.access.fresh import demand_code
from msp.access.rights import needs, reader
from msp.errors import LatchkeyError, NotPermitted
from msp.ops.people import address_of_pages
from technicians.actions.ask_for_new_phone import make_room
from technicians.actions.ask_to_enrol import withdraw_requests
from technicians.actions.enrolment_links import send_enrolment_link, use_enrolment_link
from technicians.enrolment_lists import LinkState, enrolment_list_of, find_enrolment_link, life_of
from technicians.life_queries import latest_loss_of
from technicians.models import EnrolmentRequest, Technician
from technicians.views.life import person_seen
from tenants.run_queries import progress_of


@require_safe
@needs("see_accounts")
def my_list(request: HttpRequest) -> HttpResponse:
    return _page(request, reader(request))


@require_safe
@needs("see_accounts")
def list_of(request: HttpRequest, technician_id: UUID) -> HttpResponse:
    return _page(request, person_seen(request, technician_id))


@require_POST
@needs("see_accounts")
def withdraw(request: HttpRequest, request_id: UUID) -> HttpResponse:
    line = _line(request, request_id)
    try:
        withdrawn = withdraw_requests([line], by=reader(request))
    except NotPermitted as stopped:
        raise PermissionDenied(str(stopped)) from stopped
    words = _("%(account)s is off the list.") if withdrawn else _("%(account)s was off the list already.")
    messages.success(request, words % {"account": line.account})
    return redirect("technicians:enrolment_list_of", line.technician_id)


@require_POST
@needs("see_accounts")
def room(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """The old method of this very person goes first, because the account is full."""
    line = _line(request, request_id)
    try:
        demand_code(request, request.POST.get("code", ""))
        make_room(line, by=reader(request))
    except NotPermitted as stopped:
        raise PermissionDenied(str(stopped)) from stopped
    except LatchkeyError as trouble:
        messages.error(request, str(trouble))
    else:
        messages.success(
            request, _("The old authenticator on %(account)s is being taken away.") % {"account": line.account}
        )
    return redirect("technicians:enrolment_list_of", line.technician_id)


@require_POST
@needs("enrol")
def send_link(request: HttpRequest, technician_id: UUID) -> HttpResponse:
    """The link is in this answer only, for when no mail server took it."""
    person: Technician = get_object_or_404(Technician.objects.visible_to(request.user), pk=technician_id)
    try:
        sent = send_enrolment_link(person, by=reader(request), base=address_of_pages())
    except NotPermitted as stopped:
        raise PermissionDenied(str(stopped)) from stopped
    except LatchkeyError as trouble:
        messages.error(request, str(trouble))
        return redirect("technicians:enrolment_list_of", person.pk)
    if sent.mailed:
        messages.success(
            request, _("A mail with the link went to %(email)s. It works once, for 24 hours.") % {"email": person.email}
        )
        return redirect("technicians:enrolment_list_of", person.pk)
    answer = render(request, "technicians/life/link_made.html", {"technician": person, "sent": sent})
    answer.headers["Cache-Control"] = "no-store"
    return answer


@require_http_methods(["GET", "HEAD", "POST"])
@needs("see_accounts")
def open_link(request: HttpRequest, token: str) -> HttpResponse:
    """Looking changes nothing, because mail scanners look; pressing the button uses it and leads to the list."""
    state, link = find_enrolment_link(token, reader(request))
    if state == LinkState.WAITING and request.method == "POST":
        try:
            use_enrolment_link(token, by=reader(request))
        except LatchkeyError:
            state, link = find_enrolment_link(token, reader(request))
        else:
            return redirect("technicians:enrolment_list")
    open_lines = enrolment_list_of(reader(request), reader(request)).open
    context = {"state": state, "link": link, "open_lines": open_lines}
    status = 200 if state == LinkState.WAITING else 410
    return render(request, "technicians/life/link.html", context, status=status)


def _line(request: HttpRequest, request_id: UUID) -> EnrolmentRequest:
    seen = EnrolmentRequest.objects.visible_to(request.user).select_related("account__tenant", "technician")
    line: EnrolmentRequest = get_object_or_404(seen, pk=request_id)
    return line


def _page(request: HttpRequest, person: Technician) -> HttpResponse:
    me = reader(request)
    loss = latest_loss_of(person)
    context = {
        "technician": person,
        "list": enrolment_list_of(person, me),
        "is_me": person.pk == me.pk,
        "may_manage": me.may("enrol") and person.is_active,
        "may_report": life_of(person, me).may_report,
        "loss": loss,
        "loss_progress": progress_of(loss.run, me) if loss else None,
        "may_see_runs": me.may("see_runs"),
    }
    return render(request, "technicians/life/enrolment_list.html", context)
