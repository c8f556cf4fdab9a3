"""Every address, put together. Only here do pages of both apps meet in one namespace."""

from importlib.util import find_spec
from typing import Any

from django.urls import include, path

from msp.access.urls import urlpatterns as doors
from msp.ops.views import healthz
from msp.web.set_up import set_up
from technicians.account_urls import urlpatterns as accounts
from tenants.urls import urlpatterns as tenants


def _when_there(prefix: str, module: str) -> list[Any]:
    try:
        return [path(prefix, include(module))] if find_spec(module) else []
    except ModuleNotFoundError:
        return []


urlpatterns = [
    path("", include("msp.web.urls")),
    path("access/", include(([*doors, path("set-up", set_up, name="set_up")], "access"))),
    path("tenants/", include(([*tenants, *accounts], "tenants"))),
    path("technicians/", include("technicians.urls")),
    *_when_there("ledger/", "msp.web.ledger_urls"),
    *_when_there("reports/", "msp.reports.urls"),
    *_when_there("import/", "msp.web.import_urls"),
    path("healthz", healthz, name="healthz"),
]
