"""Every address, put together. Only here do pages of both apps meet in one namespace."""

from typing import Any

from django.urls import include, path

from msp.access.urls import urlpatterns as doors
from msp.ops.views import healthz
from msp.web.set_up import set_up
from technicians.account_urls import urlpatterns as accounts
from tenants.urls import urlpatterns as tenants

access: list[Any] = [*doors, path("set-up", set_up, name="set_up")]
of_tenants: list[Any] = [*tenants, *accounts]

urlpatterns = [
    path("", include("msp.web.urls")),
    path("access/", include((access, "access"))),
    path("tenants/", include((of_tenants, "tenants"))),
    path("technicians/", include("technicians.urls")),
    path("ledger/", include("msp.web.ledger_urls")),
    path("reports/", include("msp.reports.urls")),
    path("import/", include("msp.web.import_urls")),
    path("hand-over/", include("technicians.hand_over_urls")),
    path("healthz", healthz, name="healthz"),
]
