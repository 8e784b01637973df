"""One row per fact: timeline, audit trail and outbox in one; and who is told."""

from __future__ import annotations

import secrets
import uuid

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q

from customers.actors import ActorKind
from customers.claims import Claimable
from customers.scoping import VendorOwned


class EventKind(models.TextChoices):
    """Dotted names. Those in ``PUBLIC_KINDS`` are told to the vendor's webhook endpoints."""

    CUSTOMER_NEW = "customer.new", "Customer created"
    CUSTOMER_UPDATED = "customer.updated", "Customer updated"
    CUSTOMER_DELETED = "customer.deleted", "Customer deleted"
    GATEWAY_CUSTOMER_CREATED = "customer.payment_gateway_created", "Stripe customer linked"
    GATEWAY_CUSTOMER_FAILED = "customer.payment_gateway_failed", "Stripe customer could not be made"
    PAYMENT_METHOD_UPDATED = "customer.payment_method.updated", "Payment method changed"
    SUBSCRIPTION_NEW = "subscription.new", "Subscription created"
    SUBSCRIPTION_ENDED = "subscription.ended", "Subscription ended"
    INVOICE_GENERATED = "invoice.generated", "Invoice generated"
    INVOICE_APPROVED = "invoice.approved", "Invoice approved"
    INVOICE_KEPT = "invoice.kept", "Kept here"
    INVOICE_ISSUED = "invoice.issued", "Invoice issued"
    INVOICE_ISSUING_FAILED = "invoice.issuing_failed", "Issuing failed"
    INVOICE_PAID = "invoice.paid", "Invoice paid"
    INVOICE_PAYMENT_FAILED = "invoice.payment_failed", "Payment failed"
    INVOICE_VOIDED = "invoice.voided", "Invoice voided"
    INVOICE_UNCOLLECTIBLE = "invoice.uncollectible", "Invoice marked uncollectible"
    INVOICE_REFUND_STARTED = "invoice.refund_started", "Refund asked for"
    INVOICE_REFUNDED = "invoice.refunded", "Invoice refunded"
    INVOICE_REFUND_FAILED = "invoice.refund_failed", "Refund failed"
    INVOICE_DELETED = "invoice.deleted", "Invoice deleted before issue"
    INVOICE_RESCHEDULED = "invoice.rescheduled", "Invoice rescheduled"
    SETTINGS_CHANGED = "billing_settings.changed", "Billing settings changed"
    OVERRIDE_CHANGED = "billing_settings.override_changed", "Billing override changed"
    CLOCK_MOVED = "test_clock.moved", "Test clock moved"


PUBLIC_KINDS = frozenset(
    {
        EventKind.CUSTOMER_NEW,
        EventKind.CUSTOMER_UPDATED,
        EventKind.CUSTOMER_DELETED,
        EventKind.GATEWAY_CUSTOMER_CREATED,
        EventKind.PAYMENT_METHOD_UPDATED,
        EventKind.SUBSCRIPTION_NEW,
        EventKind.SUBSCRIPTION_ENDED,
        EventKind.INVOICE_GENERATED,
        EventKind.INVOICE_APPROVED,
        EventKind.INVOICE_ISSUED,
        EventKind.INVOICE_ISSUING_FAILED,
        EventKind.INVOICE_PAID,
        EventKind.INVOICE_PAYMENT_FAILED,
        EventKind.INVOICE_VOIDED,
        EventKind.INVOICE_UNCOLLECTIBLE,
        EventKind.INVOICE_REFUNDED,
        EventKind.INVOICE_DELETED,
    }
)


class SubjectKind(models.TextChoices):
    VENDOR = "vendor", "Vendor"
    CUSTOMER = "customer", "Customer"
    SUBSCRIPTION = "subscription", "Subscription"
    INVOICE = "invoice", "Invoice"


class Event(VendorOwned):
    """``occurred_at`` is the vendor's time, ``created_at`` real time. ``payload`` is what endpoints are
    told as ``data``; ``details`` stays inside (before and after, reasons, settings snapshots)."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=48, choices=EventKind.choices)
    subject_kind = models.CharField(max_length=16, choices=SubjectKind.choices)
    subject_id = models.BigIntegerField()
    customer_id = models.BigIntegerField(null=True, blank=True, help_text="Whose timeline shows it.")
    actor_kind = models.CharField(max_length=16, choices=ActorKind.choices)
    actor_id = models.CharField(max_length=64, blank=True)
    actor_label = models.CharField(max_length=256)
    payload = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    details = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    occurred_at = models.DateTimeField()
    created_at = models.DateTimeField()
    dispatched_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["subject_kind", "subject_id", "-id"], name="event_of_subject"),
            models.Index(fields=["vendor", "customer_id", "-id"], name="event_of_customer"),
            models.Index(fields=["vendor", "-id"], name="event_of_vendor"),
            models.Index(fields=["id"], condition=Q(dispatched_at__isnull=True), name="event_undispatched"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject_kind} {self.subject_id}"


def new_secret() -> str:
    """A Standard Webhooks secret: ``whsec_`` and 24 random bytes in base64."""
    import base64

    return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()


class WebhookEndpoint(VendorOwned):
    """Where the vendor's own systems listen."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    url = models.URLField(max_length=1000)
    enable_signature = models.BooleanField(default=True)
    secret = models.CharField(max_length=64, default=new_secret, editable=False)
    created_at = models.DateTimeField()
    disabled_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.url


class DeliveryState(models.TextChoices):
    PENDING = "pending", "Pending"
    DELIVERED = "delivered", "Delivered"
    FAILED = "failed", "Failed"


class WebhookDelivery(Claimable):
    """One event for one endpoint, until it was answered 2xx or given up."""

    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.CASCADE, related_name="deliveries")
    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="deliveries")
    state = models.CharField(max_length=16, choices=DeliveryState.choices, default=DeliveryState.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, blank=True, help_text="Real time.")
    response_status = models.PositiveSmallIntegerField(null=True, blank=True)
    last_error = models.TextField(blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "webhook deliveries"
        constraints = [
            models.UniqueConstraint(fields=["event", "endpoint"], name="one_delivery_per_endpoint"),
        ]
        indexes = [
            models.Index(fields=["next_attempt_at", "id"], condition=Q(state="pending"), name="delivery_pending"),
        ]

    def __str__(self) -> str:
        return f"{self.event} -> {self.endpoint}"
