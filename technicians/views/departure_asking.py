"""Asking for a departure: of several people at once, or of what somebody has in one place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from msp.access.fresh import demand_code
from msp.access.rights import needs, reader
from msp.errors import LatchkeyError, NotPermitted
from technicians.actions.departure_rules import demand_may_offboard, demand_sees_everything
from technicians.actions.request_departure import request_departure
from technicians.departure_forms import DepartureForm
from technicians.departure_queries import Place, plan_for
from technicians.models import DepartureRequest, Technician
from technicians.pages import technicians_like
from technicians.preview_queries import preview_of
from technicians.views.previews import preview_context
from tenants.models import SharedAccount, TenantGroup
from tenants.run_queries import Size, size_of

MOST_TO_CHOOSE_FROM = 500


@require_http_methods(["GET", "HEAD", "POST"])
@needs("offboard")
def ask(request: HttpRequest) -> HttpResponse:
    """Without `person` in the address: choose who. With them: what would happen, then one decision."""
    leavers = _leavers(request)
    if not leavers:
        return _choose(request)
    place, trouble = _place(request)
    if trouble:
        return _choose_place(request, leavers, trouble)
    try:
        for leaver in leavers:
            demand_may_offboard(leaver, reader(request))
        plan = plan_for(leavers, place)
    except LatchkeyError as stopped:
        status = 403 if isinstance(stopped, NotPermitted) else 200
        return _page(request, leavers, place, {"stopped": str(stopped)}, status=status)
    posted = request.POST if request.method == "POST" else None
    form = DepartureForm(posted, by=reader(request), leavers=leavers, place=place, plan_accounts=len(plan.accounts))
    status = 200
    if posted is not None:
        if answer := asked(request, form):
            return answer
        status = 422
    preview = preview_of(plan, leavers, reseller_id=reader(request).reseller_id)
    return _page(request, leavers, place, preview_context(request, preview) | {"form": form}, status=status)


def asked(request: HttpRequest, form: DepartureForm) -> HttpResponse | None:
    """Carry out what the form asks for and lead to the run, or to the request; None when it says what is wrong."""
    if not form.is_valid():
        return None
    try:
        demand_code(request, request.POST.get("code", ""))
        made = request_departure(**form.wish(), by=reader(request))
    except LatchkeyError as stopped:
        form.add_error(None, str(stopped))
        return None
    if remark := form.cleaned_data["start"].remark:
        messages.info(request, remark)
    if made.run is None:
        messages.success(request, _said(made))
        return redirect("technicians:departure", made.pk)
    if promised(request) not in (None, size_of(made.run)):
        messages.warning(
            request,
            _(
                "Something changed between the preview and your decision, so the plan was made again. "
                "What is below is what was decided."
            ),
        )
    return redirect("tenants:run", made.run.pk)


def promised(request: HttpRequest) -> Size | None:
    """The size that the preview promised, which the form carries; None when it carries none."""
    given = [request.POST.get(f"promised_{name}", "") for name in ("accounts", "tenants", "methods")]
    if not all(value.isdecimal() for value in given):
        return None
    return Size(*map(int, given))


def _said(made: DepartureRequest) -> str:
    if made.status == DepartureRequest.Status.WAITING:
        return _("The request waits for approval. Nothing has happened at Microsoft yet.")
    return _("The departure is scheduled. Nothing has happened at Microsoft yet.")


def _leavers(request: HttpRequest) -> list[Technician]:
    """Those named in the address, as far as the reader sees them; a stranger is 404."""
    ids = set(_ids(request.GET.getlist("person")))
    found = list(Technician.objects.visible_to(request.user).filter(pk__in=ids).order_by("name"))
    if len(found) != len(ids):
        raise Http404
    return found


def _ids(texts: Sequence[str]) -> list[UUID]:
    try:
        return [UUID(text) for text in texts if text]
    except ValueError:
        raise Http404 from None


def _place(request: HttpRequest) -> tuple[Place | None, str]:
    """The group or the account that the address names, and what is wrong with it."""
    group, account = request.GET.get("group", ""), request.GET.get("account", "").strip()
    if group and account:
        return None, _("Choose a group or an account, not both.")
    if group:
        found = TenantGroup.objects.visible_to(request.user).filter(pk__in=_ids([group])).first()
        if found is None:
            raise Http404
        return found, ""
    if not account:
        return None, ""
    named = list(SharedAccount.objects.visible_to(request.user).filter(user_principal_name__iexact=account)[:2])
    if len(named) != 1:
        few = _("No shared account that you see has this user name.")
        many = _("Two tenants have an account of this name; end the assignment on the page of the person instead.")
        return None, many if named else few
    return named[0], ""


def _choose(request: HttpRequest) -> HttpResponse:
    """Tick who leaves."""
    words = request.GET.get("q", "").strip()
    stopped = ""
    try:
        demand_sees_everything(reader(request), reseller_id=reader(request).reseller_id)
    except NotPermitted as wrong:
        stopped = str(wrong)
    found = technicians_like(request.user, words=words, show="all").exclude(status=Technician.Status.LEFT)
    context = {
        "people": found.exclude(pk=reader(request).pk)[:MOST_TO_CHOOSE_FROM],
        "words": words,
        "stopped": stopped,
        "nobody": bool(request.GET.get("choose")),
    }
    return render(request, "technicians/departures/choose.html", context, status=403 if stopped else 200)


def _choose_place(request: HttpRequest, leavers: list[Technician], trouble: str) -> HttpResponse:
    return _page(request, leavers, None, {"place_trouble": trouble}, status=422)


def _page(
    request: HttpRequest, leavers: list[Technician], place: Place | None, context: dict[str, Any], *, status: int
) -> HttpResponse:
    context |= {
        "leavers": leavers,
        "names": ", ".join(map(str, leavers)),
        "place": place,
        "groups": TenantGroup.objects.visible_to(request.user).order_by("name"),
        "group_id": request.GET.get("group", ""),
        "account_name": request.GET.get("account", ""),
    }
    return render(request, "technicians/departures/ask.html", context, status=status)
