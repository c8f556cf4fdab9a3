"""The evidence of runs as pages and files. Whatever leaves the house needs a fresh code."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.core.paginator import Paginator
from django.db.models import Exists, OuterRef
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_http_methods, require_safe

from msp.access.fresh import demand_code
from msp.access.rights import needs, reader
from msp.errors import LatchkeyError
from msp.reports import evidence
from msp.reports.exporting import record_evidence, record_summary
from msp.reports.run_summary import build_summary, signed_summary
from msp.reports.summary_page import in_words
from tenants.models import Run, Target, Tenant
from tenants.run_queries import run_rows, runs_seen_by

RUNS_PER_PAGE = 25
ROWS_PER_PAGE = 50
UNUSABLE = 422


@require_safe
@needs("see_reports")
def evidence_list(request: HttpRequest) -> HttpResponse:
    """Every run that touched an account which the reader sees, with the state of that part."""
    found = runs_seen_by(request.user).filter(Exists(Target.objects.filter(run=OuterRef("pk"))))
    page = Paginator(found, RUNS_PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "reports/evidence_list.html", {"rows": page, "runs": run_rows(page, request.user)})


@require_http_methods(["GET", "HEAD", "POST"])
@needs("see_reports")
def run_summary(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """The summary of the part that the reader sees: GET is a page to print, POST the signed file."""
    run: Run = get_object_or_404(runs_seen_by(request.user), pk=run_id)

    def made() -> tuple[str, str, bytes]:
        name, content = signed_summary(run, request.user)
        return name, "application/json", content

    trouble = ""
    if request.method == "POST":
        answer, trouble = _handed_out(request, made, lambda: record_summary(run, by=reader(request)))
        if answer is not None:
            return answer
    context = {"run": run, "trouble": trouble} | in_words(build_summary(run, request.user))
    return render(request, "reports/summary.html", context, status=UNUSABLE if trouble else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("see_reports")
def run_evidence(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """What there is to take, tenant by tenant; POST hands out all that the reader sees with the summary, as one zip."""
    run: Run = get_object_or_404(Run.objects.visible_to(request.user).select_related("requested_by"), pk=run_id)
    tenants = evidence.tenants_of(run, request.user)

    def made() -> tuple[str, str, bytes]:
        also = [signed_summary(run, request.user)]
        return f"evidence-{str(run.pk)[:8]}.zip", "application/zip", evidence.as_zip(run, tenants, also=also)

    return _evidence(request, run, tenants, made)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("see_reports")
def tenant_evidence(request: HttpRequest, run_id: UUID, tenant_id: UUID) -> HttpResponse:
    """The same for one tenant; POST hands out its file."""
    run: Run = get_object_or_404(Run.objects.visible_to(request.user).select_related("requested_by"), pk=run_id)
    tenant = get_object_or_404(
        Tenant.objects.visible_to(request.user).filter(accounts__targets__run=run).distinct(), pk=tenant_id
    )

    def made() -> tuple[str, str, bytes]:
        name, content = next(evidence.signed_files(run, [tenant]))
        return name, "application/json", content

    return _evidence(request, run, [tenant], made, only=tenant)


def _evidence(
    request: HttpRequest,
    run: Run,
    tenants: list[Tenant],
    made: Callable[[], tuple[str, str, bytes]],
    *,
    only: Tenant | None = None,
) -> HttpResponse:
    trouble = ""
    if request.method == "POST":
        answer, trouble = _handed_out(request, made, lambda: record_evidence(run, tenants, by=reader(request)))
        if answer is not None:
            return answer
    page = Paginator(tenants, ROWS_PER_PAGE).get_page(request.GET.get("page"))
    context = {"run": run, "rows": page, "only": only, "in_all": len(tenants), "trouble": trouble}
    return render(request, "reports/evidence.html", context, status=UNUSABLE if trouble else 200)


def _handed_out(
    request: HttpRequest, made: Callable[[], tuple[str, str, bytes]], record: Callable[[], None]
) -> tuple[HttpResponse | None, str]:
    """The file, once a fresh code was given and the ledger has it; else what stands in the way."""
    try:
        demand_code(request, request.POST.get("code", ""))
        name, kind, content = made()
        record()
    except LatchkeyError as wrong:
        return None, str(wrong)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(content, content_type=kind, headers=headers), ""


@require_safe
@needs("see_reports")
def evidence_key(request: HttpRequest) -> HttpResponse:
    """The public key: whoever checks evidence gets it once, by another way than the evidence itself."""
    headers = {"Content-Disposition": f'attachment; filename="{evidence.KEY_FILE}"'}
    return HttpResponse(evidence.public_key_file(), content_type="application/x-pem-file", headers=headers)
