"""A webhook endpoint, and a delivery to it that was refused once."""

from django.utils import timezone

from customers.actors import SCHEDULE
from customers.events.deliver import record_failure
from customers.events.endpoints import register_endpoint, send_test
from customers.events.post import Answer
from customers.models import Vendor, WebhookDelivery

URL = "https://ledger.example.com/hooks"


def failing_delivery(vendor: Vendor) -> WebhookDelivery:
    now = timezone.now()
    endpoint = register_endpoint(vendor, URL, description="Ledger", event_types=["invoice.paid"], real_now=now)
    delivery = send_test(endpoint, actor=SCHEDULE, now=now, real_now=now)
    record_failure(delivery, Answer(500, "The endpoint answered 500.", "<b>sorry</b>", "", 12), real_now=now)
    return delivery
