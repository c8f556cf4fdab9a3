"""A customer goes: what will happen, the decision, the package, the customer's word, and the end."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from msp.access.fresh import demand_code
from msp.access.rights import needs, reader
from msp.errors import LatchkeyError, NotPermitted
from msp.outside import outside
from technicians.actions.exit_customer import preview_exit
from technicians.actions.finish_exit import finish_exit
from technicians.actions.hand_customer_over import confirm_receipt, make_package
from technicians.departure_forms import DepartureForm
from technicians.exit_forms import PackageForm
from technicians.exit_pages import exit_page
from technicians.exit_queries import exit_of
from technicians.preview_queries import preview_of
from technicians.views.departure_asking import asked
from technicians.views.previews import preview_context
from tenants.models import Customer, CustomerExit


@require_http_methods(["GET", "HEAD", "POST"])
@needs("offboard")
def begin(request: HttpRequest, customer_id: UUID) -> HttpResponse:
    """GET shows what would happen; POST asks for it, which makes the plan anew, and goes to the exit or its request."""
    customer: Customer = get_object_or_404(Customer.objects.visible_to(request.user), pk=customer_id)
    context: dict[str, Any] = {"customer": customer, "names": str(customer), "going": exit_of(customer)}
    try:
        plan = preview_exit(customer, by=reader(request))
    except LatchkeyError as stopped:
        context["stopped"] = str(stopped)
        if isinstance(stopped, NotPermitted):
            return _begin(request, context, status=HTTPStatus.FORBIDDEN)
        return _begin(request, context, status=_wrong(request))
    posted = request.POST if request.method == "POST" else None
    form = DepartureForm(posted, by=reader(request), leavers=[], place=customer, plan_accounts=len(plan.accounts))
    if posted is not None and (answer := asked(request, form)):
        going = exit_of(customer)
        return redirect("technicians:customer_exit", going.pk) if going else answer
    preview = preview_of(plan, [], reseller_id=customer.reseller_id)
    context |= preview_context(request, preview, is_exit=True) | {"form": form}
    return _begin(request, context, status=_wrong(request))


def _wrong(request: HttpRequest) -> int:
    return HTTPStatus.UNPROCESSABLE_ENTITY if request.method == "POST" else HTTPStatus.OK


def _begin(request: HttpRequest, context: dict[str, Any], *, status: int) -> HttpResponse:
    return render(request, "technicians/exits/begin.html", context, status=status)


@require_safe
@needs("offboard")
def customer_exit(request: HttpRequest, exit_id: UUID) -> HttpResponse:
    return _page(request, _seen(request, exit_id))


@require_POST
@never_cache
@sensitive_post_parameters("passphrase", "again")
@needs("export_secrets")
def package(request: HttpRequest, exit_id: UUID) -> HttpResponse:
    """Answers with the file, once it is written down who made it and for whom."""
    going = _seen(request, exit_id)
    form = PackageForm(request.POST)
    if not form.is_valid():
        return _page(request, going, form=form, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        demand_code(request, request.POST.get("code", ""))
        made = make_package(
            going,
            by=reader(request),
            recipient=form.cleaned_data["recipient"],
            passphrase=form.cleaned_data["passphrase"],
            outside=outside(),
        )
    except LatchkeyError as stopped:
        form.add_error(None, str(stopped))
        return _page(request, going, form=form, status=_status_of(stopped))
    name = f"{slugify(going.customer.name) or 'customer'}-hand-over-{timezone.now():%Y-%m-%d}.json"
    return HttpResponse(
        made.file,
        content_type="application/octet-stream",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@require_POST
@needs("offboard")
def received(request: HttpRequest, exit_id: UUID) -> HttpResponse:
    going = _seen(request, exit_id)
    try:
        demand_code(request, request.POST.get("code", ""))
        confirm_receipt(going, by=reader(request), note=request.POST.get("note", ""))
    except LatchkeyError as stopped:
        return _page(request, going, trouble={"received": str(stopped)}, status=_status_of(stopped))
    messages.success(request, _("It is written down that the package came."))
    return redirect("technicians:customer_exit", going.pk)


@require_POST
@needs("shred_secrets")
def end(request: HttpRequest, exit_id: UUID) -> HttpResponse:
    going = _seen(request, exit_id)
    try:
        demand_code(request, request.POST.get("code", ""))
        keys = finish_exit(going, by=reader(request), reason=request.POST.get("reason", ""), outside=outside())
    except LatchkeyError as stopped:
        return _page(request, going, trouble={"end": str(stopped)}, status=_status_of(stopped))
    messages.success(
        request,
        ngettext(
            "%(count)d data key is destroyed. No secret of %(name)s opens here any more.",
            "%(count)d data keys are destroyed. No secret of %(name)s opens here any more.",
            keys,
        )
        % {"count": keys, "name": going.customer},
    )
    return redirect("technicians:customer_exit", going.pk)


def _status_of(stopped: LatchkeyError) -> int:
    return HTTPStatus.FORBIDDEN if isinstance(stopped, NotPermitted) else HTTPStatus.UNPROCESSABLE_ENTITY


def _seen(request: HttpRequest, exit_id: UUID) -> CustomerExit:
    seen = CustomerExit.objects.visible_to(request.user).select_related(
        "customer", "run", "package_made_by", "received_said_by", "ended_by"
    )
    found: CustomerExit = get_object_or_404(seen, pk=exit_id)
    return found


def _page(
    request: HttpRequest,
    going: CustomerExit,
    *,
    form: PackageForm | None = None,
    trouble: dict[str, str] | None = None,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    progress = exit_page(going, reader(request))
    again = bool(request.GET.get("again")) or form is not None
    context = {
        "going": going,
        "customer": going.customer,
        "progress": progress,
        # One form at a time: each asks for a code, and the page has one field for it.
        "asks_for_package": progress.may_make_package and (again or going.package_made_at is None),
        "form": form or PackageForm(),
        "trouble": trouble or {},
        "note": request.POST.get("note", ""),
        "reason": request.POST.get("reason", ""),
    }
    return render(request, "technicians/exits/exit.html", context, status=status)
