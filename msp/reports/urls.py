from django.urls import path

from msp.reports import evidence_views, views

app_name = "reports"

urlpatterns = [
    path("", views.index, name="index"),
    path("access/", views.who_can_enter, name="access"),
    path("leavers/", views.who_left, name="leavers"),
    path("knowledge/", views.who_knows, name="knowledge"),
    path("evidence/", evidence_views.evidence_list, name="evidence_list"),
    path("evidence/key/", evidence_views.evidence_key, name="evidence_key"),
    path("evidence/<uuid:run_id>/", evidence_views.run_evidence, name="evidence"),
    path("evidence/<uuid:run_id>/summary/", evidence_views.run_summary, name="run_summary"),
    path("evidence/<uuid:run_id>/<uuid:tenant_id>/", evidence_views.tenant_evidence, name="tenant_evidence"),
]
