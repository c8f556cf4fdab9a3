"""The list of technicians, one technician, and the accounts they are given."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from msp.access.rights import needs, reader
from msp.errors import BadInput
from technicians.actions.assign import end_assignment as end_one
from technicians.actions.assign_many import assign_many
from technicians.enrolment_lists import life_of
from technicians.forms import AssignForm
from technicians.knowledge_queries import accounts_known_to, rows_of
from technicians.models import Assignment, Technician
from technicians.pages import (
    SHOW,
    assignments_of,
    authenticators_of,
    reveals_to,
    runs_about,
    technician_rows,
    technicians_like,
)
from tenants.models import SharedAccount

PEOPLE_PER_PAGE = 50
ROWS_PER_PAGE = 50
SUGGESTIONS = 12


@require_safe
@vary_on_headers("HX-Request")
@needs("see_people")
def technician_list(request: HttpRequest) -> HttpResponse:
    """The page, or for htmx its table only."""
    words, show = request.GET.get("q", "").strip(), request.GET.get("show", "")
    found = technicians_like(request.user, words=words, show=show)
    page = Paginator(found, PEOPLE_PER_PAGE).get_page(request.GET.get("page"))
    part = "_list" if request.headers.get("HX-Target") == "list" else "list"
    context = {
        "rows": page,
        "people": technician_rows(page, request.user),
        "words": words,
        "show": show,
        "choices": SHOW,
        "may_offboard": reader(request).may("offboard"),
    }
    return render(request, f"technicians/{part}.html", context)


@require_safe
def technician(request: HttpRequest, technician_id: UUID) -> HttpResponse:
    """One person. Everybody may look at their own page."""
    return _page(request, _seen(request, technician_id))


@require_POST
@needs("assign")
def assign(request: HttpRequest, technician_id: UUID) -> HttpResponse:
    found = _seen(request, technician_id)
    form = AssignForm(request.POST, by=reader(request))
    if not form.is_valid():
        return _page(request, found, form)
    given = form.cleaned_data
    try:
        assign_many(found, [given["account"]], by=reader(request), reason=given["reason"], until=given["until"])
    except BadInput as wrong:
        form.add_error(None, str(wrong))
        return _page(request, found, form)
    messages.success(
        request, _("%(account)s is assigned to %(name)s from now on.") % {"account": given["account"], "name": found}
    )
    return redirect("technicians:detail", found.pk)


@require_POST
@needs("assign")
def end_assignment(request: HttpRequest, assignment_id: UUID) -> HttpResponse:
    seen = Assignment.objects.visible_to(request.user).select_related("account", "technician")
    found: Assignment = get_object_or_404(seen, pk=assignment_id)
    run = end_one(found, by=reader(request))
    words = (
        _("%(account)s is taken from %(name)s. A run is removing the authenticator of %(name)s there.")
        if run
        else _("%(account)s is taken from %(name)s, who has no authenticator there.")
    )
    messages.success(request, words % {"account": found.account, "name": found.technician})
    return redirect("technicians:detail", found.technician_id)


@require_safe
@needs("assign")
def accounts_like(request: HttpRequest) -> HttpResponse:
    """Suggestions for the field that an account is typed into."""
    words = request.GET.get("account", "").strip()
    found = (
        SharedAccount.objects.visible_to(request.user)
        .select_related("tenant__customer")
        .filter(user_principal_name__icontains=words)
    )
    return render(request, "technicians/_accounts_like.html", {"accounts": found[:SUGGESTIONS] if words else []})


def _seen(request: HttpRequest, technician_id: UUID) -> Technician:
    found: Technician = get_object_or_404(Technician.objects.visible_to(request.user), pk=technician_id)
    if found.pk != reader(request).pk and not reader(request).may("see_people"):
        raise PermissionDenied(_("Your role does not open this page."))
    return found


def _page(request: HttpRequest, found: Technician, form: AssignForm | None = None) -> HttpResponse:
    person = reader(request)
    may_assign = person.may("assign") and found.is_active
    context = {
        "technician": found,
        "place": reverse("technicians:detail", args=[found.pk]),
        "assignments": _part(request, "assignments", assignments_of(found, person)),
        "authenticators": _part(request, "authenticators", authenticators_of(found, person)),
        "reveals": _part(request, "reveals", reveals_to(found, person)),
        "knowledge": _knowledge(request, found),
        "may_see_runs": person.may("see_runs"),
        "runs": runs_about(found, person) if person.may("see_runs") else [],
        "may_see_accounts": person.may("see_accounts"),
        "may_assign": may_assign,
        "form": (form or AssignForm(by=person)) if may_assign else None,
        "may_offboard": person.may("offboard") and found.status != Technician.Status.LEFT and found.pk != person.pk,
        "is_me": found.pk == person.pk,
        "life": life_of(found, person),
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form is not None else HTTPStatus.OK
    return render(request, "technicians/technician.html", context, status=status)


def _knowledge(request: HttpRequest, found: Technician) -> dict[str, Any]:
    accounts = _part(request, "knowledge", accounts_known_to(found, reader(request)))
    return {"accounts": accounts, "rows": rows_of(accounts, of=found)}


def _part(request: HttpRequest, name: str, rows: QuerySet[Any]) -> Page[Any]:
    """The page of one of the lists that share this address, each with a number of its own."""
    return Paginator(rows, ROWS_PER_PAGE).get_page(request.GET.get(name))
