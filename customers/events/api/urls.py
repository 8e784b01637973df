from django.urls import path

from customers.events.api.views import WebhooksView, WebhookView

urlpatterns = [
    path("webhooks", WebhooksView.as_view(), name="webhooks"),
    path("webhooks/<str:uuid>", WebhookView.as_view(), name="webhook"),
]
