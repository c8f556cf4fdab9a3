"""The runs; `tenants.urls` includes these, so they belong to its namespace."""

from django.urls import path

from tenants.views import runs

urlpatterns = [
    path("", runs.run_list, name="run_list"),
    path("<uuid:run_id>/", runs.run, name="run"),
    path("accounts/<uuid:target_id>/retry/", runs.retry, name="run_retry"),
    path("steps/<uuid:step_id>/waive/", runs.waive, name="run_waive"),
]
