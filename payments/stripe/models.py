"""What only Stripe knows, and our way home from its ids."""

from __future__ import annotations

from datetime import date

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import F, Q

from customers.claims import Claimable
from customers.crypto import EncryptedTextField
from customers.customer import Customer
from customers.scoping import VendorOwned, VendorQuerySet


class StripeConnection(VendorOwned):
    """The vendor's Stripe account in one mode. Access tokens are not kept: the platform's key acts, or the
    vendor's own where ``secret_key`` is set. The row outlives a disconnection, for its customers hang on it."""

    account_id = models.CharField(max_length=64)
    account_name = models.CharField(max_length=256, blank=True, help_text="As Stripe last told it.")
    livemode = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True, help_text="The connection that acts.")
    connected_at = models.DateTimeField()
    connected_by = models.CharField(max_length=256, blank=True)
    disconnect_asked_by = models.CharField(
        max_length=256, blank=True, editable=False, help_text="Who is disconnecting it; kept before Stripe is told."
    )
    disconnected_at = models.DateTimeField(null=True, blank=True)
    disconnected_reason = models.TextField(blank=True, help_text="Why it ended, when nobody here asked for it.")
    is_notice_due = models.BooleanField(default=False, editable=False, help_text="The vendor is still to be told.")
    probed_at = models.DateTimeField(null=True, blank=True, help_text="When Stripe was last asked whether we may act.")
    last_webhook_at = models.DateTimeField(null=True, blank=True)
    secret_key = EncryptedTextField(blank=True, editable=False)
    publishable_key = models.CharField(max_length=255, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account_id", "livemode"],
                condition=Q(disconnected_at__isnull=True),
                name="account_linked_once",
            ),
            models.UniqueConstraint(
                fields=["vendor", "livemode"], condition=Q(disconnected_at__isnull=True), name="one_account_per_mode"
            ),
            models.UniqueConstraint(fields=["vendor"], condition=Q(is_active=True), name="one_acting_connection"),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(is_notice_due=True), name="stripe_connection_notice_due"),
            models.Index(fields=["probed_at"], condition=Q(disconnected_at=None), name="stripe_connection_probed"),
            models.Index(fields=["account_id", "livemode"], name="stripe_connection_account"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} ({self.mode})"

    @property
    def mode(self) -> str:
        return "live" if self.livemode else "test"

    @property
    def reference(self) -> str:
        """What an invoice remembers it by; ``connect.connection_by_reference`` is the way back."""
        return f"{self.account_id}/{self.mode}/{self.vendor_id}"

    @property
    def uses_own_keys(self) -> bool:
        return bool(self.secret_key)

    @property
    def key_hint(self) -> str:
        """All that is ever shown of the key."""
        return f"{self.secret_key[:8]}…{self.secret_key[-4:]}"

    @property
    def is_connected(self) -> bool:
        return self.disconnected_at is None


class StripeWebhookSecret(models.Model):
    """What Stripe signs the webhooks of one endpoint with: the platform's, or that of a connection with keys
    of its own. Several are valid at once while one takes over from another. Those in the environment stay
    valid beside them."""

    connection = models.ForeignKey(
        StripeConnection, on_delete=models.CASCADE, null=True, blank=True, related_name="webhook_secrets"
    )
    livemode = models.BooleanField(default=False)
    secret = EncryptedTextField(blank=True, editable=False, help_text="Empty until Stripe has answered.")
    endpoint_id = models.CharField(max_length=255, blank=True, help_text="Empty: entered by a person.")
    url = models.CharField(max_length=2048, blank=True)
    idempotency_key = models.CharField(max_length=128, blank=True)
    created_at = models.DateTimeField()
    valid_until = models.DateTimeField(null=True, blank=True, help_text="Replaced by another; real time.")

    class Meta:
        indexes = [models.Index(fields=["connection", "livemode"], name="stripe_webhook_secret_of")]

    def __str__(self) -> str:
        return self.endpoint_id or f"Webhook secret {self.pk}"


class StripeCustomer(VendorOwned, Claimable):
    """A customer's counterpart. ``idempotency_key`` and ``request`` are kept before Stripe is called."""

    class State(models.TextChoices):
        PENDING = "pending", "Being made"
        LINKED = "linked", "Linked"
        FAILED = "failed", "Failed"
        DELETED = "deleted", "Deleted in Stripe"

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="stripe_customers")
    connection = models.ForeignKey(StripeConnection, on_delete=models.PROTECT, related_name="stripe_customers")
    external_id = models.CharField(max_length=255, blank=True)
    state = models.CharField(max_length=16, choices=State.choices, default=State.PENDING)
    idempotency_key = models.CharField(max_length=128, blank=True)
    request = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    requested_at = models.DateTimeField(null=True, blank=True, help_text="Real time: how old the key is.")
    tax_id = models.JSONField(default=dict, blank=True, help_text="The VAT id that Stripe was last told.")
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.TextField(blank=True)
    linked_at = models.DateTimeField(null=True, blank=True)
    methods_as_of = models.DateTimeField(
        null=True, blank=True, help_text="Real time at which the payment methods kept here were asked for."
    )
    sync_wanted = models.PositiveIntegerField(
        default=0, help_text="Number of the customer's newest state that Stripe is to have."
    )
    sync_settled = models.PositiveIntegerField(
        default=0, help_text="Number of the newest state that Stripe has taken or refused."
    )
    sync_error = models.TextField(blank=True, help_text="Why Stripe does not have the newest state.")
    synced_at = models.DateTimeField(null=True, blank=True, help_text="When Stripe took the customer's state last.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["customer", "connection"], name="one_counterpart_per_connection"),
            models.UniqueConstraint(
                fields=["connection", "external_id"], condition=~Q(external_id=""), name="counterpart_linked_once"
            ),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(state="pending"), name="stripe_customer_pending"),
            models.Index(fields=["id"], condition=Q(sync_wanted__gt=F("sync_settled")), name="stripe_customer_to_sync"),
        ]

    def __str__(self) -> str:
        return self.external_id or f"Stripe customer of {self.customer}"


class StripePaymentMethod(models.Model):
    """A payment method attached in Stripe, as last seen there."""

    stripe_customer = models.ForeignKey(StripeCustomer, on_delete=models.CASCADE, related_name="payment_methods")
    external_id = models.CharField(max_length=255)
    type = models.CharField(max_length=32)
    brand = models.CharField(max_length=32, blank=True)
    last4 = models.CharField(max_length=4, blank=True)
    exp_month = models.PositiveSmallIntegerField(null=True, blank=True)
    exp_year = models.PositiveSmallIntegerField(null=True, blank=True)
    country = models.CharField(max_length=2, blank=True)
    bank_name = models.CharField(max_length=128, blank=True)
    account_type = models.CharField(max_length=32, blank=True)
    routing_number = models.CharField(max_length=32, blank=True)
    is_default = models.BooleanField(default=False)
    had_its_turn = models.BooleanField(
        default=False,
        help_text="News of its saving changes the default no more: it did already, or somebody has chosen since.",
    )
    attached_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["stripe_customer", "external_id"], name="payment_method_once"),
            models.UniqueConstraint(
                fields=["stripe_customer"], condition=Q(is_default=True), name="one_default_payment_method"
            ),
        ]

    def __str__(self) -> str:
        kind = self.brand or self.type
        return f"{kind} ending in {self.last4}" if self.last4 else kind

    def is_expired(self, today: date) -> bool:
        """Cards are good through the last day of their month. What has no expiry does not expire."""
        if self.exp_year is None or self.exp_month is None:
            return False
        return (self.exp_year, self.exp_month) < (today.year, today.month)


class StripeTaxRate(models.Model):
    """A tax rate of an account, made there once. Written, with the id its key is derived from, before Stripe
    is called."""

    account_id = models.CharField(max_length=64)
    livemode = models.BooleanField()
    percentage = models.DecimalField(max_digits=7, decimal_places=4)
    inclusive = models.BooleanField(default=False)
    display_name = models.CharField(max_length=50)
    uuid = models.UUIDField(unique=True)
    external_id = models.CharField(max_length=255, blank=True)
    claimed_at = models.DateTimeField(help_text="Real time.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account_id", "livemode", "percentage", "inclusive", "display_name"], name="tax_rate_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.display_name} {self.percentage.normalize():f} %"


class StripeEvent(Claimable):
    """News from Stripe, stored before it is answered. The body is only a hint: processing fetches the
    object's present state from Stripe. ``vendor`` is empty where the account is connected to nobody."""

    class State(models.TextChoices):
        PENDING = "pending", "Pending"
        PROCESSED = "processed", "Processed"
        IGNORED = "ignored", "Ignored"
        FAILED = "failed", "Failed"

    class Source(models.TextChoices):
        WEBHOOK = "webhook", "Delivered by Stripe"
        POLL = "poll", "Found by asking Stripe"

    vendor = models.ForeignKey("customers.Vendor", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    event_id = models.CharField(max_length=255)
    account_id = models.CharField(max_length=64, blank=True)
    livemode = models.BooleanField()
    type = models.CharField(max_length=64)
    source = models.CharField(max_length=8, choices=Source.choices, default=Source.WEBHOOK)
    api_version = models.CharField(max_length=64, blank=True)
    object_type = models.CharField(max_length=64, blank=True)
    object_id = models.CharField(max_length=255, blank=True)
    body = models.JSONField()
    state = models.CharField(max_length=16, choices=State.choices, default=State.PENDING)
    reason = models.TextField(blank=True, help_text="Why it was ignored, or what went wrong.")
    attempts = models.PositiveIntegerField(default=0)
    awaits_invoice = models.BooleanField(
        default=False, help_text="Its invoice is being issued at this moment; it is looked at again afterwards."
    )
    received_at = models.DateTimeField()
    handed_out_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When a worker was first told of it."
    )
    processed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account_id", "event_id"], name="stripe_event_once"),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(state="pending"), name="stripe_event_pending"),
            models.Index(
                fields=["id"], condition=Q(state="pending", handed_out_at=None), name="stripe_event_just_arrived"
            ),
            models.Index(fields=["account_id", "object_id"], name="stripe_event_of_object"),
            models.Index(fields=["vendor", "-received_at", "-id"], name="stripe_event_newest"),
            models.Index(fields=["vendor", "state", "-received_at", "-id"], name="stripe_event_by_state"),
            models.Index(fields=["vendor", "type", "-received_at", "-id"], name="stripe_event_by_type"),
            models.Index(
                fields=["received_at"], condition=Q(state__in=["processed", "ignored"]), name="stripe_event_done"
            ),
        ]

    objects = VendorQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"


class WebhookTally(models.Model):
    """What is only counted, by the day: deliveries refused for their signature, of which nothing else is kept,
    and events written in another API version than ours."""

    class Kind(models.TextChoices):
        BAD_SIGNATURE = "bad_signature", "Refused for its signature"
        OTHER_VERSION = "other_version", "Written in another API version"

    kind = models.CharField(max_length=16, choices=Kind.choices)
    account_id = models.CharField(max_length=64, blank=True, help_text="Empty where nobody knows whose it was.")
    detail = models.CharField(max_length=64, blank=True, help_text="The version.")
    day = models.DateField()
    count = models.PositiveBigIntegerField(default=1)
    last_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["day", "kind", "account_id", "detail"], name="webhook_tally_once"),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.kind} {self.account_id} {self.detail}: {self.count}"
