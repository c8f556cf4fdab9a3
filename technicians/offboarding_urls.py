"""The departure of a technician; `technicians.urls` includes these, so they belong to its namespace."""

from django.urls import path

from technicians.views import departure_asking, departures, enrol_first, exits, offboarding, reshare

urlpatterns = [
    path("<uuid:technician_id>/offboard/", offboarding.depart, name="offboard"),
    path("departures/", departures.departures, name="departures"),
    path("departures/new/", departure_asking.ask, name="ask_departure"),
    path("departures/<uuid:departure_id>/", departures.departure, name="departure"),
    path("departures/<uuid:departure_id>/approve/", departures.approve_departure, name="approve_departure"),
    path("departures/<uuid:departure_id>/reject/", departures.reject_departure, name="reject_departure"),
    path("departures/<uuid:departure_id>/withdraw/", departures.withdraw_departure, name="withdraw_departure"),
    path("departures/<uuid:departure_id>/override/", departures.override_departure, name="override_departure"),
    path("departures/<uuid:departure_id>/review/", departures.review_departure, name="review_departure"),
    path("runs/<uuid:run_id>/new-passwords/", reshare.reshare, name="reshare"),
    path("runs/<uuid:run_id>/new-passwords/remind/", reshare.remind, name="reshare_remind"),
    path("exits/of/<uuid:customer_id>/", exits.begin, name="exit_customer"),
    path("exits/<uuid:exit_id>/", exits.customer_exit, name="customer_exit"),
    path("exits/<uuid:exit_id>/package/", exits.package, name="exit_package"),
    path("exits/<uuid:exit_id>/received/", exits.received, name="exit_received"),
    path("exits/<uuid:exit_id>/end/", exits.end, name="exit_end"),
    path("<uuid:technician_id>/enrolments/ask/", enrol_first.ask, name="ask_to_enrol"),
]
