"""The runs; `tenants.urls` includes these, so they belong to its namespace."""

from django.urls import path

from tenants.views import run_control, runs, scripts

urlpatterns = [
    path("", runs.run_list, name="run_list"),
    path("<uuid:run_id>/", runs.run, name="run"),
    path("<uuid:run_id>/pause/", run_control.pause, name="run_pause"),
    path("<uuid:run_id>/resume/", run_control.resume, name="run_resume"),
    path("<uuid:run_id>/cancel/", run_control.cancel, name="run_cancel"),
    path("<uuid:run_id>/retry/", run_control.retry_all, name="run_retry_all"),
    path("alarms/<uuid:alarm_id>/seen-to/", run_control.see_to, name="run_alarm_seen_to"),
    path("<uuid:run_id>/script/<uuid:tenant_id>/", scripts.script, name="run_script"),
    path("<uuid:run_id>/script/<uuid:tenant_id>/ran/", scripts.ran, name="run_script_ran"),
    path("accounts/<uuid:target_id>/retry/", runs.retry, name="run_retry"),
    path("steps/<uuid:step_id>/waive/", runs.waive, name="run_waive"),
]
