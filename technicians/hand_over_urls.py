"""The public page of a one-time link. Nobody signs in to open it."""

from django.urls import path

from technicians.views import hand_over

app_name = "hand_over"

urlpatterns = [path("<str:token>", hand_over.open_once, name="open")]
