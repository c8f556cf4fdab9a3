"""The script of what remains in one tenant of a run: look at it, take it, and say that it ran."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from msp.access.fresh import demand_code
from msp.access.rights import needs, reader
from msp.errors import LatchkeyError, NotPermitted
from msp.outside import outside
from tenants.actions.confirm_script import confirm_script
from tenants.actions.take_script import take_script
from tenants.models import Run, Tenant
from tenants.run_queries import runs_seen_by
from tenants.script_queries import script_page


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs("waive")
def script(request: HttpRequest, run_id: UUID, tenant_id: UUID) -> HttpResponse:
    """GET shows it whole; POST gives the file that was looked at, by its digest."""
    run, tenant = _seen(request, run_id, tenant_id)
    said: dict[str, Any] = {}
    if request.method == "POST":
        try:
            demand_code(request, request.POST.get("code", ""))
            taken = take_script(
                run, tenant, digest=request.POST.get("digest", ""), by=reader(request), outside=outside()
            )
        except LatchkeyError as wrong:
            said = _wrong(wrong)
        else:
            file = HttpResponse(taken.text.encode("ascii"), content_type="application/octet-stream")
            file["Content-Disposition"] = f'attachment; filename="{_file_name(run, tenant)}"'
            return file
    return _page(request, "script", run, tenant, said)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs("waive")
def ran(request: HttpRequest, run_id: UUID, tenant_id: UUID) -> HttpResponse:
    """GET says what will be looked at; POST reads it, and says account by account what was seen."""
    run, tenant = _seen(request, run_id, tenant_id)
    said: dict[str, Any] = {}
    if request.method == "POST":
        try:
            demand_code(request, request.POST.get("code", ""))
            said = {"found": confirm_script(run, tenant, by=reader(request), outside=outside())}
        except LatchkeyError as wrong:
            said = _wrong(wrong)
    return _page(request, "script_ran", run, tenant, said)


def _seen(request: HttpRequest, run_id: UUID, tenant_id: UUID) -> tuple[Run, Tenant]:
    seen = Tenant.objects.visible_to(request.user).at_microsoft().select_related("customer")
    return get_object_or_404(runs_seen_by(request.user), pk=run_id), get_object_or_404(seen, pk=tenant_id)


def _wrong(wrong: LatchkeyError) -> dict[str, Any]:
    refused = isinstance(wrong, NotPermitted)
    return {"trouble": str(wrong), "status": HTTPStatus.FORBIDDEN if refused else HTTPStatus.UNPROCESSABLE_ENTITY}


def _page(request: HttpRequest, name: str, run: Run, tenant: Tenant, said: dict[str, Any]) -> HttpResponse:
    status = said.pop("status", HTTPStatus.OK)
    page = script_page(run, tenant, ways_in=outside().ways_in)
    context = {
        "run": run,
        "tenant": tenant,
        "page": page,
        "file_name": _file_name(run, tenant),
        "with_reasons": not tenant.hands_off,
    } | said
    return render(request, f"tenants/runs/{name}.html", context, status=status)


def _file_name(run: Run, tenant: Tenant) -> str:
    where = re.sub(r"[^a-z0-9.-]+", "-", tenant.default_domain.lower())[:60].strip(".-")
    return f"latchkey-{where}-{str(run.pk)[:8]}.ps1"
