from django.urls import path

from msp.access import views

urlpatterns = [
    path("sign-in", views.sign_in, name="sign_in"),
    path("code", views.code, name="code"),
    path("second-factor", views.second_factor, name="second_factor"),
    path("password", views.set_password, name="set_password"),
    path("link/<str:token>", views.link, name="link"),
    path("sign-out", views.sign_out, name="sign_out"),
]
