"""A person holds a run, lets it go on, ends it, tries all of it again, or sees to an alarm."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from msp.access.fresh import demand_code
from msp.access.rights import needs, reader
from msp.errors import LatchkeyError, NotPermitted
from tenants.actions.alarms import see_to_alarm
from tenants.actions.control_run import Cancelled, cancel_run, pause_run, resume_run
from tenants.actions.mend import retry_run
from tenants.models import Alarm, Run
from tenants.run_queries import act_counts, people_about, runs_seen_by

BOTH = ["GET", "HEAD", "POST"]


@require_http_methods(BOTH)
@needs("waive")
def pause(request: HttpRequest, run_id: UUID) -> HttpResponse:
    def act(run: Run, reason: str) -> str:
        pause_run(run, by=reader(request), reason=reason)
        return _("The run is paused. What was sent before is read back; nothing more is sent until it is resumed.")

    return _decide(request, run_id, "pause", act)


@require_http_methods(BOTH)
@needs("waive")
def resume(request: HttpRequest, run_id: UUID) -> HttpResponse:
    def act(run: Run, _reason: str) -> str:
        resume_run(run, by=reader(request))
        return _("The run goes on where it stopped.")

    return _decide(request, run_id, "resume", act)


@require_http_methods(BOTH)
@needs("waive")
def cancel(request: HttpRequest, run_id: UUID) -> HttpResponse:
    def act(run: Run, reason: str) -> str:
        return _what_stands(cancel_run(run, by=reader(request), reason=reason))

    return _decide(request, run_id, "cancel", act)


@require_POST
@needs("waive")
def retry_all(request: HttpRequest, run_id: UUID) -> HttpResponse:
    run = get_object_or_404(runs_seen_by(request.user), pk=run_id)
    try:
        steps, accounts = retry_run(run, by=reader(request))
    except LatchkeyError as trouble:
        messages.error(request, str(trouble))
    else:
        messages.success(request, _tried_again(steps, accounts))
    return redirect("tenants:run", run.pk)


@require_POST
@needs("waive")
def see_to(request: HttpRequest, alarm_id: UUID) -> HttpResponse:
    alarm = get_object_or_404(Alarm.objects.visible_to(request.user).select_related("run"), pk=alarm_id)
    try:
        see_to_alarm(alarm, by=reader(request))
    except LatchkeyError as trouble:
        messages.error(request, str(trouble))
    else:
        messages.success(request, _("You have seen to the alarm; your name is in the ledger."))
    return redirect("tenants:run", alarm.run_id)


def _decide(request: HttpRequest, run_id: UUID, act: str, do: Callable[[Run, str], str]) -> HttpResponse:
    """The page that names the counts, and the act behind a fresh code. `do` answers what is said afterwards."""
    run = get_object_or_404(runs_seen_by(request.user), pk=run_id)
    reason, trouble, status = request.POST.get("reason", ""), "", 200
    if request.method == "POST":
        try:
            demand_code(request, request.POST.get("code", ""))
            said = do(run, reason)
        except LatchkeyError as wrong:
            trouble, status = str(wrong), 403 if isinstance(wrong, NotPermitted) else 422
        else:
            messages.success(request, said)
            return redirect("tenants:run", run.pk)
    context = {
        "run": run,
        "leavers": people_about(run),
        "counts": act_counts(run, request.user),
        "reason": reason,
        "trouble": trouble,
        "back": reverse("tenants:run", args=[run.pk]),
    }
    return render(request, f"tenants/runs/{act}.html", context, status=status)


def _what_stands(outcome: Cancelled) -> str:
    done = ngettext("%(n)d change was done and stays done", "%(n)d changes were done and stay done", outcome.done)
    moving = ngettext(
        "%(n)d is on its way and is read back", "%(n)d are on their way and are read back", outcome.on_their_way
    )
    never = ngettext("%(n)d was never sent", "%(n)d were never sent", outcome.never_sent)
    return _("The run is cancelled. %(done)s; %(moving)s; %(never)s.") % {
        "done": done % {"n": outcome.done},
        "moving": moving % {"n": outcome.on_their_way},
        "never": never % {"n": outcome.never_sent},
    }


def _tried_again(steps: int, accounts: int) -> str:
    if not steps:
        return _("There is nothing to try again in this run.")
    on = ngettext("%(n)d account", "%(n)d accounts", accounts) % {"n": accounts}
    planned = ngettext(
        "%(n)d step on %(accounts)s is planned again.", "%(n)d steps on %(accounts)s are planned again.", steps
    )
    return planned % {"n": steps, "accounts": on}
