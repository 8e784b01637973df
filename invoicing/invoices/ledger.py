"""The money of an invoice: attempts to collect it, what went back, and what a bank took back in a dispute."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from customers.actors import Actor, ActorKind


class Payment(models.Model):
    """One attempt to collect, whoever made it: paid, failed, or under way; or money that came by itself."""

    class State(models.TextChoices):
        SUCCEEDED = "succeeded", "Succeeded"
        FAILED = "failed", "Failed"
        PENDING = "pending", "Under way"
        ACTION_REQUIRED = "action_required", "Waits for the customer"

    invoice = models.ForeignKey("invoicing.Invoice", on_delete=models.CASCADE, related_name="payments")
    state = models.CharField(max_length=16, choices=State.choices)
    amount = models.BigIntegerField()
    method = models.CharField(max_length=128, blank=True, help_text="For example: Visa ending in 4242.")
    external_id = models.CharField(max_length=255, unique=True, null=True, blank=True)
    is_by_hand = models.BooleanField(default=False, help_text="Written down by a person: it came outside the gateway.")
    reference = models.CharField(max_length=128, blank=True, help_text="Of a payment by hand: the bank's, a cheque's.")
    excess = models.BigIntegerField(
        default=0, help_text="Of a payment by hand: what it was more than remained to be paid."
    )
    error_code = models.CharField(max_length=64, blank=True)
    error = models.TextField(blank=True)
    occurred_at = models.DateTimeField()

    class Meta:
        ordering = ["-occurred_at", "-id"]

    def __str__(self) -> str:
        return f"{self.get_state_display()} payment of {self.invoice}"

    @property
    def is_collected(self) -> bool:
        """Whether the gateway has the money."""
        return self.state == self.State.SUCCEEDED and not self.is_by_hand


class Refund(models.Model):
    """Money that goes back, asked for here or made at the gateway. Written, with its idempotency key, before
    the gateway is called; who asked for it is kept, because the answer may come after a restart."""

    class State(models.TextChoices):
        SENDING = "sending", "Under way"
        PENDING = "pending", "On its way to the customer"
        SUCCEEDED = "succeeded", "Succeeded"
        FAILED = "failed", "Failed"

    invoice = models.ForeignKey("invoicing.Invoice", on_delete=models.PROTECT, related_name="refunds")
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    state = models.CharField(max_length=16, choices=State.choices, default=State.SENDING)
    amount = models.BigIntegerField()
    reason = models.CharField(max_length=500, blank=True)
    external_id = models.CharField(max_length=255, unique=True, null=True, blank=True)
    error = models.TextField(blank=True)
    actor_kind = models.CharField(max_length=16, choices=ActorKind.choices)
    actor_id = models.CharField(max_length=64, blank=True)
    actor_label = models.CharField(max_length=256)
    created_at = models.DateTimeField(help_text="The vendor's time.")

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [models.CheckConstraint(name="refund_is_positive", condition=Q(amount__gt=0))]
        indexes = [models.Index(fields=["id"], condition=Q(state="pending"), name="refund_pending")]

    def __str__(self) -> str:
        return f"Refund of {self.invoice}"

    @property
    def idempotency_key(self) -> str:
        return f"refund-{self.uuid}"

    @property
    def actor(self) -> Actor:
        return Actor(ActorKind(self.actor_kind), self.actor_label, self.actor_id)


class DisputeState(models.TextChoices):
    NEEDS_RESPONSE = "needs_response", "Needs a response"
    UNDER_REVIEW = "under_review", "Under review"
    WON = "won", "Won"
    LOST = "lost", "Lost"
    CLOSED = "closed", "Closed"


class Dispute(models.Model):
    """A customer's bank questions a payment. The vendor answers in the gateway's dashboard; here it is shown."""

    invoice = models.ForeignKey("invoicing.Invoice", on_delete=models.PROTECT, related_name="disputes")
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    external_id = models.CharField(max_length=255, unique=True)
    state = models.CharField(max_length=16, choices=DisputeState.choices)
    is_inquiry = models.BooleanField(default=False, help_text="A question that comes before money moves.")
    amount = models.BigIntegerField()
    reason = models.CharField(max_length=64, blank=True)
    due_by = models.DateTimeField(null=True, blank=True, help_text="Until when the bank takes an answer.")
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-opened_at", "-id"]

    def __str__(self) -> str:
        return f"Dispute of {self.invoice}"

    @property
    def is_open(self) -> bool:
        return self.state in (DisputeState.NEEDS_RESPONSE, DisputeState.UNDER_REVIEW)

    @property
    def amount_held(self) -> int:
        """What the vendor cannot give back a second time: the bank has it, for now or for good."""
        is_held = self.state == DisputeState.LOST or (self.is_open and not self.is_inquiry)
        return self.amount if is_held else 0

    @property
    def reason_words(self) -> str:
        return self.reason.replace("_", " ").capitalize()


class DisputeMovement(models.Model):
    """Money that a dispute took from the vendor (negative) or gave back, and the gateway's fee for it."""

    dispute = models.ForeignKey(Dispute, on_delete=models.CASCADE, related_name="movements")
    external_id = models.CharField(max_length=255, unique=True)
    amount = models.BigIntegerField()
    fee = models.BigIntegerField(default=0)
    occurred_at = models.DateTimeField()

    class Meta:
        ordering = ["occurred_at", "id"]

    def __str__(self) -> str:
        return f"{self.amount} of {self.dispute}"
