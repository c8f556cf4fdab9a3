from django.urls import include, path

from technicians.views import enrolment, hand_over, notices, technicians

app_name = "technicians"

urlpatterns = [
    path("", technicians.technician_list, name="list"),
    path("new-passwords/", notices.notices, name="notices"),
    path("accounts-like", technicians.accounts_like, name="accounts_like"),
    path("<uuid:technician_id>/", technicians.technician, name="detail"),
    path("<uuid:technician_id>/assign/", technicians.assign, name="assign"),
    path("assignments/<uuid:assignment_id>/end/", technicians.end_assignment, name="end_assignment"),
    path("enrolments/on/<uuid:account_id>/", enrolment.begin, name="enrol"),
    path("enrolments/<uuid:enrolment_id>/", enrolment.enrolment, name="enrolment"),
    path("enrolments/<uuid:enrolment_id>/finish/", enrolment.finish, name="enrol_finish"),
    path("enrolments/<uuid:enrolment_id>/cancel/", enrolment.cancel, name="enrol_cancel"),
    path("hand-overs/<uuid:link_id>/withdraw/", hand_over.withdraw, name="hand_over_withdraw"),
    path("", include("technicians.offboarding_urls")),
]
