"""Rehearsals of departures; `technicians.urls` includes these, so they belong to its namespace."""

from django.urls import path

from technicians.views import rehearsals

urlpatterns = [
    path("rehearsals/", rehearsals.rehearsal_list, name="rehearsals"),
    path("rehearsals/<uuid:rehearsal_id>/", rehearsals.rehearsal, name="rehearsal"),
    path("rehearsals/<uuid:rehearsal_id>/evidence/", rehearsals.rehearsal_evidence, name="rehearsal_evidence"),
    path("<uuid:technician_id>/rehearse/", rehearsals.rehearse, name="rehearse"),
]
