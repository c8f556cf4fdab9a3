"""The list of runs, one run, and what a person does about a step that needs one."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from msp.access.fresh import demand_code
from msp.access.rights import needs, reader
from msp.errors import LatchkeyError, NotPermitted
from tenants.actions.mend import retry_target, waive_step
from tenants.models import Run, Step, Target
from tenants.run_queries import people_about, progress_of, run_rows, runs_seen_by, tenants_in, with_accounts

RUNS_PER_PAGE = 25
TENANTS_PER_PAGE = 20
OPEN_AT_MOST = 3
"""So many troubled tenants are unfolded by themselves; more would bury the page."""


@require_safe
@needs("see_runs")
def run_list(request: HttpRequest) -> HttpResponse:
    page = Paginator(runs_seen_by(request.user), RUNS_PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "tenants/runs/list.html", {"rows": page, "runs": run_rows(page, request.user)})


@require_safe
@vary_on_headers("HX-Request", "HX-Target")
@needs("see_runs")
def run(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """The page, or for htmx the part of it that moves. The fragment ends its own polling when nothing is under way."""
    found: Run = get_object_or_404(runs_seen_by(request.user), pk=run_id)
    progress = progress_of(found, request.user)
    page = Paginator(tenants_in(found, request.user), TENANTS_PER_PAGE).get_page(request.GET.get("page"))
    part = "_live" if request.headers.get("HX-Target") == "progress" else "run"
    context = {
        "run": found,
        "leavers": people_about(found),
        "progress": progress,
        "rows": page,
        "tenants": with_accounts(page, found, request.user),
        "unfold": 0 < progress.tenants_for_a_person <= OPEN_AT_MOST,
        "may_mend": reader(request).may("waive"),
        "may_take_evidence": reader(request).may("see_reports"),
    }
    return render(request, f"tenants/runs/{part}.html", context)


@require_POST
@needs("waive")
def retry(request: HttpRequest, target_id: UUID) -> HttpResponse:
    target = get_object_or_404(Target.objects.visible_to(request.user).select_related("account__tenant"), pk=target_id)
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
    """Accept that one step's effect is missing: the step's truth, a reason, a fresh code."""
    step = get_object_or_404(
        Step.objects.visible_to(request.user).select_related("target__account__tenant", "target__run", "method"),
        pk=step_id,
    )
    reason, trouble, status = request.POST.get("reason", ""), "", 200
    if request.method == "POST":
        try:
            demand_code(request, request.POST.get("code", ""))
            waive_step(step, by=reader(request), reason=reason)
        except LatchkeyError as wrong:
            trouble, status = str(wrong), 403 if isinstance(wrong, NotPermitted) else 422
        else:
            messages.success(
                request,
                _("The gap on %(account)s is accepted, and your reason is part of the evidence.")
                % {"account": step.target.account},
            )
            return redirect(_place(step.target))
    context = {"step": step, "reason": reason, "trouble": trouble, "back": _place(step.target)}
    return render(request, "tenants/runs/waive.html", context, status=status)


def _tried_again(count: int, account: str) -> str:
    if not count:
        return _("There is nothing to try again on %(account)s.") % {"account": account}
    return ngettext(
        "One step on %(account)s is planned again.", "%(count)d steps on %(account)s are planned again.", count
    ) % {"count": count, "account": account}


def _place(target: Target) -> str:
    return f"{reverse('tenants:run', args=[target.run_id])}#account-{target.account_id}"
