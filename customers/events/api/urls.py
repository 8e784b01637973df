from django.urls import path

from customers.events.api.views import (
    DeliveriesView,
    DeliveryRetriesView,
    RollSecretView,
    TestEventView,
    WebhooksView,
    WebhookView,
)

urlpatterns = [
    path("webhooks", WebhooksView.as_view(), name="webhooks"),
    path("webhooks/deliveries/<int:delivery_id>/retries", DeliveryRetriesView.as_view(), name="webhook-retries"),
    path("webhooks/<str:uuid>", WebhookView.as_view(), name="webhook"),
    path("webhooks/<str:uuid>/roll_secret", RollSecretView.as_view(), name="webhook-roll-secret"),
    path("webhooks/<str:uuid>/test", TestEventView.as_view(), name="webhook-test"),
    path("webhooks/<str:uuid>/deliveries", DeliveriesView.as_view(), name="webhook-deliveries"),
]
