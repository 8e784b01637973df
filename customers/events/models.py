"""One row per fact: timeline, audit trail and outbox in one; and who is told."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q

from customers.actors import ActorKind
from customers.claims import Claimable
from customers.copying import copy_objects
from customers.crypto import EncryptedTextField
from customers.events.nudge import nudge_after_commit
from customers.scoping import VendorOwned, VendorQuerySet


class EventKind(models.TextChoices):
    """Dotted names. Those in ``PUBLIC_KINDS`` are told to the vendor's webhook endpoints."""

    CUSTOMER_NEW = "customer.new", "Customer created"
    CUSTOMER_UPDATED = "customer.updated", "Customer updated"
    CUSTOMER_DELETED = "customer.deleted", "Customer deleted"
    CUSTOMER_ERASED = "customer.erased", "Personal data erased"
    CUSTOMER_EXPORTED = "customer.exported", "Personal data exported"
    GATEWAY_CUSTOMER_CREATED = "customer.payment_gateway_created", "Stripe customer linked"
    GATEWAY_CUSTOMER_FAILED = "customer.payment_gateway_failed", "Stripe customer could not be made"
    GATEWAY_CUSTOMER_UNLINKED = "customer.payment_gateway_unlinked", "Stripe customer unlinked"
    GATEWAY_CUSTOMER_DELETED = "customer.payment_gateway_deleted", "Stripe customer deleted in Stripe"
    GATEWAY_SYNC_REFUSED = "customer.payment_gateway_sync_refused", "Stripe refused the customer's data"
    PAYMENT_METHOD_UPDATED = "customer.payment_method.updated", "Payment method changed"
    SUBSCRIPTION_NEW = "subscription.new", "Subscription created"
    SUBSCRIPTION_ENDED = "subscription.ended", "Subscription ended"
    DISCOUNT_GIVEN = "subscription.discount_given", "Discount given"
    DISCOUNT_ENDED = "subscription.discount_ended", "Discount ended"
    COUPON_APPLIED = "subscription.coupon_applied", "Coupon used"
    ADD_ON_CHANGED = "subscription.add_on_changed", "Add-ons changed"
    COUPON_NEW = "coupon.new", "Coupon created"
    COUPON_WITHDRAWN = "coupon.withdrawn", "Coupon withdrawn"
    USAGE_LIMITS_CHANGED = "price_plan.limits_changed", "Usage limits changed"
    CHARGE_ADDED = "customer.charge_added", "Charge added"
    CHARGE_REMOVED = "customer.charge_removed", "Charge called off"
    USAGE_LIMIT_THRESHOLD = "usage.limit_threshold_reached", "Usage nears a limit"
    USAGE_LIMIT_EXCEEDED = "usage.limit_exceeded", "Usage reached a limit"
    USAGE_ATTRIBUTED = "usage.attributed", "Usage attributed by hand"
    INVOICE_GENERATED = "invoice.generated", "Invoice generated"
    INVOICE_REGENERATED = "invoice.regenerated", "Generated again"
    INVOICE_APPROVED = "invoice.approved", "Invoice approved"
    INVOICE_UPDATED = "invoice.updated", "Invoice changed"
    INVOICE_PAST_DUE = "invoice.past_due", "Invoice past due"
    INVOICE_DUE_DATE_CHANGED = "invoice.due_date_changed", "Due date changed"
    INVOICE_PAUSED = "invoice.paused", "Held back"
    INVOICE_RESUMED = "invoice.resumed", "No longer held back"
    INVOICE_KEPT = "invoice.kept", "Kept here"
    INVOICE_ISSUED = "invoice.issued", "Invoice issued"
    INVOICE_ISSUING_FAILED = "invoice.issuing_failed", "Issuing failed"
    INVOICE_RESENT = "invoice.resent", "E-mailed again"
    INVOICE_PUSHED = "invoice.pushed", "Next step asked for"
    INVOICE_PAID = "invoice.paid", "Invoice paid"
    INVOICE_PAYMENT_FAILED = "invoice.payment_failed", "Payment failed"
    INVOICE_VOIDED = "invoice.voided", "Invoice voided"
    INVOICE_UNCOLLECTIBLE = "invoice.uncollectible", "Invoice marked uncollectible"
    INVOICE_PARTLY_PAID = "invoice.partly_paid", "Part of it paid"
    INVOICE_OVERPAID = "invoice.overpaid", "More than due was paid"
    INVOICE_REOPENED = "invoice.reopened", "A payment was taken off again"
    INVOICE_FINALIZATION_FAILED = "invoice.finalization_failed", "Stripe could not finalize it"
    INVOICE_DISPUTED = "invoice.disputed", "Payment disputed"
    INVOICE_DISPUTE_CLOSED = "invoice.dispute_closed", "Dispute closed"
    INVOICE_REFUND_STARTED = "invoice.refund_started", "Refund asked for"
    INVOICE_REFUNDED = "invoice.refunded", "Invoice refunded"
    INVOICE_REFUND_FAILED = "invoice.refund_failed", "Refund failed"
    INVOICE_DELETED = "invoice.deleted", "Invoice deleted before issue"
    INVOICE_RESCHEDULED = "invoice.rescheduled", "Invoice rescheduled"
    SETTINGS_CHANGED = "billing_settings.changed", "Billing settings changed"
    OVERRIDE_CHANGED = "billing_settings.override_changed", "Billing override changed"
    BILLING_PAUSED = "billing.paused", "Billing paused"
    BILLING_RESUMED = "billing.resumed", "Billing resumed"
    CLOCK_MOVED = "test_clock.moved", "Test clock moved"
    STRIPE_CONNECTED = "stripe.connected", "Stripe account connected"
    STRIPE_DISCONNECTED = "stripe.disconnected", "Stripe account disconnected"
    STRIPE_SWITCHED = "stripe.switched", "Stripe account switched"
    STRIPE_KEYS_CHANGED = "stripe.keys_changed", "Stripe keys changed"
    STRIPE_ENDPOINT_REGISTERED = "stripe.endpoint_registered", "Webhook endpoint registered at Stripe"
    LIST_EXPORTED = "list.exported", "List exported"
    IMPORT_APPLIED = "import.applied", "File imported"
    IMPORT_UNDONE = "import.undone", "Import undone"
    OPERATOR_INVITED = "operator.invited", "Operator invited"
    OPERATOR_INVITED_AGAIN = "operator.invited_again", "Invitation sent again"
    OPERATOR_INVITATION_REVOKED = "operator.invitation_revoked", "Invitation revoked"
    OPERATOR_JOINED = "operator.joined", "Operator joined"
    OPERATOR_ROLE_CHANGED = "operator.role_changed", "Role of an operator changed"
    OPERATOR_REMOVED = "operator.removed", "Operator removed"
    OPERATOR_PASSWORD_CHANGED = "operator.password_changed", "Password of an operator changed"  # noqa: S105
    OPERATOR_CODES_ON = "operator.codes_on", "Sign-in codes turned on"
    OPERATOR_CODES_OFF = "operator.codes_off", "Sign-in codes turned off"
    OPERATOR_RECOVERED = "operator.recovered", "Signed in with a recovery code"
    WEBHOOK_TEST = "webhook.test", "Test event"


PUBLIC_KINDS = frozenset(
    {
        EventKind.CUSTOMER_NEW,
        EventKind.CUSTOMER_UPDATED,
        EventKind.CUSTOMER_DELETED,
        EventKind.GATEWAY_CUSTOMER_CREATED,
        EventKind.PAYMENT_METHOD_UPDATED,
        EventKind.SUBSCRIPTION_NEW,
        EventKind.SUBSCRIPTION_ENDED,
        EventKind.USAGE_LIMIT_THRESHOLD,
        EventKind.USAGE_LIMIT_EXCEEDED,
        EventKind.INVOICE_GENERATED,
        EventKind.INVOICE_APPROVED,
        EventKind.INVOICE_ISSUED,
        EventKind.INVOICE_ISSUING_FAILED,
        EventKind.INVOICE_PAID,
        EventKind.INVOICE_PAYMENT_FAILED,
        EventKind.INVOICE_VOIDED,
        EventKind.INVOICE_UNCOLLECTIBLE,
        EventKind.INVOICE_PARTLY_PAID,
        EventKind.INVOICE_OVERPAID,
        EventKind.INVOICE_REOPENED,
        EventKind.INVOICE_FINALIZATION_FAILED,
        EventKind.INVOICE_DISPUTED,
        EventKind.INVOICE_DISPUTE_CLOSED,
        EventKind.INVOICE_REFUNDED,
        EventKind.INVOICE_REFUND_FAILED,
        EventKind.INVOICE_PAST_DUE,
        EventKind.INVOICE_UPDATED,
        EventKind.INVOICE_DELETED,
        EventKind.WEBHOOK_TEST,
    }
)

# Kinds of our own, and what endpoints are told instead: that it changed, and they read how over the API.
TOLD_AS = {EventKind.CUSTOMER_ERASED: EventKind.CUSTOMER_UPDATED} | dict.fromkeys(
    (
        EventKind.INVOICE_DUE_DATE_CHANGED,
        EventKind.INVOICE_PAUSED,
        EventKind.INVOICE_RESUMED,
        EventKind.INVOICE_KEPT,
        EventKind.INVOICE_REFUND_STARTED,
    ),
    EventKind.INVOICE_UPDATED,
)


_NAMES = ("vendor_name", "customer_name", "invoice_id", "status")


def is_told(kind: str) -> bool:
    """Whether endpoints hear of events of this kind, under this name or another."""
    return kind in PUBLIC_KINDS or kind in TOLD_AS


class SubjectKind(models.TextChoices):
    VENDOR = "vendor", "Vendor"
    CUSTOMER = "customer", "Customer"
    SUBSCRIPTION = "subscription", "Subscription"
    INVOICE = "invoice", "Invoice"
    WEBHOOK = "webhook", "Webhook endpoint"
    OPERATOR = "operator", "Operator"


class EventQuerySet(VendorQuerySet["Event"]):
    """However an event is written, those who deliver it hear of it."""

    def bulk_create(self, objs: Iterable[Event], *args: Any, **kwargs: Any) -> list[Event]:
        created = super().bulk_create(objs, *args, **kwargs)
        nudge_after_commit(told=any(is_told(event.kind) for event in created))
        return created

    def copy_in(self, events: Sequence[Event]) -> None:
        """The same for thousands, which get no keys here."""
        copy_objects(self.model, events)
        nudge_after_commit(told=any(event.kind in PUBLIC_KINDS for event in events))


class Event(VendorOwned):
    """``occurred_at`` is the vendor's time, ``created_at`` real time. ``payload`` is what endpoints are
    told as ``data``; ``details`` stays inside (before and after, reasons, settings snapshots).

    ``sequence`` counts what endpoints are told of one subject. It is given when deliveries are written; events
    that are not told keep none.
    """

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
    sequence = models.BigIntegerField(null=True, blank=True, editable=False)
    transaction_id = models.BigIntegerField(
        editable=False,
        db_default=models.Func(function="txid_current", output_field=models.BigIntegerField()),
        help_text="The database transaction it was written in.",
    )

    objects = EventQuerySet.as_manager()  # type: ignore[misc]  # a narrower one than VendorOwned gives

    class Meta:
        indexes = [
            models.Index(fields=["subject_kind", "subject_id", "-id"], name="event_of_subject"),
            models.Index(fields=["vendor", "customer_id", "-id"], name="event_of_customer"),
            models.Index(fields=["vendor", "-id"], name="event_of_vendor"),
            models.Index(fields=["vendor", "kind", "-id"], name="event_by_kind"),
            models.Index(
                fields=["vendor", "actor_kind", "actor_id", "-id"],
                condition=Q(actor_kind__in=["operator", "api_key"]),
                name="event_by_person",
            ),
            BrinIndex(fields=["occurred_at"], pages_per_range=32, name="event_by_time"),
            models.Index(fields=["id"], condition=Q(dispatched_at__isnull=True), name="event_undispatched"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject_kind} {self.subject_id}"

    @property
    def told_kind(self) -> str:
        """The name that endpoints know it by."""
        return TOLD_AS.get(EventKind(self.kind), self.kind)

    @property
    def told_payload(self) -> dict[str, Any]:
        """What they are told of it: under another name, no more than what that name promises."""
        if self.told_kind == self.kind:
            return dict(self.payload)
        return {name: value for name, value in self.payload.items() if name in _NAMES}

    def save(self, *args: Any, **kwargs: Any) -> None:
        super().save(*args, **kwargs)
        nudge_after_commit(told=is_told(self.kind))


def new_secret() -> str:
    """A Standard Webhooks secret: ``whsec_`` and 24 random bytes in base64."""
    import base64

    return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()


class WebhookEndpoint(VendorOwned, Claimable):
    """Where the vendor's own systems listen. Whoever holds the claim delivers, so that nothing overtakes."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    url = models.URLField(max_length=1000)
    description = models.CharField(max_length=256, blank=True)
    enable_signature = models.BooleanField(default=True)
    event_types = ArrayField(
        models.CharField(max_length=48), default=list, blank=True, help_text="The kinds it is told of. Empty: all."
    )
    secret = EncryptedTextField(default=new_secret, editable=False)
    previous_secret = EncryptedTextField(blank=True, editable=False)
    previous_secret_until = models.DateTimeField(null=True, blank=True, editable=False, help_text="Real time.")
    created_at = models.DateTimeField()
    failing_since = models.DateTimeField(null=True, blank=True, help_text="The first failure after the last success.")
    held_until = models.DateTimeField(null=True, blank=True, help_text="Nothing is sent before. Real time.")
    disabled_at = models.DateTimeField(null=True, blank=True)
    disabled_reason = models.CharField(max_length=256, blank=True)
    is_notice_due = models.BooleanField(default=False, editable=False, help_text="The vendor is still to be told.")

    def __str__(self) -> str:
        return self.url

    def secrets(self, real_now: datetime) -> list[str]:
        """What deliveries are signed with, the newest first."""
        overlaps = self.previous_secret_until is not None and real_now < self.previous_secret_until
        return [self.secret, self.previous_secret] if overlaps else [self.secret]

    def listens_to(self, kind: str) -> bool:
        return not self.event_types or kind in self.event_types


class DeliveryState(models.TextChoices):
    PENDING = "pending", "Pending"
    DELIVERED = "delivered", "Delivered"
    FAILED = "failed", "Failed"


class WebhookDelivery(VendorOwned):
    """One event for one endpoint, until it was answered 2xx or given up."""

    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.CASCADE, related_name="deliveries")
    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="deliveries")
    state = models.CharField(max_length=16, choices=DeliveryState.choices, default=DeliveryState.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, blank=True, help_text="Real time.")
    is_aside = models.BooleanField(default=False, help_text="Tried again by itself; later ones no longer wait for it.")
    response_status = models.PositiveSmallIntegerField(null=True, blank=True)
    last_error = models.TextField(blank=True)
    created_at = models.DateTimeField()
    delivered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "webhook deliveries"
        constraints = [
            models.UniqueConstraint(fields=["event", "endpoint"], name="one_delivery_per_endpoint"),
        ]
        indexes = [
            models.Index(fields=["endpoint", "-id"], name="delivery_of_endpoint"),
            models.Index(fields=["endpoint", "id"], condition=Q(state="pending"), name="delivery_pending"),
        ]

    def __str__(self) -> str:
        return f"{self.event} -> {self.endpoint}"


class WebhookAttempt(models.Model):
    """One try of a delivery, and what came of it."""

    delivery = models.ForeignKey(WebhookDelivery, on_delete=models.CASCADE, related_name="tries")
    attempted_at = models.DateTimeField(help_text="Real time.")
    duration_ms = models.PositiveIntegerField()
    status = models.PositiveSmallIntegerField(null=True, blank=True, help_text="Empty: nobody answered.")
    error = models.TextField(blank=True)
    answer = models.TextField(blank=True, help_text="The first 500 characters of the answer's body.")

    def __str__(self) -> str:
        return f"{self.status or self.error} at {self.attempted_at}"
