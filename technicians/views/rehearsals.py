"""Rehearsals: ask for one, look at all of them, look at what came of one, take it away as evidence."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from msp.access.fresh import demand_code
from msp.access.rights import needs, reader
from msp.errors import LatchkeyError, NotPermitted
from technicians.actions.ask_for_rehearsal import ask_for_rehearsal
from technicians.actions.hand_out_rehearsal import hand_out_rehearsal
from technicians.actions.offboard import preview_departure
from technicians.models import DepartureRequest, Rehearsal, Technician
from technicians.rehearsal_pages import RehearsalPage
from technicians.rehearsal_queries import under_way

ROWS_PER_PAGE = 50


@require_safe
@needs("see_people")
def rehearsal_list(request: HttpRequest) -> HttpResponse:
    found = Rehearsal.objects.visible_to(request.user).select_related("technician", "asked_by")
    rows = Paginator(found, ROWS_PER_PAGE).get_page(request.GET.get("page"))
    rows.object_list = [RehearsalPage(rehearsal) for rehearsal in rows.object_list]
    return render(request, "technicians/rehearsals/list.html", {"rows": rows})


@require_safe
@needs("see_people")
@vary_on_headers("HX-Request")
def rehearsal(request: HttpRequest, rehearsal_id: UUID) -> HttpResponse:
    """While it waits or runs the page asks for its first part again."""
    found = _seen(request, rehearsal_id)
    if "HX-Request" not in request.headers:
        return _page(request, found)
    page = RehearsalPage(found)
    answer = render(request, "technicians/rehearsals/_state.html", {"found": page})
    if not page.is_under_way:
        answer["HX-Refresh"] = "true"
    return answer


@require_http_methods(["GET", "HEAD", "POST"])
@needs("offboard")
def rehearse(request: HttpRequest, technician_id: UUID) -> HttpResponse:
    """GET says what a rehearsal does; POST asks for it and goes to its page. `request=` rehearses that request."""
    person: Technician = get_object_or_404(Technician.objects.visible_to(request.user), pk=technician_id)
    about = _request_of(request, person)
    trouble, status = "", 200
    try:
        plan = preview_departure(person, by=reader(request))
        if request.method == "POST":
            demand_code(request, request.POST.get("code", ""))
            pace = request.POST.get("pace", Rehearsal.Pace.QUICK)
            asked = ask_for_rehearsal(person, by=reader(request), request=about, pace=pace)
            messages.success(request, _("The rehearsal is asked for; this page follows it by itself."))
            return redirect("technicians:rehearsal", asked.pk)
    except NotPermitted as stopped:
        return _ask_page(request, person, about, stopped=str(stopped), status=403)
    except LatchkeyError as wrong:
        trouble, status = str(wrong), 422 if request.method == "POST" else 200
        plan = None
    return _ask_page(
        request, person, about, trouble=trouble, accounts=len(plan.accounts) if plan else None, status=status
    )


@require_POST
@needs("see_people")
def rehearsal_evidence(request: HttpRequest, rehearsal_id: UUID) -> HttpResponse:
    found = _seen(request, rehearsal_id)
    try:
        demand_code(request, request.POST.get("code", ""))
        name, content = hand_out_rehearsal(found, by=reader(request))
    except LatchkeyError as wrong:
        return _page(request, found, trouble=str(wrong), status=422)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(content, content_type="application/json", headers=headers)


def _seen(request: HttpRequest, rehearsal_id: UUID) -> Rehearsal:
    seen = Rehearsal.objects.visible_to(request.user).select_related(
        "technician", "asked_by", "request__run", "reseller"
    )
    found: Rehearsal = get_object_or_404(seen, pk=rehearsal_id)
    return found


def _page(request: HttpRequest, found: Rehearsal, *, trouble: str = "", status: int = 200) -> HttpResponse:
    page = RehearsalPage(found)
    only = bool(request.GET.get("person"))
    shown = [line for line in page.accounts if line.needs_a_person or not only] if page.has_result else []
    context = {
        "found": page,
        "rows": Paginator(shown, ROWS_PER_PAGE).get_page(request.GET.get("page")),
        "only": only,
        "trouble": trouble,
        "may_ask": reader(request).may("offboard"),
    }
    return render(request, "technicians/rehearsals/rehearsal.html", context, status=status)


def _request_of(request: HttpRequest, person: Technician) -> DepartureRequest | None:
    key = request.POST.get("request") or request.GET.get("request")
    if not key:
        return None
    seen = DepartureRequest.objects.visible_to(request.user).open().filter(leavers=person)
    try:
        return get_object_or_404(seen, pk=UUID(key))
    except ValueError:
        return None


def _ask_page(
    request: HttpRequest,
    person: Technician,
    about: DepartureRequest | None,
    *,
    trouble: str = "",
    stopped: str = "",
    accounts: int | None = None,
    status: int,
) -> HttpResponse:
    context = {
        "technician": person,
        "about": about,
        "trouble": trouble,
        "stopped": stopped,
        "accounts": accounts,
        "pace": request.POST.get("pace", Rehearsal.Pace.QUICK),
        "paces": Rehearsal.Pace.choices,
        "under_way": under_way(person) if not stopped else None,
    }
    return render(request, "technicians/rehearsals/ask.html", context, status=status)
