"""Measurements: what was used, by whom, when."""

from __future__ import annotations

from django.db import models

from customers.customer import Customer
from customers.scoping import VendorOwned
from invoicing.catalog.models import Meter


class Measurement(VendorOwned):
    """One measurement on one meter. ``stream`` is the canonical text of the primary labels' values.

    The same (meter, customer, microsecond, stream) replaces the earlier one; ``external_id`` keeps apart
    events that collide on time.
    """

    meter = models.ForeignKey(Meter, on_delete=models.CASCADE, related_name="measurements")
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="measurements")
    time = models.DateTimeField()
    value = models.DecimalField(max_digits=30, decimal_places=12)
    stream = models.TextField(blank=True, default="")
    external_id = models.CharField(max_length=255, blank=True, default="")
    labels = models.JSONField(default=dict)
    reset_total = models.BooleanField(default=False)
    received_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["meter", "customer", "time", "stream", "external_id"], name="measurement_replaces"
            ),
        ]
        indexes = [
            models.Index(fields=["vendor", "-received_at", "-id"], name="measurement_newest"),
            models.Index(
                fields=["meter", "customer", "stream", "time"],
                condition=models.Q(reset_total=True),
                name="measurement_resets",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.value} at {self.time}"


class UnattributedMeasurement(VendorOwned):
    """Kept until a meter or a customer turns up that it belongs to."""

    class Reason(models.TextChoices):
        NO_METER = "no_meter", "No meter has this name or event name"
        NO_CUSTOMER = "no_customer", "No customer has this name or a mapping that matches its labels"
        SEVERAL_CUSTOMERS = "ambiguous", "Mappings of several customers match its labels"
        MISSING_LABEL = "missing_label", "It lacks a primary label of its meter"

    reason = models.CharField(max_length=16, choices=Reason.choices)
    meter_name = models.CharField(max_length=128, blank=True)
    event_name = models.CharField(max_length=128, blank=True)
    customer_name = models.CharField(max_length=128, blank=True)
    time = models.DateTimeField()
    value = models.DecimalField(max_digits=30, decimal_places=12)
    external_id = models.CharField(max_length=255, blank=True, default="")
    labels = models.JSONField(default=dict)
    reset_total = models.BooleanField(default=False)
    received_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["vendor", "-received_at", "-id"], name="unattributed_newest")]

    def __str__(self) -> str:
        return f"{self.value} at {self.time} ({self.get_reason_display()})"
