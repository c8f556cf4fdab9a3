"""One technician leaves: what will happen, then one decision."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from msp.access.fresh import demand_code
from msp.access.rights import needs, reader
from msp.errors import LatchkeyError, NotPermitted
from technicians.actions.offboard import offboard, preview_departure
from technicians.models import Technician
from technicians.plans import DeparturePlan, expected_seconds
from tenants.plans import StepKind
from tenants.run_queries import Size, size_of

ACCOUNTS_PER_PAGE = 50


@require_http_methods(["GET", "HEAD", "POST"])
@needs("offboard")
def depart(request: HttpRequest, technician_id: UUID) -> HttpResponse:
    """GET shows the plan; POST makes the plan anew, carries it out and goes to its run."""
    technician = get_object_or_404(Technician.objects.visible_to(request.user), pk=technician_id)
    if request.method == "POST":
        return _decide(request, technician)
    return _page(request, technician)


def _decide(request: HttpRequest, technician: Technician) -> HttpResponse:
    try:
        demand_code(request, request.POST.get("code", ""))
        run = offboard(technician, by=reader(request), reason=request.POST.get("reason", "")).run
    except LatchkeyError as trouble:
        return _page(
            request, technician, trouble=str(trouble), status=403 if isinstance(trouble, NotPermitted) else 422
        )
    if promised(request) not in (None, size_of(run)):
        messages.warning(
            request,
            _(
                "Something changed between the preview and your decision, so the plan was made again. "
                "What is below is what was decided."
            ),
        )
    return redirect("tenants:run", run.pk)


def _page(request: HttpRequest, technician: Technician, *, trouble: str = "", status: int = 200) -> HttpResponse:
    context = {"technician": technician, "trouble": trouble, "reason": request.POST.get("reason", "")}
    try:
        plan = preview_departure(technician, by=reader(request))
    except LatchkeyError as stopped:
        context["stopped"] = str(stopped)
        context["departure"] = getattr(technician, "offboarding", None)
        context["trouble"] = ""
        if isinstance(stopped, NotPermitted):
            status = 403
    else:
        only_held = bool(request.GET.get("held")) and plan.held_back > 0
        shown = [account for account in plan.accounts if account.holds] if only_held else plan.accounts
        context |= {
            "plan": plan,
            "rows": Paginator(shown, ACCOUNTS_PER_PAGE).get_page(request.GET.get("page")),
            "only_held": only_held,
            "size": size_of_plan(plan),
            "minutes": max(1, round(expected_seconds(plan) / 60)),
        }
    return render(request, "technicians/offboarding/preview.html", context, status=status)


def size_of_plan(plan: DeparturePlan) -> Size:
    """How much the plan has to do, counted as `size_of` counts a run."""
    removals = sum(step.kind == StepKind.REMOVE_METHOD for account in plan.accounts for step in account.steps)
    return Size(accounts=len(plan.accounts), tenants=plan.tenants, methods=removals)


def promised(request: HttpRequest) -> Size | None:
    """The size that the preview promised, which the form carries; None when it carries none."""
    given = [request.POST.get(f"promised_{name}", "") for name in ("accounts", "tenants", "methods")]
    if not all(value.isdecimal() for value in given):
        return None
    return Size(*map(int, given))
