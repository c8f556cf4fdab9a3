"""The reports as pages and as sheets. Whatever leaves the house needs a fresh code."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from msp.access.fresh import demand_code
from msp.access.rights import needs, reader
from msp.errors import LatchkeyError
from msp.reports import access, knowledge, leavers, sheet
from msp.reports.exporting import record_export

ROWS_PER_PAGE = 50
UNUSABLE = 422


@require_safe
@needs("see_reports")
def index(request: HttpRequest) -> HttpResponse:
    return render(request, "reports/index.html", {"may_export": reader(request).may("export_secrets")})


@require_http_methods(["GET", "HEAD", "POST"])
@needs("see_reports")
def who_can_enter(request: HttpRequest) -> HttpResponseBase:
    """GET is the page, POST the sheet of the same question, which stands in the address in both cases."""
    question, trouble = access.Question(), ""
    try:
        question = access.Question.read(request.GET)
        if request.method == "POST":
            demand_code(request, request.POST.get("code", ""))
            record_export(request.user, "access", day=str(question.day or "today"), text=question.text)
            rows = (cells for row in access.every_row(request.user, question) for cells in access.as_cells(row))
            return _sheet(request, "access", question.day, access.header(), rows)
    except LatchkeyError as wrong:
        trouble = str(wrong)
    page = Paginator(access.accounts_asked(request.user, question), ROWS_PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "question": question,
        "today": timezone.localdate(),
        "rows": page,
        "found": access.rows_of(page, question.moment),
        "trouble": trouble,
    }
    return render(request, "reports/access.html", context, status=UNUSABLE if trouble else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("see_reports")
def who_left(request: HttpRequest) -> HttpResponseBase:
    question, trouble = leavers.Question(), ""
    try:
        question = leavers.Question.read(request.GET)
        if request.method == "POST":
            demand_code(request, request.POST.get("code", ""))
            record_export(request.user, "leavers", since=str(question.since or ""), until=str(question.until or ""))
            rows = (cells for row in leavers.every_row(request.user, question) for cells in leavers.as_cells(row))
            return _sheet(request, "leavers", None, leavers.header(), rows)
    except LatchkeyError as wrong:
        trouble = str(wrong)
    page = Paginator(leavers.departures(request.user, question), ROWS_PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "question": question,
        "rows": page,
        "found": leavers.rows_of(page, request.user),
        "trouble": trouble,
    }
    return render(request, "reports/leavers.html", context, status=UNUSABLE if trouble else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("see_reports")
def who_knows(request: HttpRequest) -> HttpResponseBase:
    question, trouble = knowledge.Question(), ""
    try:
        question = knowledge.Question.read(request.GET)
        if request.method == "POST":
            demand_code(request, request.POST.get("code", ""))
            record_export(request.user, "knowledge", **asdict(question))
            rows = (cells for row in knowledge.every_row(request.user, question) for cells in knowledge.as_cells(row))
            return _sheet(request, "knowledge", None, knowledge.header(), rows)
    except LatchkeyError as wrong:
        trouble = str(wrong)
    page = Paginator(knowledge.accounts_asked(request.user, question), ROWS_PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "question": question,
        "choices": knowledge.CHOICES,
        "rows": page,
        "found": knowledge.rows_asked(page, request.user, question),
        "may_see_accounts": reader(request).may("see_accounts"),
        "trouble": trouble,
    }
    return render(request, "reports/knowledge.html", context, status=UNUSABLE if trouble else 200)


def _sheet(
    request: HttpRequest, report: str, day: Any, header: list[str], rows: Iterable[list[Any]]
) -> StreamingHttpResponse:
    lines = sheet.lines(header, rows, byte_order_mark="bom" in request.POST)
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="latchkey-{report}-{day or timezone.localdate()}.csv"'
    return response
