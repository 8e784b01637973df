"""Where the comparison with Stripe stands, and what it found. All times here are real time, but ``since``."""

from __future__ import annotations

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q

from customers.claims import Claimable
from customers.customer import Customer
from customers.scoping import VendorOwned
from payments.stripe.models import StripeConnection


class EventCursor(Claimable):
    """Up to where an account's events have been read.

    Stripe lists them newest first. Beyond ``newest_id`` they are read upwards; the first time, or when that
    event is too old to be known to Stripe, they are walked downwards from ``top_id`` to the oldest there is.
    """

    connection = models.OneToOneField(StripeConnection, on_delete=models.CASCADE, related_name="event_cursor")
    newest_id = models.CharField(max_length=255, blank=True)
    top_id = models.CharField(max_length=255, blank=True)
    walked_to = models.CharField(max_length=255, blank=True)
    read_at = models.DateTimeField(null=True, blank=True)
    found_last_at = models.DateTimeField(null=True, blank=True, help_text="When an event was found that never arrived.")
    last_error = models.TextField(blank=True)

    def __str__(self) -> str:
        return f"{self.connection}: {self.newest_id or 'from the beginning'}"


class Watch(VendorOwned, Claimable):
    """An object in a state that ought to end. Stripe is asked for it three times while it stays there."""

    class Kind(models.TextChoices):
        INVOICE = "invoice", "Invoice"
        REFUND = "refund", "Refund"
        CHARGE = "charge", "Charge of an e-mailed invoice"

    kind = models.CharField(max_length=8, choices=Kind.choices)
    subject_id = models.BigIntegerField()
    state = models.CharField(max_length=24)
    external_id = models.CharField(max_length=255)
    account = models.CharField(max_length=100, help_text="The connection it is reached through.")
    since = models.DateTimeField()
    asked = models.PositiveSmallIntegerField(default=0)
    asked_at = models.DateTimeField(null=True, blank=True)
    next_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "subject_id", "state"], name="watched_once")]
        indexes = [
            models.Index(fields=["next_at", "id"], condition=Q(next_at__isnull=False), name="watch_due"),
            models.Index(fields=["kind", "id"], condition=Q(next_at__isnull=True), name="watch_asked"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.external_id}: {self.state}"


class ReconciliationRun(VendorOwned, Claimable):
    """One comparison with one account, page by page. ``cursor`` is committed with each page, so that a run
    that is killed goes on where it was."""

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        FINISHED = "finished", "Finished"
        FAILED = "failed", "Failed"

    connection = models.ForeignKey(StripeConnection, on_delete=models.CASCADE, related_name="reconciliations")
    since = models.DateTimeField(help_text="What Stripe made from then on is listed; in the account's time.")
    repairs = models.BooleanField(default=False, help_text="Differences are repaired as they are found.")
    state = models.CharField(max_length=8, choices=State.choices, default=State.RUNNING)
    phase = models.CharField(max_length=16, blank=True, help_text="Empty: all are done.")
    cursor = models.CharField(max_length=255, blank=True)
    pages = models.PositiveIntegerField(default=0)
    objects_seen = models.PositiveIntegerField(default=0)
    found = models.PositiveIntegerField(default=0, help_text="Differences that were there when looked at.")
    repaired = models.PositiveIntegerField(default=0)
    money = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    started_by = models.CharField(max_length=256, blank=True)
    started_at = models.DateTimeField()
    moved_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    failures = models.PositiveSmallIntegerField(default=0, help_text="Times in a row that a page could not be read.")
    last_error = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["connection"], condition=Q(state="running"), name="one_run_at_a_time"),
        ]
        indexes = [
            models.Index(fields=["vendor", "-started_at", "-id"], name="run_newest"),
            models.Index(fields=["id"], condition=Q(state="running"), name="run_under_way"),
        ]

    def __str__(self) -> str:
        return f"Comparison with {self.connection} of {self.started_at:%d %b %Y %H:%M}"


class SeenInvoice(models.Model):
    """A Stripe invoice that a run has listed, or a refund of ours: what is ours and not among them is asked for by
    its id. Kept only while the run lasts."""

    run = models.ForeignKey(ReconciliationRun, on_delete=models.CASCADE, related_name="seen")
    external_id = models.CharField(max_length=255)
    payment_intent = models.CharField(max_length=255, blank=True)
    is_ours = models.BooleanField(default=False)
    is_imported = models.BooleanField(default=False)
    differs = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "external_id"], name="seen_once")]
        indexes = [
            models.Index(fields=["run", "payment_intent"], condition=~Q(payment_intent=""), name="seen_by_payment")
        ]

    def __str__(self) -> str:
        return self.external_id


class ImportedInvoice(VendorOwned):
    """An invoice that was there before us: read from Stripe once and kept in step by its webhooks. It is only looked
    at: nothing here issues, charges, reminds of or voids it, and it is none of our invoices."""

    connection = models.ForeignKey(StripeConnection, on_delete=models.CASCADE, related_name="imported_invoices")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="imported_invoices")
    external_id = models.CharField(max_length=255)
    number = models.CharField(max_length=64, blank=True)
    status = models.CharField(max_length=16)
    currency = models.CharField(max_length=3)
    total = models.BigIntegerField()
    amount_paid = models.BigIntegerField()
    amount_remaining = models.BigIntegerField()
    description = models.TextField(blank=True)
    lines = models.JSONField(default=list, help_text="Description and amount of each.")
    hosted_url = models.URLField(max_length=1000, blank=True)
    made_at = models.DateTimeField()
    due_date = models.DateTimeField(null=True, blank=True)
    imported_at = models.DateTimeField()
    as_of = models.DateTimeField(help_text="When Stripe was last asked for it.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["connection", "external_id"], name="invoice_imported_once")]
        indexes = [models.Index(fields=["customer", "-made_at", "-id"], name="imported_of_customer")]

    def __str__(self) -> str:
        return self.number or self.external_id


class Difference(VendorOwned):
    """Where Stripe and we disagree, in words. It stands until it is repaired or found to be gone."""

    class Kind(models.TextChoices):
        INVOICE_PAID = "invoice_paid", "Paid in Stripe"
        INVOICE_VOIDED = "invoice_voided", "Voided in Stripe"
        INVOICE_UNCOLLECTIBLE = "invoice_uncollectible", "Uncollectible in Stripe"
        INVOICE_OPEN = "invoice_open", "Still open in Stripe"
        INVOICE_AMOUNT = "invoice_amount", "Another total"
        INVOICE_PAID_AMOUNT = "invoice_paid_amount", "Another amount paid"
        INVOICE_MISSING = "invoice_missing", "Missing in Stripe"
        INVOICE_UNKNOWN = "invoice_unknown", "Unknown here"
        INVOICE_TWICE = "invoice_twice", "Twice in Stripe"
        PAYMENT_UNKNOWN = "payment_unknown", "Payment unknown here"
        REFUND_UNKNOWN = "refund_unknown", "Refunded in Stripe"
        REFUND_STATE = "refund_state", "Refund in another state"
        REFUND_MISSING = "refund_missing", "Refund missing in Stripe"
        DISPUTE_UNKNOWN = "dispute_unknown", "Disputed in Stripe"
        DISPUTE_STATE = "dispute_state", "Dispute in another state"
        CUSTOMER_DELETED = "customer_deleted", "Customer deleted in Stripe"
        METHODS = "methods", "Other payment methods"

    connection = models.ForeignKey(StripeConnection, on_delete=models.CASCADE, related_name="differences")
    run = models.ForeignKey(ReconciliationRun, on_delete=models.SET_NULL, null=True, related_name="differences")
    kind = models.CharField(max_length=24, choices=Kind.choices)
    external_id = models.CharField(max_length=255)
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    invoice = models.ForeignKey("invoicing.Invoice", on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    ours = models.TextField(blank=True)
    theirs = models.TextField(blank=True)
    advice = models.TextField(blank=True, help_text="What a person can do where nothing can be repaired from here.")
    look = models.JSONField(default=dict, help_text="The news from Stripe that repairs it; empty: none does.")
    found_at = models.DateTimeField()
    repaired_at = models.DateTimeField(null=True, blank=True)
    gone_at = models.DateTimeField(null=True, blank=True, help_text="When it was found to be there no more.")
    last_error = models.TextField(blank=True, help_text="Why it could not be repaired.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "kind", "external_id"],
                condition=Q(repaired_at__isnull=True, gone_at__isnull=True),
                name="difference_open_once",
            ),
        ]
        indexes = [
            models.Index(fields=["vendor", "-found_at", "-id"], name="difference_newest"),
            models.Index(
                fields=["connection", "external_id"],
                condition=Q(repaired_at__isnull=True, gone_at__isnull=True),
                name="difference_open",
            ),
            models.Index(fields=["run", "id"], name="difference_of_run"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.external_id}"

    @property
    def is_open(self) -> bool:
        return self.repaired_at is None and self.gone_at is None
