"""A phone is lost or new, a person goes on leave or comes back: what will happen, then one decision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from msp.access.fresh import demand_code
from msp.access.rights import needs, reader
from msp.errors import BadInput, LatchkeyError, NotPermitted
from msp.web.days import day_of
from technicians.actions.ask_for_new_phone import accounts_for_new_phone, ask_for_new_phone, demand_may_ask
from technicians.actions.bring_back import bring_back, what_comes_back
from technicians.actions.report_lost_phone import may_end_sign_in, preview_lost_phone, report_lost_phone
from technicians.actions.suspend import may_suspend, preview_suspension, suspend
from technicians.capacity_plans import plan_capacity
from technicians.capacity_queries import places_of
from technicians.life_queries import latest_loss_of, open_suspension_of
from technicians.models import Suspension, Technician
from technicians.plans import DeparturePlan, expected_seconds
from technicians.views.departure_asking import promised
from technicians.views.previews import ACCOUNTS_PER_PAGE, size_of_plan
from tenants.models import Run
from tenants.run_queries import size_of


@require_http_methods(["GET", "HEAD", "POST"])
@needs("see_accounts")
def lost_phone(request: HttpRequest, technician_id: UUID) -> HttpResponse:
    """For oneself or, with the right to offboard, for somebody else. GET shows the plan; POST carries it out."""
    person = person_seen(request, technician_id)
    asked = request.POST if request.method == "POST" else request.GET
    change_passwords = asked.get("passwords") == "yes"
    trouble = ""
    if request.method == "POST":
        try:
            demand_code(request, request.POST.get("code", ""))
            lost = report_lost_phone(
                person,
                by=reader(request),
                reason=request.POST.get("reason", ""),
                change_passwords=change_passwords,
                end_sign_in=request.POST.get("sign_in") == "yes",
            )
        except LatchkeyError as stopped:
            trouble = _or_forbidden(stopped)
        else:
            return _to_the_run(request, person, lost.run, _("Reported. Your authenticators are being taken away now."))
    context: dict[str, Any] = {
        "change_passwords": change_passwords,
        "may_end_sign_in": may_end_sign_in(person, reader(request)),
        "is_me": person.pk == reader(request).pk,
        "loss": latest_loss_of(person),
        "may_see_runs": reader(request).may("see_runs"),
    }
    return _preview(
        request,
        "technicians/life/lost_phone.html",
        person,
        lambda: preview_lost_phone(person, by=reader(request), change_passwords=change_passwords),
        context | {"trouble": trouble},
    )


@require_http_methods(["GET", "HEAD", "POST"])
@needs("see_accounts")
def new_phone(request: HttpRequest, technician_id: UUID) -> HttpResponse:
    """Nothing goes now: the list is written, and each old method stays until the new one works."""
    person = person_seen(request, technician_id)
    try:
        demand_may_ask(person, reader(request))
    except NotPermitted as stopped:
        raise PermissionDenied(str(stopped)) from stopped
    if request.method == "POST":
        try:
            lines = ask_for_new_phone(person, by=reader(request))
        except LatchkeyError as stopped:
            messages.error(request, _or_forbidden(stopped))
            return redirect("technicians:detail", person.pk)
        messages.success(request, _("%(count)d accounts are on the list, for the new phone.") % {"count": len(lines)})
        return redirect("technicians:enrolment_list_of", person.pk)
    accounts = accounts_for_new_phone(person) if person.is_active else []
    capacity = plan_capacity(places_of(accounts).values(), person.pk)
    context = {
        "technician": person,
        "accounts": accounts,
        "capacity": capacity,
        "is_me": person.pk == reader(request).pk,
    }
    return render(request, "technicians/life/new_phone.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("offboard")
def go_on_leave(request: HttpRequest, technician_id: UUID) -> HttpResponse:
    """GET shows what a suspension would do; POST makes the plan anew and carries it out."""
    person: Technician = get_object_or_404(Technician.objects.visible_to(request.user), pk=technician_id)
    trouble = ""
    if request.method == "POST":
        try:
            demand_code(request, request.POST.get("code", ""))
            suspension = suspend(
                person,
                by=reader(request),
                reason=request.POST.get("reason", ""),
                expected_back_on=day_of(request.POST.get("back_on", "")),
            )
        except LatchkeyError as stopped:
            trouble = str(stopped)
        else:
            assert suspension.run is not None
            return _to_the_run(request, person, suspension.run, "")
    return _preview(
        request,
        "technicians/life/suspend.html",
        person,
        lambda: preview_suspension(person, by=reader(request)),
        {"trouble": trouble, "back_on": request.POST.get("back_on", "")},
    )


@require_http_methods(["GET", "HEAD", "POST"])
@needs("offboard")
def come_back(request: HttpRequest, technician_id: UUID) -> HttpResponse:
    """What the person holds again, and the decision."""
    person: Technician = get_object_or_404(Technician.objects.visible_to(request.user), pk=technician_id)
    try:
        may_suspend(person, reader(request))
    except NotPermitted as stopped:
        context = {"technician": person, "stopped": str(stopped)}
        return render(request, "technicians/life/bring_back.html", context, status=403)
    suspension = open_suspension_of(person) if person.status == Technician.Status.SUSPENDED else None
    if suspension is None:
        stopped_by = _("%(name)s is not suspended, so there is nobody to bring back.") % {"name": person}
        return render(request, "technicians/life/bring_back.html", {"technician": person, "stopped": stopped_by})
    trouble = ""
    if request.method == "POST":
        try:
            demand_code(request, request.POST.get("code", ""))
            lines = bring_back(suspension, by=reader(request))
        except LatchkeyError as stopped_now:
            trouble = str(stopped_now)
        else:
            messages.success(
                request,
                _("%(name)s is back. %(count)d accounts are on the enrolment list.")
                % {"name": person, "count": len(lines)},
            )
            return redirect("technicians:enrolment_list_of", person.pk)
    return _return_page(request, person, suspension, trouble)


def _return_page(request: HttpRequest, person: Technician, suspension: Suspension, trouble: str) -> HttpResponse:
    back = what_comes_back(suspension)
    places = places_of([given.account for given in back]).values()
    # A method of theirs that is still there either goes with the run of the suspension or is kept by a guard.
    capacity = plan_capacity([p for p in places if not p.held_by(person.pk)], person.pk)
    context = {
        "technician": person,
        "suspension": suspension,
        "back": back,
        "capacity": capacity,
        "forgotten": len(suspension.accounts) - len(back),
        "trouble": trouble,
    }
    return render(request, "technicians/life/bring_back.html", context, status=422 if trouble else 200)


def _preview(
    request: HttpRequest,
    template: str,
    person: Technician,
    plan_of: Callable[[], DeparturePlan],
    context: dict[str, Any],
) -> HttpResponse:
    """The page of a plan; what stops it is said instead of the plan."""
    context |= {"technician": person, "reason": request.POST.get("reason", "")}
    status = 422 if context["trouble"] else 200
    try:
        plan = plan_of()
    except NotPermitted as stopped:
        return render(request, template, context | {"stopped": str(stopped), "trouble": ""}, status=403)
    except BadInput as stopped:
        return render(request, template, context | {"stopped": str(stopped), "trouble": ""}, status=status)
    only_held = bool(request.GET.get("held")) and plan.held_back > 0
    shown = [account for account in plan.accounts if account.holds] if only_held else plan.accounts
    context |= {
        "plan": plan,
        "rows": Paginator(shown, ACCOUNTS_PER_PAGE).get_page(request.GET.get("page")),
        "only_held": only_held,
        "size": size_of_plan(plan),
        "minutes": max(1, round(expected_seconds(plan) / 60)),
        "seen": sum(account.holding.saw_current_password for account in plan.accounts),
    }
    return render(request, template, context, status=status)


def _to_the_run(request: HttpRequest, person: Technician, run: Run, words: str) -> HttpResponse:
    """Whoever may not see runs finds its progress on the enrolment list."""
    if promised(request) not in (None, size_of(run)):
        messages.warning(
            request,
            _(
                "Something changed between the preview and your decision, so the plan was made again. "
                "What is below is what was decided."
            ),
        )
    if reader(request).may("see_runs"):
        return redirect("tenants:run", run.pk)
    messages.success(request, words)
    return redirect("technicians:enrolment_list_of", person.pk)


def person_seen(request: HttpRequest, technician_id: UUID) -> Technician:
    """Oneself, or somebody whom the reader sees and may read about."""
    found: Technician = get_object_or_404(Technician.objects.visible_to(request.user), pk=technician_id)
    if found.pk != reader(request).pk and not reader(request).may("see_people"):
        raise PermissionDenied(_("Your role does not open this page."))
    return found


def _or_forbidden(stopped: LatchkeyError) -> str:
    if isinstance(stopped, NotPermitted):
        raise PermissionDenied(str(stopped)) from stopped
    return str(stopped)
