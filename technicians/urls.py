from django.urls import include, path

from technicians.views import codes, comparisons, hand_over, notices, technicians

app_name = "technicians"

urlpatterns = [
    path("", technicians.technician_list, name="list"),
    path("new-passwords/", notices.notices, name="notices"),
    path("accounts-like", technicians.accounts_like, name="accounts_like"),
    path("<uuid:technician_id>/", technicians.technician, name="detail"),
    path("<uuid:technician_id>/assign/", technicians.assign, name="assign"),
    path("assignments/<uuid:assignment_id>/end/", technicians.end_assignment, name="end_assignment"),
    path("enrolments/", include("technicians.enrolment_urls")),
    path("second-devices/<uuid:duplicate_id>/withdraw/", codes.withdraw, name="withdraw_duplicate"),
    path("comparisons/<uuid:check_id>/", comparisons.comparison, name="comparison"),
    path("hand-overs/<uuid:link_id>/withdraw/", hand_over.withdraw, name="hand_over_withdraw"),
    path("take-overs/", include("technicians.take_over_urls")),
    path("", include("technicians.bulk_urls")),
    path("", include("technicians.life_urls")),
    path("", include("technicians.offboarding_urls")),
    path("", include("technicians.rehearsal_urls")),
]
