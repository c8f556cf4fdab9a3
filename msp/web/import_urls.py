from django.urls import path

from msp.web import import_views

app_name = "import"

urlpatterns = [
    path("", import_views.start, name="start"),
    path("<uuid:upload_id>/", import_views.show, name="show"),
    path("<uuid:upload_id>/columns", import_views.columns, name="columns"),
    path("<uuid:upload_id>/answers", import_views.answers, name="answers"),
    path("<uuid:upload_id>/apply", import_views.apply, name="apply"),
]
