"""Take-overs: the list, a new one, how far one is, and its end."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from msp.access.fresh import demand_code
from msp.access.rights import needs, reader
from msp.errors import LatchkeyError, NotPermitted
from msp.outside import outside
from technicians.actions.do_take_over_task import ask_again, excuse
from technicians.actions.finish_take_over import (
    cancel_take_over,
    change_take_over,
    reopen_take_over,
    settle_take_over,
)
from technicians.actions.free_place import free_place, preview_place
from technicians.actions.remove_unknown import preview_removal, remove_unknown
from technicians.actions.start_take_over import bring_up_to_date, read_for_take_over, start_take_over
from technicians.models import TakeOver, TakeOverTask
from technicians.take_over_forms import DueForm, TakeOverForm
from technicians.take_over_plans import RemovalPlan
from technicians.take_over_queries import open_accounts_of, runs_of, take_over_page, take_overs_seen_by
from tenants.models import SharedAccount, Tenant
from tenants.run_queries import run_rows

PER_PAGE = 25
ACCOUNTS_PER_PAGE = 50


@require_safe
@needs("see_people")
def take_overs(request: HttpRequest) -> HttpResponse:
    rows = Paginator(take_overs_seen_by(request.user), PER_PAGE).get_page(request.GET.get("page"))
    context = {"rows": rows, "may_start": reader(request).may("enrol"), "today": timezone.localdate()}
    return render(request, "technicians/take_overs/list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("enrol")
def start(request: HttpRequest) -> HttpResponse:
    """GET may name a `tenant` or an `account` to begin with."""
    if request.method != "POST":
        return _form_page(request, TakeOverForm(by=reader(request), initial=_named(request)))
    form = TakeOverForm(request.POST, by=reader(request))
    if not form.is_valid():
        return _form_page(request, form, HTTPStatus.UNPROCESSABLE_ENTITY)
    given = form.cleaned_data
    try:
        begun = start_take_over(
            given["name"],
            given["accounts"],
            by=reader(request),
            due_on=given["due_on"],
            reason=given["reason"],
            owner=given["owner"],
            outside=outside(),
        )
    except NotPermitted:
        raise
    except LatchkeyError as trouble:
        form.add_error(None, str(trouble))
        return _form_page(request, form, HTTPStatus.UNPROCESSABLE_ENTITY)
    return redirect("technicians:take_over", begun.pk)


def _form_page(request: HttpRequest, form: TakeOverForm, status: int = HTTPStatus.OK) -> HttpResponse:
    return render(request, "technicians/take_overs/start.html", {"form": form}, status=status)


def _named(request: HttpRequest) -> dict[str, Any]:
    """What the address names, as far as the reader sees it."""
    lines = []
    if tenant := Tenant.objects.visible_to(request.user).filter(pk=_uuid(request.GET.get("tenant"))).first():
        lines.append(tenant.default_domain)
    if account := SharedAccount.objects.visible_to(request.user).filter(pk=_uuid(request.GET.get("account"))).first():
        lines.append(account.user_principal_name)
    return {"places": "\n".join(lines)} if lines else {}


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text or "")
    except ValueError:
        return None


@require_safe
@needs("see_people")
def take_over(request: HttpRequest, take_over_id: UUID) -> HttpResponse:
    return _page(request, _seen(request, take_over_id))


def _page(request: HttpRequest, found: TakeOver, form: DueForm | None = None) -> HttpResponse:
    page, person = take_over_page(found, request.user), reader(request)
    may_decide = person.may("enrol")
    may_change = may_decide and found.status in (TakeOver.Status.OPEN, TakeOver.Status.REMOVING)
    facts = {"due_on": found.due_on, "owner": found.owner_id}
    context = {
        "take_over": found,
        "progress": page.progress,
        "rows": Paginator(page.rows, ACCOUNTS_PER_PAGE).get_page(request.GET.get("page")),
        "is_open": found.status == TakeOver.Status.OPEN,
        "is_overdue": found.status == TakeOver.Status.OPEN and found.due_on < timezone.localdate(),
        "may_decide": may_decide,
        "may_see_runs": person.may("see_runs"),
        "runs": run_rows(runs_of(found, person)[:10], person) if person.may("see_runs") else [],
        "waits_for_a_person": found.status == TakeOver.Status.REMOVING
        and found.run is not None
        and found.run.state == "needs_attention",
        "form": (form or DueForm(by=person, initial=facts)) if may_change else None,
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form is not None else HTTPStatus.OK
    return render(request, "technicians/take_overs/take_over.html", context, status=status)


@require_POST
@needs("enrol")
def read(request: HttpRequest, take_over_id: UUID) -> HttpResponse:
    """Read its accounts again, and look who came and what was done meanwhile."""
    found = _seen(request, take_over_id)
    seen = SharedAccount.objects.visible_to(request.user)
    problems = read_for_take_over(list(open_accounts_of(found).filter(pk__in=seen)), outside=outside())
    bring_up_to_date(found)
    settle_take_over(found)
    for account, problem in list(problems.items())[:5]:
        messages.error(request, f"{account}: {problem}")
    return redirect("technicians:take_over", found.pk)


@require_POST
@needs("enrol")
def change(request: HttpRequest, take_over_id: UUID) -> HttpResponse:
    found = _seen(request, take_over_id)
    form = DueForm(request.POST, by=reader(request))
    if not form.is_valid():
        return _page(request, found, form)
    given = form.cleaned_data

    def act() -> None:
        change_take_over(found, by=reader(request), owner=given["owner"], due_on=given["due_on"])

    return _done(request, found, act, _("Changed."))


@require_POST
@needs("enrol")
def cancel(request: HttpRequest, take_over_id: UUID) -> HttpResponse:
    found = _seen(request, take_over_id)

    def act() -> None:
        cancel_take_over(found, by=reader(request), reason=request.POST.get("reason", ""))

    return _done(request, found, act, _("The take-over is given up. Nobody is asked any more, and nothing is removed."))


@require_POST
@needs("enrol")
def reopen(request: HttpRequest, take_over_id: UUID) -> HttpResponse:
    found = _seen(request, take_over_id)

    def act() -> None:
        reopen_take_over(found, by=reader(request))

    return _done(request, found, act, _("The take-over is open again. The run keeps what it has to say."))


@require_POST
@needs("enrol")
def excuse_person(request: HttpRequest, task_id: UUID) -> HttpResponse:
    task = _task(request, task_id)

    def act() -> None:
        excuse(task, by=reader(request), reason=request.POST.get("reason", ""))

    said = _("%(name)s needs no method on %(account)s.") % {
        "name": task.technician,
        "account": task.take_over_account.account,
    }
    return _done(request, task.take_over_account.take_over, act, said)


@require_POST
@needs("enrol")
def ask_person_again(request: HttpRequest, task_id: UUID) -> HttpResponse:
    task = _task(request, task_id)

    def act() -> None:
        ask_again(task, by=reader(request))

    said = _("%(name)s is asked again.") % {"name": task.technician}
    return _done(request, task.take_over_account.take_over, act, said)


def _done(request: HttpRequest, found: TakeOver, act: Callable[[], None], said: str) -> HttpResponse:
    """Act, and say on the page of the take-over what came of it."""
    try:
        act()
    except NotPermitted:
        raise
    except LatchkeyError as trouble:
        messages.error(request, str(trouble))
    else:
        messages.success(request, said)
    return redirect("technicians:take_over", found.pk)


# --- what changes something at Microsoft --------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@needs("enrol")
def remove(request: HttpRequest, take_over_id: UUID) -> HttpResponse:
    """GET shows the plan; POST makes it anew and carries it out."""
    found, trouble, status = _seen(request, take_over_id), "", 200
    rotate = bool(request.POST.get("rotate"))
    if request.method == "POST":
        try:
            demand_code(request, request.POST.get("code", ""))
            remove_unknown(found, by=reader(request), reason=request.POST.get("reason", ""), rotate=rotate)
        except LatchkeyError as wrong:
            trouble, status = str(wrong), 403 if isinstance(wrong, NotPermitted) else 422
        else:
            return _after_removal(request, found)
    context = {"take_over": found, "trouble": trouble, "reason": request.POST.get("reason", ""), "rotate": rotate}
    try:
        plan = preview_removal(found, by=reader(request), rotate=rotate)
    except LatchkeyError as stopped:
        context |= {"stopped": str(stopped), "trouble": ""}
        status = 403 if isinstance(stopped, NotPermitted) else status
    else:
        context |= {
            "plan": plan,
            "rows": Paginator(plan.accounts, ACCOUNTS_PER_PAGE).get_page(request.GET.get("page")),
            "button": _button(plan),
        }
    return render(request, "technicians/take_overs/remove.html", context, status=status)


def _after_removal(request: HttpRequest, found: TakeOver) -> HttpResponse:
    if found.status == TakeOver.Status.FINISHED:
        messages.success(request, _("Nothing unknown was left, so the take-over is finished."))
    promised = request.POST.get("promised_methods", "")
    if found.status == TakeOver.Status.REMOVING and found.run is not None:
        removals = found.run.targets.filter(steps__kind="remove_method").values("steps").count()
        if promised.isdecimal() and int(promised) != removals:
            messages.warning(
                request,
                _(
                    "Something changed between the preview and your decision, so the plan was made again. The run "
                    "shows what was decided."
                ),
            )
    return redirect("technicians:take_over", found.pk)


def _button(plan: RemovalPlan) -> str:
    """What the button does, with the count."""
    if not plan.targets:
        count = len(plan.at_the_end)
        return ngettext("Close %(count)d account", "Close %(count)d accounts", count) % {"count": count}
    where = ngettext("%(count)d account", "%(count)d accounts", plan.changed) % {"count": plan.changed}
    return ngettext(
        "Remove %(count)d method from %(where)s", "Remove %(count)d methods from %(where)s", plan.methods
    ) % {"count": plan.methods, "where": where}


@require_http_methods(["GET", "HEAD", "POST"])
@needs("enrol")
def place(request: HttpRequest, take_over_id: UUID, account_id: UUID) -> HttpResponse:
    """One place of a full account: GET reads the account and says what the rule chose, POST has it removed."""
    found = _seen(request, take_over_id)
    seen = SharedAccount.objects.visible_to(request.user).filter(take_overs__take_over=found)
    account: SharedAccount = get_object_or_404(seen.select_related("tenant"), pk=account_id)
    trouble, status, reason = "", 200, request.POST.get("reason", "")
    if request.method == "POST":
        try:
            demand_code(request, request.POST.get("code", ""))
            run = free_place(
                found,
                account,
                method_id=request.POST.get("method", ""),
                by=reader(request),
                reason=reason,
                outside=outside(),
            )
        except LatchkeyError as wrong:
            trouble, status = str(wrong), 403 if isinstance(wrong, NotPermitted) else 422
        else:
            return redirect("tenants:run", run.pk)
    context = {"take_over": found, "account": account, "trouble": trouble, "reason": reason}
    try:
        context["preview"] = preview_place(found, account, by=reader(request), outside=outside())
    except LatchkeyError as stopped:
        context["stopped"] = str(stopped)
    return render(request, "technicians/take_overs/place.html", context, status=status)


def _seen(request: HttpRequest, take_over_id: UUID) -> TakeOver:
    seen = TakeOver.objects.visible_to(request.user).select_related("owner", "run", "reseller", "started_by")
    found: TakeOver = get_object_or_404(seen, pk=take_over_id)
    return found


def _task(request: HttpRequest, task_id: UUID) -> TakeOverTask:
    seen = TakeOverTask.objects.visible_to(request.user).select_related(
        "technician", "take_over_account__take_over", "take_over_account__account"
    )
    found: TakeOverTask = get_object_or_404(seen, pk=task_id)
    return found
