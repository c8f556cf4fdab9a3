"""One technician leaves: what will happen, then one decision."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_http_methods

from msp.access.rights import needs, reader
from msp.errors import LatchkeyError, NotPermitted
from technicians.actions.offboard import preview_departure
from technicians.departure_forms import DepartureForm
from technicians.models import Technician
from technicians.preview_queries import preview_of
from technicians.views.departure_asking import asked
from technicians.views.previews import preview_context


@require_http_methods(["GET", "HEAD", "POST"])
@needs("offboard")
def depart(request: HttpRequest, technician_id: UUID) -> HttpResponse:
    """GET shows the plan; POST asks for the departure, which makes the plan anew, and goes to its run or request."""
    technician = get_object_or_404(Technician.objects.visible_to(request.user), pk=technician_id)
    by = reader(request)
    context: dict[str, Any] = {"technician": technician, "names": str(technician)}
    try:
        plan = preview_departure(technician, by=by)
    except LatchkeyError as stopped:
        context |= {"stopped": str(stopped), "departure": getattr(technician, "offboarding", None)}
        return _page(request, context, status=_status_of(request, stopped))
    posted = request.POST if request.method == "POST" else None
    form = DepartureForm(posted, by=by, leavers=[technician], plan_accounts=len(plan.accounts))
    if posted is not None and (answer := asked(request, form)):
        return answer
    preview = preview_of(plan, [technician], reseller_id=technician.reseller_id)
    context |= preview_context(request, preview) | {"form": form}
    return _page(request, context, status=200 if posted is None else 422)


def _status_of(request: HttpRequest, stopped: LatchkeyError) -> int:
    if isinstance(stopped, NotPermitted):
        return 403
    return 422 if request.method == "POST" else 200


def _page(request: HttpRequest, context: dict[str, Any], *, status: int) -> HttpResponse:
    return render(request, "technicians/offboarding/preview.html", context, status=status)
