from django.urls import path

from msp.web import import_views

app_name = "import"

urlpatterns = [
    path("", import_views.start, name="start"),
    path("<uuid:upload_id>/", import_views.show, name="show"),
    path("<uuid:upload_id>/apply", import_views.apply, name="apply"),
]
