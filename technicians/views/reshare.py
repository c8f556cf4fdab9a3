"""Who of those who stay has the password that a run has changed."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from msp.access.rights import needs, reader
from technicians.actions.remind_holders import remind_holders
from technicians.reshare_queries import accounts_changed_by, shares_of, sum_of
from tenants.models import Run
from tenants.run_queries import people_about, runs_seen_by

ACCOUNTS_PER_PAGE = 50


@require_safe
@vary_on_headers("HX-Request", "HX-Target")
@needs("see_people")
def reshare(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """The page; for the run's own page only the sum of it, which htmx puts into the link there."""
    run: Run = get_object_or_404(runs_seen_by(request.user), pk=run_id)
    accounts = accounts_changed_by(run, request.user)
    reshared = sum_of(shares_of(accounts))
    if request.headers.get("HX-Target") == "reshare":
        return render(request, "technicians/reshare/_sum.html", {"run": run, "sum": reshared})
    page = Paginator(accounts, ACCOUNTS_PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "run": run,
        "leavers": people_about(run),
        "sum": reshared,
        "rows": page,
        "shared": shares_of(page),
        "may_remind": reader(request).may("offboard"),
    }
    return render(request, "technicians/reshare/reshare.html", context)


@require_POST
@needs("offboard")
def remind(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """It sends word and changes nothing, so that no fresh code is asked for."""
    run: Run = get_object_or_404(Run.objects.visible_to(request.user), pk=run_id)
    count = remind_holders(run, by=reader(request))
    if count:
        said = ngettext("One reminder goes out.", "%(count)d reminders go out.", count) % {"count": count}
        messages.success(request, said)
    else:
        messages.info(
            request, _("Nobody needs a reminder now: each has it, was told within the hour, or has it unread here.")
        )
    return redirect("technicians:reshare", run.pk)
