"""Shared accounts with the people who hold them. `msp.urls` puts these into the namespace of the tenants."""

from django.urls import path

from technicians.views import accounts

urlpatterns = [
    path("accounts/<uuid:account_id>/", accounts.account, name="account"),
    path("accounts/<uuid:account_id>/reveal/", accounts.reveal, name="reveal"),
    path("accounts/<uuid:account_id>/observe/", accounts.observe, name="observe_account"),
]
