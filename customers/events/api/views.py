"""/webhooks: the vendor's webhook endpoints."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api.base import StrictSerializer, VendorView, done
from customers.events.endpoints import register_endpoint
from customers.events.models import WebhookEndpoint


class WebhookInput(StrictSerializer):
    url = serializers.CharField(help_text="Where events are posted to, for example https://example.com/webhooks.")
    enable_signature = serializers.BooleanField(default=True, help_text="Sign each delivery with the secret.")


def webhook_shape(endpoint: WebhookEndpoint) -> dict[str, Any]:
    return {"uuid": str(endpoint.uuid), "url": endpoint.url, "enable_signature": endpoint.enable_signature}


class WebhooksView(VendorView):
    def get(self, request: Request) -> Response:
        return done([webhook_shape(endpoint) for endpoint in WebhookEndpoint.objects.of(self.vendor).order_by("pk")])

    def post(self, request: Request) -> Response:
        """The answer carries the ``secret`` that deliveries are signed with; it is shown this once."""
        given = self.read(WebhookInput)
        endpoint = register_endpoint(self.vendor, **given, real_now=self.real_now)
        return done({**webhook_shape(endpoint), "secret": endpoint.secret})


class WebhookView(VendorView):
    def get(self, request: Request, uuid: str) -> Response:
        return done(webhook_shape(self._endpoint(uuid)))

    def delete(self, request: Request, uuid: str) -> Response:
        self._endpoint(uuid).delete()
        return done()

    def _endpoint(self, uuid: str) -> WebhookEndpoint:
        return self.find_uuid(WebhookEndpoint.objects.of(self.vendor), "webhook", uuid)
