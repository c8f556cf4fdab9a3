from django.urls import path

from msp.reports import views

app_name = "reports"

urlpatterns = [
    path("", views.index, name="index"),
    path("access/", views.who_can_enter, name="access"),
    path("leavers/", views.who_left, name="leavers"),
    path("knowledge/", views.who_knows, name="knowledge"),
    path("evidence/key/", views.evidence_key, name="evidence_key"),
    path("evidence/<uuid:run_id>/", views.run_evidence, name="evidence"),
    path("evidence/<uuid:run_id>/<uuid:tenant_id>/", views.tenant_evidence, name="tenant_evidence"),
]
