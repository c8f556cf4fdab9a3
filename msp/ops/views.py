"""What machines ask."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """This web process answers. It asks nobody else, so a slow database does not make a balancer drop it."""
    return HttpResponse("ok", content_type="text/plain")
