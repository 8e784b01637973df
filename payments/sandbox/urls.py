"""The sandbox's own root: Stripe's API, Connect's OAuth, and the control panel."""

from django.urls import path, re_path

from payments.sandbox import card_pages, control, hosted, oauth, server

urlpatterns = [
    path("healthz", control.health),
    path("_control/faults", control.faults),
    path("_control/webhooks", control.webhooks),
    path("_control/webhooks/retry", control.retry_webhooks),
    path("_control/rate_limits", control.rate_limits),
    path("_control/disputes/<str:id_>", control.close_dispute),
    path("oauth/authorize", oauth.authorize),
    path("oauth/token", oauth.token),
    path("oauth/deauthorize", oauth.deauthorize),
    path("i/<str:account>/<str:token>", hosted.invoice),
    path("c/pay/<str:account>/<str:id_>", card_pages.checkout),
    path("p/session/<str:account>/<str:token>", card_pages.portal),
    path("3ds/<str:account>/<str:secret>", card_pages.authentication),
    re_path(r"^v1/", server.api),
]
