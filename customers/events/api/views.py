"""/webhooks: the vendor's webhook endpoints, and what became of each delivery."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api.base import StrictSerializer, VendorView, done
from customers.api.paging import CursorQuery, listed
from customers.api.schema import documented
from customers.events.api.shapes import (
    DeliveriesAnswer,
    DeliveryAnswer,
    NewWebhookAnswer,
    WebhookAnswer,
    delivery_shape,
    webhook_shape,
)
from customers.events.endpoints import (
    change_endpoint,
    delete_endpoint,
    register_endpoint,
    roll_secret,
    send_again,
    send_test,
)
from customers.events.models import DeliveryState, WebhookDelivery, WebhookEndpoint


class WebhookInput(StrictSerializer):
    url = serializers.CharField(help_text="Where events are posted to, for example https://example.com/webhooks.")
    enable_signature = serializers.BooleanField(default=True, help_text="Sign each delivery with the secret.")
    description = serializers.CharField(required=False, allow_blank=True, max_length=256)
    event_types = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="The events it is told of. Empty: all."
    )


class WebhookChange(WebhookInput):
    url = serializers.CharField(required=False)
    enable_signature = serializers.BooleanField(required=False)
    enabled = serializers.BooleanField(required=False, help_text="False: nothing is sent, and nothing is kept for it.")


class WebhookQuery(CursorQuery):
    filters = {"url": "url"}

    url = serializers.CharField(required=False)


class DeliveryQuery(StrictSerializer):
    state = serializers.ChoiceField(choices=DeliveryState.choices, required=False)
    limit = serializers.IntegerField(default=10, min_value=1, max_value=100)
    cursor = serializers.IntegerField(required=False, min_value=1, max_value=2**63 - 1)


class WebhookVendorView(VendorView):
    def endpoint(self, uuid: str) -> WebhookEndpoint:
        return self.find_uuid(WebhookEndpoint.objects.of(self.vendor).select_related("vendor"), "webhook", uuid)


class WebhooksView(VendorView):
    @documented("list_webhooks", query=WebhookQuery, answer=list[WebhookAnswer])
    def get(self, request: Request) -> Response:
        """Oldest first."""
        rows = WebhookEndpoint.objects.of(self.vendor)
        return listed(self, rows, webhook_shape, order=("pk",), query=WebhookQuery)

    @documented("create_webhook", body=WebhookInput, answer=NewWebhookAnswer)
    def post(self, request: Request) -> Response:
        """The answer carries the ``secret`` that deliveries are signed with; it is shown this once."""
        given = self.read(WebhookInput)
        endpoint = register_endpoint(self.vendor, **given, real_now=self.real_now)
        return done({**webhook_shape(endpoint), "secret": endpoint.secret})


class WebhookView(WebhookVendorView):
    @documented("get_webhook", answer=WebhookAnswer)
    def get(self, request: Request, uuid: str) -> Response:
        return done(webhook_shape(self.endpoint(uuid)))

    @documented("update_webhook", body=WebhookChange, answer=WebhookAnswer)
    def put(self, request: Request, uuid: str) -> Response:
        """Only the fields given change."""
        endpoint = change_endpoint(self.endpoint(uuid), self.read(WebhookChange), real_now=self.real_now)
        return done(webhook_shape(endpoint))

    @documented("delete_webhook")
    def delete(self, request: Request, uuid: str) -> Response:
        delete_endpoint(self.endpoint(uuid))
        return done()


class RollSecretView(WebhookVendorView):
    @documented("roll_webhook_secret", answer=NewWebhookAnswer)
    def post(self, request: Request, uuid: str) -> Response:
        """A new ``secret``, shown this once. For 24 hours deliveries carry signatures of both."""
        endpoint = roll_secret(self.endpoint(uuid), real_now=self.real_now)
        return done({**webhook_shape(endpoint), "secret": endpoint.secret})


class TestEventView(WebhookVendorView):
    @documented("send_test_event", answer=DeliveryAnswer)
    def post(self, request: Request, uuid: str) -> Response:
        """Send ``webhook.test`` to this endpoint, whatever events it listens to."""
        delivery = send_test(self.endpoint(uuid), actor=self.actor, now=self.now, real_now=self.real_now)
        return done(delivery_shape(delivery))


class DeliveriesView(WebhookVendorView):
    @documented("list_webhook_deliveries", query=DeliveryQuery, answer=DeliveriesAnswer)
    def get(self, request: Request, uuid: str) -> Response:
        """Newest first. Pass ``next_cursor`` back as ``cursor`` for the page after; null means there is none."""
        query = self.read_query(DeliveryQuery)
        rows = WebhookDelivery.objects.of(self.vendor).filter(endpoint=self.endpoint(uuid)).order_by("-pk")
        if "state" in query:
            rows = rows.filter(state=query["state"])
        if "cursor" in query:
            rows = rows.filter(pk__lt=query["cursor"])
        found = list(rows.select_related("event").prefetch_related("tries")[: query["limit"] + 1])
        shown = found[: query["limit"]]
        following = str(shown[-1].pk) if len(found) > len(shown) else None
        page: DeliveriesAnswer = {
            "deliveries": [delivery_shape(row, tries=row.tries.all()) for row in shown],
            "limit": query["limit"],
            "next_cursor": following,
        }
        return done(page)


class DeliveryRetriesView(VendorView):
    @documented("retry_webhook_delivery", answer=DeliveryAnswer)
    def post(self, request: Request, delivery_id: int) -> Response:
        """Send one delivery again, now, whatever became of it."""
        rows = WebhookDelivery.objects.of(self.vendor).select_related("endpoint", "event")
        delivery = self.find(rows, "webhook delivery", pk=delivery_id)
        return done(delivery_shape(send_again(delivery, real_now=self.real_now)))
