"""/webhooks: the vendor's webhook endpoints."""

from __future__ import annotations

from typing import TypedDict

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api.base import StrictSerializer, VendorView, done
from customers.api.schema import documented
from customers.events.endpoints import register_endpoint
from customers.events.models import WebhookEndpoint


class WebhookInput(StrictSerializer):
    url = serializers.CharField(help_text="Where events are posted to, for example https://example.com/webhooks.")
    enable_signature = serializers.BooleanField(default=True, help_text="Sign each delivery with the secret.")


class WebhookAnswer(TypedDict):
    uuid: str
    url: str
    enable_signature: bool


class NewWebhookAnswer(WebhookAnswer):
    secret: str


def webhook_shape(endpoint: WebhookEndpoint) -> WebhookAnswer:
    return {"uuid": str(endpoint.uuid), "url": endpoint.url, "enable_signature": endpoint.enable_signature}


class WebhooksView(VendorView):
    @documented("list_webhooks", answer=list[WebhookAnswer])
    def get(self, request: Request) -> Response:
        return done([webhook_shape(endpoint) for endpoint in WebhookEndpoint.objects.of(self.vendor).order_by("pk")])

    @documented("create_webhook", body=WebhookInput, answer=NewWebhookAnswer)
    def post(self, request: Request) -> Response:
        """The answer carries the ``secret`` that deliveries are signed with; it is shown this once."""
        given = self.read(WebhookInput)
        endpoint = register_endpoint(self.vendor, **given, real_now=self.real_now)
        return done({**webhook_shape(endpoint), "secret": endpoint.secret})


class WebhookView(VendorView):
    @documented("get_webhook", answer=WebhookAnswer)
    def get(self, request: Request, uuid: str) -> Response:
        return done(webhook_shape(self._endpoint(uuid)))

    @documented("delete_webhook")
    def delete(self, request: Request, uuid: str) -> Response:
        self._endpoint(uuid).delete()
        return done()

    def _endpoint(self, uuid: str) -> WebhookEndpoint:
        return self.find_uuid(WebhookEndpoint.objects.of(self.vendor), "webhook", uuid)
