"""Word of new passwords to the one who reads it."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from msp.access.rights import needs, reader
from technicians.actions.tell_holders import read_notices
from technicians.knowledge_queries import notices_to

ROWS_PER_PAGE = 50


@require_http_methods(["GET", "HEAD", "POST"])
@needs("reveal")
def notices(request: HttpRequest) -> HttpResponse:
    """GET lists them, newest first; POST marks all as read."""
    if request.method == "POST":
        read_notices(reader(request))
        return redirect("technicians:notices")
    rows = Paginator(notices_to(reader(request)), ROWS_PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "technicians/notices.html", {"rows": rows})
