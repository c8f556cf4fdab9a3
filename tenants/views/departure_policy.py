"""The policy of departures: who must agree, what is tried afterwards, who is told."""

from __future__ import annotations

from http import HTTPStatus

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from msp.access.fresh import demand_code
from msp.access.rights import needs, reader
from msp.errors import BadInput, NotPermitted
from tenants.actions.set_departure_policy import RIGHT, set_departure_policy
from tenants.departure_policy_forms import DeparturePolicyForm
from tenants.departure_policy_queries import departure_policy_of
from tenants.models import Reach


@require_http_methods(["GET", "HEAD", "POST"])
@needs(RIGHT)
def departure_policy(request: HttpRequest) -> HttpResponse:
    person = reader(request)
    policy = departure_policy_of(person.reseller_id)
    may_set = person.reach == Reach.EVERYTHING
    form = DeparturePolicyForm(request.POST if request.method == "POST" else None, policy=policy)
    code_error, status = "", HTTPStatus.OK
    if request.method == "POST" and form.is_valid():
        try:
            demand_code(request, request.POST.get("code", ""))
        except BadInput as wrong:
            code_error = str(wrong)
        else:
            try:
                set_departure_policy(form.rules(), by=person)
            except (BadInput, NotPermitted) as stopped:
                form.add_error(None, str(stopped))
                status = HTTPStatus.FORBIDDEN if isinstance(stopped, NotPermitted) else status
            else:
                messages.success(request, _("The policy of departures holds from now on."))
                return redirect("tenants:departure_policy")
    if status == HTTPStatus.OK and (form.errors or code_error):
        status = HTTPStatus.UNPROCESSABLE_ENTITY
    context = {"form": form, "policy": policy, "may_set": may_set, "code_error": code_error}
    return render(request, "tenants/departure_policy.html", context, status=status)
