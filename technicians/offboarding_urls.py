"""The departure of a technician; `technicians.urls` includes these, so they belong to its namespace."""

from django.urls import path

from technicians.views import offboarding

urlpatterns = [path("<uuid:technician_id>/offboard/", offboarding.depart, name="offboard")]
