"""Whether Latchkey may change anything in a tenant."""

from __future__ import annotations

from http import HTTPStatus
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from msp.access.fresh import demand_code
from msp.access.rights import needs, reader
from msp.errors import LatchkeyError, NotPermitted
from tenants.actions.set_hands_off import RIGHT, set_hands_off
from tenants.models import Tenant
from tenants.script_queries import open_acts_in


@require_http_methods(["GET", "HEAD", "POST"])
@needs(RIGHT)
def hands_off(request: HttpRequest, tenant_id: UUID) -> HttpResponse:
    """GET says what it means and what it concerns now; POST changes it to the other."""
    seen = Tenant.objects.visible_to(request.user).select_related("customer")
    found: Tenant = get_object_or_404(seen, pk=tenant_id)
    reason, trouble, status = request.POST.get("reason", ""), "", HTTPStatus.OK
    if request.method == "POST":
        try:
            demand_code(request, request.POST.get("code", ""))
            set_hands_off(found, request.POST.get("hands_off") == "yes", by=reader(request), reason=reason)
        except LatchkeyError as wrong:
            trouble = str(wrong)
            status = HTTPStatus.FORBIDDEN if isinstance(wrong, NotPermitted) else HTTPStatus.UNPROCESSABLE_ENTITY
        else:
            said = _("From now on Latchkey only reads here.") if found.hands_off else _("Latchkey may act here again.")
            messages.success(request, said)
            return redirect("tenants:detail", found.pk)
    context = {"tenant": found, "open_acts": open_acts_in(found), "reason": reason, "trouble": trouble}
    return render(request, "tenants/hands_off.html", context, status=status)
