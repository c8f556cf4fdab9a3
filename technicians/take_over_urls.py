"""Take-overs and claims; `technicians.urls` includes these, so they belong to its namespace."""

from django.urls import path

from technicians.views import claims, take_overs

urlpatterns = [
    path("", take_overs.take_overs, name="take_overs"),
    path("new/", take_overs.start, name="take_over_start"),
    path("<uuid:take_over_id>/", take_overs.take_over, name="take_over"),
    path("<uuid:take_over_id>/read/", take_overs.read, name="take_over_read"),
    path("<uuid:take_over_id>/change/", take_overs.change, name="take_over_change"),
    path("<uuid:take_over_id>/remove/", take_overs.remove, name="take_over_remove"),
    path("<uuid:take_over_id>/cancel/", take_overs.cancel, name="take_over_cancel"),
    path("<uuid:take_over_id>/reopen/", take_overs.reopen, name="take_over_reopen"),
    path("<uuid:take_over_id>/accounts/<uuid:account_id>/place/", take_overs.place, name="take_over_place"),
    path("tasks/<uuid:task_id>/excuse/", take_overs.excuse_person, name="take_over_excuse"),
    path("tasks/<uuid:task_id>/ask-again/", take_overs.ask_person_again, name="take_over_ask_again"),
    path("methods/<uuid:method_id>/", claims.whose, name="claim_method"),
    path("authenticators/<uuid:authenticator_id>/", claims.take_back, name="unclaim"),
]
