"""Many accounts in one sitting; `technicians.urls` includes these, so they belong to its namespace."""

from django.urls import path

from technicians.views import bulk

urlpatterns = [
    path("enrolments/bulk/", bulk.begin, name="bulk_begin"),
    path("enrolments/bulk/<uuid:bulk_id>/", bulk.sitting, name="bulk"),
    path("enrolments/bulk/<uuid:bulk_id>/show/", bulk.show, name="bulk_show"),
    path("enrolments/bulk/<uuid:bulk_id>/prove/", bulk.prove, name="bulk_prove"),
    path("enrolments/bulk/<uuid:bulk_id>/smaller/", bulk.smaller, name="bulk_smaller"),
    path("enrolments/bulk/<uuid:bulk_id>/leave-out/", bulk.leave_out, name="bulk_leave_out"),
    path("enrolments/bulk/<uuid:bulk_id>/file/", bulk.app_file, name="bulk_file"),
    path("enrolments/bulk/<uuid:bulk_id>/cancel/", bulk.cancel, name="bulk_cancel"),
]
