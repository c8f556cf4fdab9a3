from django.urls import include, path

from tenants.views import tenants

urlpatterns = [
    path("", tenants.tenant_list, name="list"),
    path("<uuid:tenant_id>/", tenants.tenant, name="detail"),
    path("<uuid:tenant_id>/observe/", tenants.observe, name="observe"),
    path("runs/", include("tenants.run_urls")),
]
