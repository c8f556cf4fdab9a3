"""Two people compare their codes: begun by one of them or a manager, and a page for each of the two."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from msp.access.rights import needs, reader
from msp.errors import LatchkeyError
from msp.outside import outside
from technicians.actions.compare_codes import ask_for_check, type_code
from technicians.models import Technician, TwoPersonCheck
from technicians.seed_care_queries import check_page
from technicians.views.accounts import account_seen, by_script
from tenants.models import SharedAccount


@require_POST
@needs("reveal")
def ask(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """The reader and a colleague, or two whom the reader chose."""
    found = account_seen(request, account_id)
    try:
        first = _holder(found, request.POST.get("first", "")) or reader(request)
        second = _holder(found, request.POST.get("second", ""))
        if second is None:
            messages.error(request, _("Choose with whom; nothing was begun."))
            return redirect("tenants:account", found.pk)
        check = ask_for_check(found, first, second, by=reader(request))
    except LatchkeyError as trouble:
        messages.error(request, str(trouble))
        return redirect("tenants:account", found.pk)
    return redirect("technicians:comparison", check.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs("reveal")
def comparison(request: HttpRequest, check_id: UUID) -> HttpResponse:
    """The page of the two; htmx asks for its live part until it is decided."""
    seen = TwoPersonCheck.objects.visible_to(request.user).select_related("account__tenant", "first", "second")
    found: TwoPersonCheck = get_object_or_404(seen, pk=check_id)
    said: dict[str, Any] = {}
    status = HTTPStatus.OK
    if request.method == "POST":
        try:
            type_code(found, request.POST.get("shown", ""), by=reader(request), outside=outside())
            return redirect("technicians:comparison", found.pk)
        except LatchkeyError as trouble:
            said, status = {"trouble": str(trouble)}, HTTPStatus.UNPROCESSABLE_ENTITY
            found.refresh_from_db(fields=["result", "typed_by", "step"])
    context = {"page": check_page(found, reader(request)), "by_script": by_script(request), **said}
    part = "_comparison" if by_script(request) else "comparison"
    return render(request, f"technicians/{part}.html", context, status=status)


def _holder(account: SharedAccount, wanted: str) -> Technician | None:
    """A holder of the account by id: whoever sees the account sees who holds it."""
    held = account.assignments.live().select_related("technician")
    return next((one.technician for one in held if str(one.technician_id) == wanted), None)
