"""The list of runs, one run, and what a person does about a step that needs one."""

from __future__ import annotations

import datetime as dt
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from msp.access.fresh import demand_code
from msp.access.rights import needs, reader
from msp.errors import BadInput, LatchkeyError, NotPermitted
from tenants.actions.mend import MOST_DAYS, USUAL_DAYS, retry_target, waive_step
from tenants.alarm_queries import alarms_seen_by
from tenants.clock_queries import clocks_of
from tenants.models import Delivery, Reach, Run, Step, Target
from tenants.run_filters import RunFilters, Show
from tenants.run_page_queries import stamp_of, tenants_in, with_accounts
from tenants.run_queries import act_counts, people_about, progress_of, run_rows, runs_seen_by

RUNS_PER_PAGE = 25
TENANTS_PER_PAGE = 20
DELIVERIES_SHOWN = 50
OPEN_AT_MOST = 3
"""So many troubled tenants are unfolded by themselves; more would bury the page."""


@require_safe
@needs("see_runs")
def run_list(request: HttpRequest) -> HttpResponse:
    page = Paginator(runs_seen_by(request.user), RUNS_PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "rows": page,
        "runs": run_rows(page, request.user),
        "alarms": alarms_seen_by(reader(request)),
        "may_see_to": reader(request).may("waive"),
    }
    return render(request, "tenants/runs/list.html", context)


@require_safe
@vary_on_headers("HX-Request", "HX-Target")
@needs("see_runs")
def run(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """The page, or for htmx the part of it that moves; 204 when nothing has changed since the part it has.

    The fragment ends its own polling when nothing is under way.
    """
    found: Run = get_object_or_404(runs_seen_by(request.user), pk=run_id)
    now, filters = timezone.now(), RunFilters.read(request.GET)
    asked = _asked(filters, request.GET.get("page", ""))
    stamp = stamp_of(found, reader(request), asked, now)
    is_part = request.headers.get("HX-Target") == "progress"
    if is_part and request.GET.get("seen") == stamp:
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    context = _live(request, found, filters, now) | {
        "deliveries": _deliveries(found, person=reader(request)) if not is_part else [],
        "live_url": f"{request.path}?{'&'.join(part for part in (asked, f'seen={stamp}') if part)}",
    }
    return render(request, f"tenants/runs/{'_live' if is_part else 'run'}.html", context)


def _deliveries(found: Run, *, person: Any) -> list[Delivery]:
    """Who was told of the run outside Latchkey: for those who answer for it, and see all that was told."""
    if not person.may("waive") or person.reach != Reach.EVERYTHING:
        return []
    told = Delivery.objects.visible_to(person).filter(run=found).select_related("to")
    return list(told.order_by("-made_at", "address")[:DELIVERIES_SHOWN])


def _asked(filters: RunFilters, page: str) -> str:
    number = urlencode({"page": page}) if page.isdecimal() else ""
    return "&".join(part for part in (filters.query, number) if part)


def _live(request: HttpRequest, found: Run, filters: RunFilters, now: dt.datetime) -> dict[str, object]:
    person = reader(request)
    progress = progress_of(found, person)
    page = Paginator(tenants_in(found, person, filters, now), TENANTS_PER_PAGE).get_page(request.GET.get("page"))
    return {
        "run": found,
        "leavers": people_about(found),
        "progress": progress,
        "clocks": clocks_of(found, person, now),
        "counts": act_counts(found, person) if found.is_paused or found.cancelled_at else None,
        "alarms": alarms_seen_by(person, run=found),
        "filters": filters,
        "shows": Show.choices,
        "rows": page,
        "tenants": with_accounts(page, found, person, filters, now),
        "unfold": 0 < progress.tenants_for_a_person <= OPEN_AT_MOST,
        "may_mend": person.may("waive"),
        "may_see_to": person.may("waive"),
        "may_hold": person.may("reveal"),
        "may_see_accounts": person.may("see_accounts"),
        "may_take_evidence": person.may("see_reports"),
        "may_see_people": person.may("see_people"),
    }


@require_POST
@needs("waive")
def retry(request: HttpRequest, target_id: UUID) -> HttpResponse:
    target = get_object_or_404(
        Target.objects.visible_to(request.user).select_related("account__tenant", "run"), pk=target_id
    )
    try:
        count = retry_target(target, by=reader(request))
    except LatchkeyError as trouble:
        messages.error(request, str(trouble))
    else:
        messages.success(request, _tried_again(count, str(target.account)))
    return redirect(_place(target))


@require_http_methods(["GET", "HEAD", "POST"])
@needs("waive")
def waive(request: HttpRequest, step_id: UUID) -> HttpResponse:
    """Accept that one step's effect is missing: the step's truth, a reason, a last day, a fresh code."""
    step = get_object_or_404(
        Step.objects.visible_to(request.user).select_related("target__account__tenant", "target__run", "method"),
        pk=step_id,
    )
    today = timezone.now().astimezone(dt.UTC).date()
    usual = (today + dt.timedelta(days=USUAL_DAYS)).isoformat()
    reason, until, trouble, status = request.POST.get("reason", ""), request.POST.get("until", usual), "", 200
    if request.method == "POST":
        try:
            demand_code(request, request.POST.get("code", ""))
            waive_step(step, by=reader(request), reason=reason, until=_day(until))
        except LatchkeyError as wrong:
            trouble, status = str(wrong), 403 if isinstance(wrong, NotPermitted) else 422
        else:
            messages.success(
                request,
                _("The gap on %(account)s is accepted, and your reason is part of the evidence.")
                % {"account": step.target.account},
            )
            return redirect(_place(step.target))
    context = {
        "step": step,
        "reason": reason,
        "until": until,
        "first_day": today.isoformat(),
        "last_day": (today + dt.timedelta(days=MOST_DAYS)).isoformat(),
        "trouble": trouble,
        "back": _place(step.target),
    }
    return render(request, "tenants/runs/waive.html", context, status=status)


def _day(text: str) -> dt.date | None:
    """None when nothing was said: then the usual time holds. Raises BadInput."""
    if not text.strip():
        return None
    try:
        day = parse_date(text.strip())
    except ValueError:
        day = None
    if day is None:
        raise BadInput(_("Write the last day as year-month-day, like 2031-01-31. Nothing was changed."))
    return day


def _tried_again(count: int, account: str) -> str:
    if not count:
        return _("There is nothing to try again on %(account)s.") % {"account": account}
    return ngettext(
        "One step on %(account)s is planned again.", "%(count)d steps on %(account)s are planned again.", count
    ) % {"count": count, "account": account}


def _place(target: Target) -> str:
    return f"{reverse('tenants:run', args=[target.run_id])}#account-{target.account_id}"
