from django.urls import path

from msp.web import ledger

app_name = "ledger"

urlpatterns = [
    path("", ledger.entries, name="list"),
]
