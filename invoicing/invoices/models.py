"""The invoice, its lines, and the evidence of every attempt to send or collect it."""

from __future__ import annotations

import uuid

from django.contrib.postgres.functions import RandomUUID
from django.contrib.postgres.indexes import OpClass
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Upper

from customers.claims import Claimable, QueuedWork
from customers.customer import Customer
from customers.scoping import VendorOwned
from invoicing.gateways import Retry
from invoicing.invoices.ledger import DisputeState
from invoicing.invoices.ledger import Payment as Payment
from invoicing.invoices.ledger import Refund as Refund
from invoicing.invoices.states import BEFORE_ISSUE, Attention, InvoiceAction, InvoiceStatus
from invoicing.subscriptions.models import AdhocCharge, BillingCycle, ProrationCredit, Subscription


class LineItemKind(models.TextChoices):
    METERED_COMPONENT = "METERED_COMPONENT", "Usage"
    BASE_PRICE = "BASE_PRICE", "Base price"
    ADD_ON = "ADD_ON", "Add-on"
    DISCOUNT = "DISCOUNT", "Discount"
    MINIMUM_CHARGE = "MINIMUM_CHARGE", "Minimum charge"
    METERED_COMPONENT_MINIMUM_CHARGE = "METERED_COMPONENT_MINIMUM_CHARGE", "Minimum charge of a component"
    ADHOC_CHARGE = "ADHOC_CHARGE", "Ad-hoc charge"
    PRORATION_CREDIT = "PRORATION_CREDIT", "Credit for unused time"


HAS_FAILED = Q(status__in=["INVOICING_FAILED", "PAYMENT_FAILED"]) | (
    Q(status__in=["INVOICE_ISSUED", "PAYMENT_FAILED"]) & ~Q(status_error="")
)


class Invoice(VendorOwned, QueuedWork):
    """Amounts are minor units of ``currency``. ``amount_due`` is the billed total after credits; payments
    do not lower it. Only ``lifecycle`` writes ``status``."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="invoices")
    subscription = models.ForeignKey(
        Subscription, on_delete=models.PROTECT, related_name="invoices", null=True, blank=True
    )
    cycle = models.OneToOneField(BillingCycle, on_delete=models.PROTECT, related_name="invoice", null=True, blank=True)
    opens = models.OneToOneField(
        BillingCycle,
        on_delete=models.PROTECT,
        related_name="opening_invoice",
        null=True,
        blank=True,
        help_text="The billing cycle whose fixed items it bills in advance.",
    )
    adds_to = models.ForeignKey(
        BillingCycle,
        on_delete=models.PROTECT,
        related_name="additions",
        null=True,
        blank=True,
        help_text="The running billing cycle whose added items it bills at once.",
    )
    status = models.CharField(max_length=24, choices=InvoiceStatus.choices, default=InvoiceStatus.GENERATED)
    number = models.CharField(max_length=40, blank=True, help_text="Given when it is issued.")
    currency = models.CharField(max_length=3)
    sub_total = models.BigIntegerField()
    discount_credit = models.BigIntegerField(default=0, help_text="Credits applied.")
    tax_rate = models.DecimalField(max_digits=7, decimal_places=4, default=0, help_text="Percent.")
    tax_inclusive = models.BooleanField(default=False, help_text="The prices contain the flat tax.")
    tax_amount = models.BigIntegerField(default=0)
    amount_due = models.BigIntegerField()
    amount_paid = models.BigIntegerField(default=0)
    amount_credited = models.BigIntegerField(default=0, help_text="Taken off by the gateway's credit notes.")
    amount_from_balance = models.BigIntegerField(
        default=0, help_text="Covered by the customer's balance at the gateway; negative: owed from before, added."
    )
    amount_overpaid = models.BigIntegerField(default=0, help_text="Paid beyond what was due.")

    period_start = models.DateTimeField()
    period_end = models.DateTimeField()
    min_item_start_time = models.DateTimeField()
    max_item_end_time = models.DateTimeField()
    issue_date = models.DateTimeField(help_text="When it was issued, or is going to be.")
    due_date = models.DateTimeField(null=True, blank=True)
    chosen_due_date = models.DateField(
        null=True, blank=True, help_text="The day that a person chose; null: by the billing settings."
    )

    memo = models.TextField(blank=True)
    is_approved = models.BooleanField(default=False)
    hold_reason = models.TextField(blank=True, help_text="Why it was held for a person when it was generated.")
    generated_at = models.DateTimeField()
    approved_at = models.DateTimeField(null=True, blank=True)
    issued_at = models.DateTimeField(null=True, blank=True)
    paid_at = models.DateTimeField(null=True, blank=True)
    voided_at = models.DateTimeField(null=True, blank=True)
    past_due_at = models.DateTimeField(null=True, blank=True, help_text="When it was told that its due date passed.")
    next_reminder_at = models.DateTimeField(
        null=True, blank=True, help_text="The vendor's time: when to look which reminders are due."
    )
    reminded_until = models.DateTimeField(
        null=True, blank=True, help_text="Reminder days up to here are dealt with. Null: up to its issue."
    )

    paused_at = models.DateTimeField(
        null=True, blank=True, help_text="Held back by a person: nothing happens by itself."
    )
    paused_by = models.CharField(max_length=256, blank=True)
    pause_reason = models.CharField(max_length=500, blank=True)

    invoicing_error = models.TextField(blank=True)
    payment_error = models.TextField(blank=True)
    status_error = models.TextField(blank=True)
    invoice_retry_attempt = models.PositiveIntegerField(default=0)
    payment_retry_attempt = models.PositiveIntegerField(default=0)
    latest_invoice_attempt_at = models.DateTimeField(null=True, blank=True)
    latest_payment_attempt_at = models.DateTimeField(null=True, blank=True)

    gateway = models.CharField(max_length=16, blank=True, help_text="Who collects it; empty: we do.")
    gateway_account = models.CharField(
        max_length=100,
        blank=True,
        help_text="The vendor's account at the gateway that holds it, in the gateway's words.",
    )
    external_invoice_id = models.CharField(max_length=255, blank=True)
    external_invoice_number = models.CharField(max_length=64, blank=True)
    external_payment_id = models.CharField(max_length=255, blank=True)
    gateway_status = models.CharField(max_length=16, blank=True, help_text="Its status there, as last seen.")
    gateway_collection = models.CharField(max_length=24, blank=True, help_text="How it is collected there.")
    gateway_advances = models.BooleanField(default=False, help_text="The gateway collects on its own schedule.")
    gateway_next_attempt_at = models.DateTimeField(null=True, blank=True, help_text="The gateway's own next try.")
    gateway_seen_at = models.DateTimeField(null=True, blank=True, help_text="Real time: how new the last look was.")
    watched_status = models.CharField(
        max_length=24, blank=True, editable=False, help_text="The status that the gateway is being asked about, if any."
    )
    retry_advice = models.CharField(
        max_length=16, blank=True, choices=[(r, r) for r in Retry], help_text="What may follow the last failed payment."
    )
    dispute_state = models.CharField(
        max_length=16, blank=True, choices=DisputeState.choices, help_text="Of the dispute that matters most."
    )
    action_request = models.JSONField(
        default=dict, blank=True, help_text="What the next action asks of the gateway, frozen when it first does."
    )
    attention = models.GeneratedField(
        expression=Case(
            When(HAS_FAILED, then=Value(Attention.FAILED)),
            When(dispute_state=DisputeState.NEEDS_RESPONSE, then=Value(Attention.DISPUTE)),
            When(status=InvoiceStatus.GENERATED, next_action=InvoiceAction.APPROVE, then=Value(Attention.APPROVAL)),
            default=Value(Attention.NONE),
        ),
        output_field=models.PositiveSmallIntegerField(choices=Attention.choices),
        db_persist=True,
        help_text="What it waits for a person for; the database works it out.",
    )
    hosted_url = models.URLField(max_length=1000, blank=True)
    delivery = models.CharField(max_length=255, blank=True, help_text="How it was issued, in words.")

    customer_snapshot = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    policy_snapshot = models.JSONField(
        default=dict, encoder=DjangoJSONEncoder, help_text="The settings that produced the last step and deadline."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["vendor", "number"], condition=~Q(number=""), name="number_unique"),
            models.UniqueConstraint(
                fields=["gateway", "external_invoice_id"],
                condition=~Q(external_invoice_id=""),
                name="external_invoice_unique",
            ),
            models.CheckConstraint(
                name="paid_has_its_time", condition=~Q(status="INVOICE_PAID") | Q(paid_at__isnull=False)
            ),
            models.CheckConstraint(
                name="issued_has_number_and_time",
                condition=~Q(status="INVOICE_ISSUED") | (Q(issued_at__isnull=False) & ~Q(number="")),
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_action_at", "id"], condition=Q(next_action_at__isnull=False), name="invoice_due"
            ),
            models.Index(
                fields=["vendor", "next_action_at", "id"],
                condition=Q(next_action_at__isnull=False),
                name="invoice_due_vendor",
            ),
            models.Index(
                fields=["next_reminder_at", "id"],
                condition=Q(next_reminder_at__isnull=False),
                name="invoice_reminder_due",
            ),
            models.Index(
                fields=["vendor", "next_reminder_at", "id"],
                condition=Q(next_reminder_at__isnull=False),
                name="invoice_reminder_vendor",
            ),
            models.Index(
                fields=["id"],
                condition=Q(status__in=["INVOICE_ISSUED", "PAYMENT_FAILED"])
                & ~Q(external_invoice_id="")
                & ~Q(watched_status=F("status")),
                name="invoice_to_watch",
            ),
            models.Index(
                fields=["id"],
                condition=~Q(status__in=["INVOICE_ISSUED", "PAYMENT_FAILED"]) & ~Q(watched_status=""),
                name="invoice_watched_in_vain",
            ),
            models.Index(fields=["vendor"], condition=Q(failures__gt=0), name="invoice_failing"),
            models.Index(fields=["vendor", "-generated_at", "-id"], name="invoice_newest"),
            models.Index(fields=["vendor", "-issue_date", "-id"], name="invoice_by_issue_date"),
            models.Index(fields=["vendor", "-amount_due", "-id"], name="invoice_by_amount"),
            models.Index(fields=["vendor", "status", "-generated_at", "-id"], name="invoice_by_status"),
            models.Index(fields=["customer", "-generated_at", "-id"], name="invoice_of_customer"),
            models.Index(
                fields=["vendor", "issued_at"],
                include=["currency", "amount_due", "status"],
                condition=Q(issued_at__isnull=False),
                name="invoice_by_issue",
            ),
            models.Index(
                fields=["vendor", "paid_at"],
                include=["currency", "amount_paid"],
                condition=Q(paid_at__isnull=False),
                name="invoice_by_payment",
            ),
            models.Index(
                fields=["vendor", "-generated_at", "-id"], condition=~Q(dispute_state=""), name="invoice_disputed"
            ),
            models.Index(
                fields=["vendor", "-generated_at", "-id"], condition=Q(paused_at__isnull=False), name="invoice_paused"
            ),
            models.Index(
                fields=["vendor", "-generated_at", "-id"],
                condition=Q(status__in=["INVOICE_ISSUED", "PAYMENT_FAILED"]),
                name="invoice_open",
            ),
            models.Index(fields=["vendor", "-attention", "-generated_at", "-id"], name="invoice_by_attention"),
            models.Index(
                fields=["vendor", "due_date", "id"],
                condition=Q(status__in=["INVOICE_ISSUED", "PAYMENT_FAILED"]),
                name="invoice_open_by_due_date",
            ),
            models.Index(
                fields=["due_date", "id"],
                condition=Q(status__in=["INVOICE_ISSUED", "PAYMENT_FAILED"], past_due_at__isnull=True),
                name="invoice_past_due_untold",
            ),
            models.Index(
                fields=["vendor", "due_date", "id"],
                condition=Q(status__in=["INVOICE_ISSUED", "PAYMENT_FAILED"], past_due_at__isnull=True),
                name="invoice_untold_of_vendor",
            ),
            models.Index("vendor", OpClass(Upper("number"), "text_pattern_ops"), name="invoice_number_begins"),
            models.Index(
                "vendor",
                OpClass(Upper("external_invoice_number"), "text_pattern_ops"),
                condition=~Q(external_invoice_number=""),
                name="invoice_number_there_begins",
            ),
        ]

    def __str__(self) -> str:
        return self.number or f"Draft {str(self.uuid)[:8]}"

    @property
    def amount_remaining(self) -> int:
        return max(self.amount_due - self.amount_credited - self.amount_from_balance - self.amount_paid, 0)

    @property
    def amount_off_balance(self) -> int:
        """What the balance at the gateway does to what is to be paid, with its sign."""
        return -self.amount_from_balance

    @property
    def amount_refunded(self) -> int:
        """What went back to the customer, or is on its way there."""
        if not self.amount_paid:
            return 0
        return sum(refund.amount for refund in self.refunds.all() if refund.state != Refund.State.FAILED)

    @property
    def amount_refundable(self) -> int:
        """What the gateway collected and still has."""
        collected = sum(payment.amount for payment in self.payments.all() if payment.is_collected)
        return max(collected - self.amount_refunded - self.amount_disputed, 0)

    @property
    def amount_disputed(self) -> int:
        """What a bank holds or took for good."""
        return sum(dispute.amount_held for dispute in self.disputes.all()) if self.dispute_state else 0

    @property
    def was_tried(self) -> bool:
        """Whether there are attempts to collect it to show."""
        return bool(self.amount_paid) or self.latest_payment_attempt_at is not None

    @property
    def approval_reason(self) -> str:
        """Why it waits for approval; empty where it does not."""
        if self.is_approved or self.state not in BEFORE_ISSUE:
            return ""
        return f"Held: {self.hold_reason}." if self.hold_reason else "Automatic approval is off."

    @property
    def is_charged_by_us(self) -> bool:
        """We e-mailed it and charge the stored payment method ourselves, through this account."""
        return not self.gateway and bool(self.gateway_account)

    @property
    def state(self) -> InvoiceStatus:
        return InvoiceStatus(self.status)


class LineItems(models.Manager["LineItem"]):
    """Without their explanations, which only the page of one line reads; ``defer(None)`` loads them."""

    def get_queryset(self) -> models.QuerySet[LineItem]:
        return super().get_queryset().defer("explanation")


class LineItem(models.Model):
    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, related_name="line_items")
    uuid = models.UUIDField(default=uuid.uuid4, db_default=RandomUUID(), unique=True, editable=False)
    position = models.PositiveIntegerField()
    kind = models.CharField(max_length=40, choices=LineItemKind.choices)
    name = models.CharField(max_length=256)
    description = models.TextField(blank=True)
    quantity = models.DecimalField(max_digits=30, decimal_places=12, null=True, blank=True)
    quantity_unit = models.CharField(max_length=64, blank=True)
    unit_price = models.DecimalField(
        max_digits=30, decimal_places=12, null=True, blank=True, help_text="Minor units, may be fractional."
    )
    amount = models.BigIntegerField()
    start_time = models.DateTimeField()
    end_time = models.DateTimeField()
    metadata = models.JSONField(default=dict)
    explanation = models.JSONField(
        default=dict, help_text="What the line was rated from, day by day; kept beside the metadata because it is long."
    )
    adhoc_charge = models.OneToOneField(
        AdhocCharge, on_delete=models.PROTECT, related_name="line_item", null=True, blank=True
    )
    in_advance = models.BooleanField(default=False, help_text="Bills the cycle that its invoice opens.")
    proration_credit = models.ForeignKey(
        ProrationCredit, on_delete=models.PROTECT, related_name="line_items", null=True, blank=True
    )

    objects = LineItems()

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["invoice", "position"], name="line_position_unique"),
        ]

    def __str__(self) -> str:
        return self.name


class NumberSeries(models.Model):
    """The counter invoice numbers are taken from, one row a series, without gaps."""

    vendor = models.ForeignKey("customers.Vendor", on_delete=models.CASCADE, related_name="number_series")
    series = models.CharField(max_length=80, help_text="What a number says beside its counter, as INV-2026-{number}.")
    next_value = models.PositiveBigIntegerField(default=1)

    class Meta:
        verbose_name_plural = "number series"
        constraints = [models.UniqueConstraint(fields=["vendor", "series"], name="number_series_unique")]

    def __str__(self) -> str:
        return f"{self.series}: {self.next_value}"


class Channel(models.TextChoices):
    NONE = "none", "Kept here"
    EMAIL = "email", "E-mail"
    GATEWAY = "gateway", "Stripe"


class AttemptState(models.TextChoices):
    SENDING = "sending", "Under way"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    UNKNOWN = "unknown", "Outcome unknown"


class IssueAttempt(models.Model):
    """Written before anything leaves the building: what is about to happen, with its idempotency key.

    ``request`` is frozen, so that a lost answer can be asked for again with exactly the same words.
    """

    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, related_name="issue_attempts")
    number = models.PositiveIntegerField()
    channel = models.CharField(max_length=16, choices=Channel.choices)
    state = models.CharField(max_length=16, choices=AttemptState.choices, default=AttemptState.SENDING)
    idempotency_key = models.CharField(max_length=128, unique=True)
    request = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    external_id = models.CharField(max_length=255, blank=True)
    error = models.TextField(blank=True)
    started_at = models.DateTimeField(help_text="The vendor's time.")
    real_started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["invoice", "number"], name="issue_attempt_unique"),
            models.UniqueConstraint(
                fields=["invoice"], condition=Q(state="sending"), name="one_issue_attempt_under_way"
            ),
        ]

    def __str__(self) -> str:
        return f"Attempt {self.number} to issue {self.invoice}"


class EmailKind(models.TextChoices):
    INVOICE = "invoice", "Invoice"
    RECEIPT = "receipt", "Receipt"
    PAYMENT_FAILED = "payment_failed", "Payment failed"
    UPCOMING = "upcoming", "Reminder before the due date"
    PAST_DUE = "past_due", "Reminder after the due date"
    REFUND = "refund", "Refund"


class EmailState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    SENDING = "sending", "Under way"
    SUCCEEDED = "succeeded", "Sent"
    FAILED = "failed", "Failed"
    UNKNOWN = "unknown", "Outcome unknown"
    WITHDRAWN = "withdrawn", "Not sent"


class OutgoingEmail(VendorOwned, Claimable):
    """An e-mail to a customer, written before the message is handed over. ``UNKNOWN`` after a crash in between:
    a person decides.

    The first e-mail of an invoice is sent by its issue step. The others wait here for ``next_action_at``, in the
    vendor's time, and are written in the transaction of what they tell of; the same is never told twice.
    """

    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, related_name="emails")
    kind = models.CharField(max_length=24, choices=EmailKind.choices)
    occasion = models.CharField(max_length=255, help_text="What it tells of: the payment, the reminder day, the try.")
    recipients = models.JSONField()
    subject = models.CharField(max_length=500)
    message_id = models.CharField(max_length=255, unique=True)
    state = models.CharField(max_length=16, choices=EmailState.choices, default=EmailState.SENDING)
    error = models.TextField(blank=True)
    failures = models.PositiveSmallIntegerField(default=0, editable=False)
    created_at = models.DateTimeField()
    next_action_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["invoice", "kind", "occasion"], name="told_once"),
        ]
        indexes = [
            models.Index(fields=["next_action_at", "id"], condition=Q(next_action_at__isnull=False), name="email_due"),
            models.Index(
                fields=["vendor", "next_action_at", "id"],
                condition=Q(next_action_at__isnull=False),
                name="email_due_vendor",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} e-mail for {self.invoice}"


class InvoiceDocument(models.Model):
    """The PDF as it was issued. It never changes."""

    invoice = models.OneToOneField(Invoice, on_delete=models.CASCADE, related_name="document")
    pdf = models.BinaryField()
    remark = models.TextField(blank=True, help_text="What the vendor should know of it: why the logo is missing.")
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"PDF of {self.invoice}"
