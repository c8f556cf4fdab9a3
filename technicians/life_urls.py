"""The life of a person's authenticators; `technicians.urls` includes these, so they belong to its namespace."""

from django.urls import path

from technicians.views import assign_many, enrolment_list, life

urlpatterns = [
    path("enrolments/", enrolment_list.my_list, name="enrolment_list"),
    path("enrolments/by-link/<str:token>/", enrolment_list.open_link, name="enrolment_link"),
    path("enrolments/lines/<uuid:request_id>/withdraw/", enrolment_list.withdraw, name="withdraw_request"),
    path("enrolments/lines/<uuid:request_id>/make-room/", enrolment_list.room, name="make_room"),
    path("<uuid:technician_id>/enrolments/", enrolment_list.list_of, name="enrolment_list_of"),
    path("<uuid:technician_id>/enrolments/link/", enrolment_list.send_link, name="send_enrolment_link"),
    path("<uuid:technician_id>/assign-many/", assign_many.give_many, name="assign_many"),
    path("<uuid:technician_id>/lost-phone/", life.lost_phone, name="lost_phone"),
    path("<uuid:technician_id>/new-phone/", life.new_phone, name="new_phone"),
    path("<uuid:technician_id>/suspend/", life.go_on_leave, name="suspend"),
    path("<uuid:technician_id>/bring-back/", life.come_back, name="bring_back"),
]
