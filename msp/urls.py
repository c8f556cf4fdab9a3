from django.urls import path

from msp.ops.views import healthz

urlpatterns = [
    path("healthz", healthz, name="healthz"),
]
