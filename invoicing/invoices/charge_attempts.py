"""The evidence of every attempt to charge a stored payment method for an invoice that we e-mail."""

from __future__ import annotations

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q

from invoicing.invoices.models import Invoice


class ChargeAttempt(models.Model):
    """Written, with its idempotency key and its frozen request, before the gateway is called."""

    class State(models.TextChoices):
        SENDING = "sending", "Under way"
        PENDING = "pending", "The bank has not decided"
        SUCCEEDED = "succeeded", "Succeeded"
        FAILED = "failed", "Failed"
        IMPOSSIBLE = "impossible", "Nothing to charge"

    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, related_name="charge_attempts")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=16, choices=State.choices, default=State.SENDING)
    idempotency_key = models.CharField(max_length=128, unique=True)
    gateway = models.CharField(max_length=16)
    account = models.CharField(max_length=100, blank=True, help_text="The vendor's account there that takes the money.")
    request = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    external_id = models.CharField(max_length=255, blank=True)
    error = models.TextField(blank=True)
    started_at = models.DateTimeField(help_text="The vendor's time.")
    real_started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["invoice", "number"], name="charge_attempt_unique"),
            models.UniqueConstraint(
                fields=["invoice"], condition=Q(state__in=("sending", "pending")), name="one_charge_under_way"
            ),
        ]

    def __str__(self) -> str:
        return f"Charge {self.number} for {self.invoice}"


UNDER_WAY = (ChargeAttempt.State.SENDING, ChargeAttempt.State.PENDING)
