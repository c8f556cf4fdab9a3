"""Enrolling on one account. `technicians.urls` puts these under `enrolments/`."""

from django.urls import path

from technicians.views import enrol_at_microsoft, enrol_by_seed, enrolment

urlpatterns = [
    path("on/<uuid:account_id>/", enrolment.begin, name="enrol"),
    path("<uuid:enrolment_id>/", enrolment.enrolment, name="enrolment"),
    path("<uuid:enrolment_id>/cancel/", enrolment.cancel, name="enrol_cancel"),
    path("<uuid:enrolment_id>/show/", enrol_by_seed.show, name="enrol_show"),
    path("<uuid:enrolment_id>/prove/", enrol_by_seed.prove, name="enrol_prove"),
    path("<uuid:enrolment_id>/key/", enrol_at_microsoft.key, name="enrol_key"),
    path("<uuid:enrolment_id>/code/", enrol_at_microsoft.code, name="enrol_code"),
    path("<uuid:enrolment_id>/pass/", enrol_at_microsoft.give_pass, name="enrol_pass"),
    path("<uuid:enrolment_id>/finish/", enrol_at_microsoft.finish, name="enrol_finish"),
]
