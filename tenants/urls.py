from django.urls import include, path

from tenants.views import check, tenants

urlpatterns = [
    path("", tenants.tenant_list, name="list"),
    path("<uuid:tenant_id>/", tenants.tenant, name="detail"),
    path("<uuid:tenant_id>/observe/", tenants.observe, name="observe"),
    path("<uuid:tenant_id>/check/", check.check, name="check"),
    path("<uuid:tenant_id>/check/now/", check.check_now, name="check_now"),
    path("<uuid:tenant_id>/access/", check.access, name="access"),
    path("consent/", check.consent, name="consent"),
    path("runs/", include("tenants.run_urls")),
]
