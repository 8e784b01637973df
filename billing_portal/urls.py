"""Every address of the installation."""

from django.contrib import admin
from django.urls import include, path

from billing_portal.api.errors import unknown_path
from billing_portal.health import healthz, readyz
from billing_portal.metrics import metrics
from billing_portal.portal.session import to_sign_in

# What programs ask for comes first: addresses are tried one after the other, and people's are many.
urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    path("", include("payments.stripe.urls")),
    path("api/v1/", include("billing_portal.api.urls")),
    path("", include("billing_portal.portal.urls")),
    path("admin/login/", to_sign_in),
    path("admin/", admin.site.urls),
    path("", include("billing_portal.public.urls")),
    path("api", unknown_path),
    path("api/<path:rest>", unknown_path),
]

handler400 = "billing_portal.api.errors.bad_request"
handler403 = "billing_portal.portal.mishaps.forbidden"
handler404 = "billing_portal.api.paths.not_found"
handler500 = "billing_portal.api.errors.server_error"
