"""Every address of the installation."""

from django.contrib import admin
from django.urls import path

from billing_portal.health import healthz

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("admin/", admin.site.urls),
]
