"""Places of a customer that are no Microsoft tenant, and the accounts there."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from msp.access.fresh import demand_code
from msp.access.rights import needs, reader
from msp.errors import BadInput, LatchkeyError, NotPermitted
from msp.outside import outside
from tenants.actions.add_accounts import add_accounts
from tenants.actions.add_customers import require_customer_rights
from tenants.actions.add_place import add_place
from tenants.guided_forms import PlaceAccountForm, PlaceForm
from tenants.models import Customer, SecretVersion, Tenant


@require_http_methods(["GET", "HEAD", "POST"])
@needs("import")
def new_place(request: HttpRequest, customer_id: UUID) -> HttpResponse:
    customer: Customer = get_object_or_404(Customer.objects.visible_to(request.user), pk=customer_id)
    form, said = PlaceForm(request.POST or None), {}
    try:
        require_customer_rights(reader(request))
    except NotPermitted as refused:
        return _page(request, "new_place", {"customer": customer, "form": None}, _wrong(refused))
    if request.method == "POST" and form.is_valid():
        try:
            demand_code(request, request.POST.get("code", ""))
            place = add_place(customer, form.place(), by=reader(request))
        except LatchkeyError as wrong:
            said = _wrong(wrong)
        else:
            messages.success(
                request, _("%(place)s is here. Add the accounts that are shared there.") % {"place": place}
            )
            return redirect("tenants:detail", place.pk)
    return _page(request, "new_place", {"customer": customer, "form": form}, said)


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("password")
@needs("import")
def new_account(request: HttpRequest, place_id: UUID) -> HttpResponse:
    """What was typed as the password is never put into a page again."""
    places = Tenant.objects.visible_to(request.user).exclude(system=Tenant.System.ENTRA).select_related("customer")
    place: Tenant = get_object_or_404(places, pk=place_id)
    form, said = PlaceAccountForm(request.POST or None), {}
    if request.method == "POST" and form.is_valid():
        try:
            demand_code(request, request.POST.get("code", ""))
            [account] = add_accounts(
                [form.account(place)], by=reader(request), outside=outside(), source=SecretVersion.Source.ENTERED
            )
        except LatchkeyError as wrong:
            said = _wrong(_said_properly(wrong))
        else:
            messages.success(request, _("The account is here. Assign it to those who use it."))
            return redirect("tenants:account", account.pk)
    return _page(request, "new_account", {"place": place, "form": form}, said)


def _said_properly(wrong: LatchkeyError) -> LatchkeyError:
    """For one account the usual cause is not another person at the same moment."""
    if isinstance(wrong, BadInput) and wrong.__cause__ is not None:
        return BadInput(_("There is an account with this user name here already. Nothing was saved."))
    return wrong


def _wrong(wrong: LatchkeyError) -> dict[str, Any]:
    refused = isinstance(wrong, NotPermitted)
    return {"trouble": str(wrong), "status": HTTPStatus.FORBIDDEN if refused else HTTPStatus.UNPROCESSABLE_ENTITY}


def _page(request: HttpRequest, name: str, context: dict[str, Any], said: dict[str, Any]) -> HttpResponse:
    form = context["form"]
    usual = HTTPStatus.UNPROCESSABLE_ENTITY if form is not None and form.errors else HTTPStatus.OK
    status = said.pop("status", usual)
    return render(request, f"tenants/{name}.html", context | said, status=status)
