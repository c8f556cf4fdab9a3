from django.urls import path

from msp.web import views

app_name = "web"

urlpatterns = [
    path("", views.dashboard, name="dashboard"),
    path("search", views.search, name="search"),
]
