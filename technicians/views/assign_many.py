"""A joiner is given many accounts in one act: choose, look at what it needs, decide."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from msp.access.fresh import demand_code
from msp.access.rights import needs, reader
from msp.errors import LatchkeyError
from technicians.actions.assign_many import assign_many
from technicians.capacity_plans import plan_capacity
from technicians.capacity_queries import places_of
from technicians.life_forms import ChooseAccountsForm, GiveForm
from technicians.models import Assignment, Technician
from tenants.models import SharedAccount


@require_http_methods(["GET", "HEAD", "POST"])
@needs("assign")
def give_many(request: HttpRequest, technician_id: UUID) -> HttpResponse:
    """GET chooses and, once something is chosen, shows what it needs; POST gives it."""
    person: Technician = get_object_or_404(Technician.objects.visible_to(request.user), pk=technician_id)
    asked = request.POST if request.method == "POST" else request.GET
    choosing = ChooseAccountsForm(asked if "choose" in asked else None, by=reader(request))
    context: dict[str, Any] = {"technician": person, "choosing": choosing}
    if not person.is_active or not choosing.is_bound or not choosing.is_valid():
        wrong = request.method == "POST" and choosing.is_bound and bool(choosing.errors)
        return render(request, "technicians/life/assign_many.html", context, status=422 if wrong else 200)
    chosen = choosing.chosen()
    giving = GiveForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and giving.is_valid():
        try:
            demand_code(request, request.POST.get("code", ""))
            given = giving.cleaned_data
            done = assign_many(person, chosen, by=reader(request), reason=given["reason"], until=given["until"])
        except LatchkeyError as trouble:
            giving.add_error(None, str(trouble))
        else:
            messages.success(
                request,
                _("%(name)s holds %(count)d more accounts; %(lines)d are on the enrolment list.")
                % {"name": person, "count": len(done.assignments), "lines": len(done.requests)},
            )
            return redirect("technicians:enrolment_list_of", person.pk)
    context |= {"giving": giving, **_needs_of(request, person, chosen)}
    status = 422 if giving.is_bound and giving.errors else 200
    return render(request, "technicians/life/assign_many.html", context, status=status)


def _needs_of(request: HttpRequest, person: Technician, chosen: list[SharedAccount]) -> dict[str, Any]:
    """What the choice would meet: accounts that the person has, and accounts without a place."""
    live = Assignment.objects.visible_to(request.user).live().filter(technician=person)
    held = set(live.values_list("account_id", flat=True))
    new = [account for account in chosen if account.pk not in held]
    places = places_of(new)
    return {
        "new": [(account, places[account.pk]) for account in new],
        "had": len(chosen) - len(new),
        "capacity": plan_capacity(places.values(), person.pk),
    }
