"""Settings and the one view of a bare Django server that takes Stripe's webhooks: verified, inserted, answered."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import time

from django.http import HttpRequest, JsonResponse
from django.urls import path

from billing_portal.settings.development import *  # noqa: F403

MIDDLEWARE = []  # type: ignore[misc]
ROOT_URLCONF = "tests.bench.bare_webhooks"


def webhook(request: HttpRequest) -> JsonResponse:
    from payments.stripe.models import StripeEvent

    parts = dict(part.split("=", 1) for part in request.headers["Stripe-Signature"].split(","))
    signed = f"{parts['t']}.".encode() + request.body
    expected = hmac.new(os.environ["STRIPE_WEBHOOK_SECRETS"].encode(), signed, hashlib.sha256).hexdigest()
    now = time.time()
    if not hmac.compare_digest(expected, parts["v1"]) or abs(now - int(parts["t"])) > 300:
        return JsonResponse({}, status=400)
    _insert(StripeEvent, json.loads(request.body))
    return JsonResponse({"received": True})


def _insert(model: type, body: dict[str, object]) -> None:
    from django.utils import timezone

    model.objects.create(  # type: ignore[attr-defined]
        event_id=body["id"],
        account_id=body["account"],
        livemode=False,
        type=body["type"],
        body=body,
        received_at=timezone.now(),
    )


def healthy(request: HttpRequest) -> JsonResponse:
    return JsonResponse({})


urlpatterns = [path("webhooks/stripe/", webhook), path("healthz", healthy)]
