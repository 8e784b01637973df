"""Measurements: what was used, by whom, when."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Exists, Q

from customers.customer import Customer
from customers.scoping import VendorOwned, VendorQuerySet
from customers.vendor import Vendor
from invoicing.catalog.models import Meter
from invoicing.usage.partitions import ensure_months, month_of


class MeasurementQuerySet(VendorQuerySet["Measurement"]):
    """Makes the months that it writes to. (The intake has its own way: ``writing.py``.)"""

    def bulk_create(self, objs: Iterable[Measurement], *args: Any, **kwargs: Any) -> list[Measurement]:
        rows = list(objs)
        ensure_months({month_of(row.time) for row in rows})
        return super().bulk_create(rows, *args, **kwargs)


class GivenId(models.Model):
    """The time of the measurement that a vendor gave this id, by which the next one with it replaces it. The table of
    measurements is partitioned by time, so no key of its own could know. Goes with its month.

    It stands before ``Measurement``: a customer's are deleted in this order, in which intake locks them.
    """

    pk = models.CompositePrimaryKey("meter_id", "customer_id", "stream", "external_id")
    meter = models.ForeignKey(Meter, on_delete=models.CASCADE, related_name="+", db_constraint=False, db_index=False)
    customer = models.ForeignKey(
        Customer, on_delete=models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )
    stream = models.TextField(blank=True, default="")
    external_id = models.CharField(max_length=255)
    time = models.DateTimeField()

    def __str__(self) -> str:
        return self.external_id


class Measurement(VendorOwned):
    """One measurement on one meter. ``stream`` is the canonical text of the primary labels' values.

    The same (meter, customer, microsecond, stream) replaces the earlier one; ``external_id`` keeps apart
    events that collide on time, and where the vendor gave it the same one replaces whatever its time (``GivenId``).

    The table is partitioned by the month of ``time`` (``migrations/0002_measurements_by_month.py``), so the database
    has no key on ``id`` alone: what tells measurements apart is its primary key.
    """

    vendor = models.ForeignKey(Vendor, on_delete=models.PROTECT, related_name="+", db_index=False)
    meter = models.ForeignKey(Meter, on_delete=models.CASCADE, related_name="measurements", db_index=False)
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="measurements")
    time = models.DateTimeField()
    value = models.DecimalField(max_digits=30, decimal_places=12)
    stream = models.TextField(blank=True, default="")
    external_id = models.CharField(max_length=255, blank=True, default="")
    labels = models.JSONField(default=dict)
    reset_total = models.BooleanField(default=False)
    received_at = models.DateTimeField()

    objects = MeasurementQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["meter", "customer", "time", "stream", "external_id"], name="measurement_replaces"
            ),
        ]
        indexes = [
            models.Index(fields=["vendor", "-received_at", "-id"], name="measurement_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.value} at {self.time}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        ensure_months({month_of(self.time)})
        super().save(*args, **kwargs)


class UsageDay(models.Model):
    """What one stream's measurements of a day of the vendor's zone come to, so that nobody reads them singly.

    ``part`` 0 is what was measured before the day's first ``reset_total``; each reset begins the next part.
    ``sum`` adds up the values. ``low``, ``high``, ``latest`` and ``area`` are of levels: the values themselves, or
    where a level's changes are reported, what these have come to since the part began (part 0 goes on from the day
    before). ``area`` is the level by the seconds it held, from the ``first`` measurement to the ``last``.

    Made by ``folding.py`` alone. A day that ``StaleUsage`` names is not to be believed.
    """

    pk = models.CompositePrimaryKey("meter_id", "customer_id", "day", "stream", "part")
    meter = models.ForeignKey(Meter, on_delete=models.CASCADE, related_name="+", db_index=False)
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="+")
    day = models.DateField()
    stream = models.TextField(blank=True, default="")
    part = models.IntegerField(default=0)
    first = models.DateTimeField()
    last = models.DateTimeField()
    count = models.BigIntegerField()
    sum = models.DecimalField(max_digits=44, decimal_places=12)
    low = models.DecimalField(max_digits=44, decimal_places=12)
    high = models.DecimalField(max_digits=44, decimal_places=12)
    latest = models.DecimalField(max_digits=44, decimal_places=12)
    area = models.DecimalField(max_digits=60, decimal_places=18)

    def __str__(self) -> str:
        return f"{self.sum} on {self.day}"


class StaleUsage(models.Model):
    """Measurements from ``first`` to ``last`` were written, changed or deleted, and are not folded yet.

    The database writes these rows itself, in the transaction of the change; only ever added, so that nobody waits
    for anybody.
    """

    meter = models.ForeignKey(Meter, on_delete=models.CASCADE, related_name="+", db_constraint=False, db_index=False)
    customer = models.ForeignKey(
        Customer, on_delete=models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )
    first = models.DateTimeField()
    last = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["meter", "customer", "first"], name="stale_usage")]

    def __str__(self) -> str:
        return f"{self.first} to {self.last}"


class DroppedMonth(models.Model):
    """A month whose measurements were dropped once they were invoiced; what its days came to is kept. No measurement
    is taken any more for it, or for a time before it (``partitions.kept_from``)."""

    month = models.DateField(unique=True)
    measurements = models.BigIntegerField()
    bytes = models.BigIntegerField(help_text="How much room they took, with their indexes.")
    dropped_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"


def was_measured(vendor: Vendor, customer: Any) -> Q:
    """A condition: something was measured for the customer (or what an ``OuterRef`` names), dropped since or not."""
    days = UsageDay.objects.filter(customer=customer)
    return Q(Exists(Measurement.objects.of(vendor).filter(customer=customer))) | Q(Exists(days))


class UsageLimitCheck(models.Model):
    """A customer's usage of a meter is to be held against the limits of its plan. Only ever added, so that nobody
    waits for anybody; whoever checks takes the rows away."""

    meter = models.ForeignKey(Meter, on_delete=models.CASCADE, related_name="+", db_constraint=False, db_index=False)
    customer = models.ForeignKey(
        Customer, on_delete=models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )

    def __str__(self) -> str:
        return f"{self.meter} of {self.customer}"


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
        indexes = [
            models.Index(fields=["vendor", "-received_at", "-id"], name="unattributed_newest"),
            models.Index(
                fields=["vendor", "customer_name"], condition=~Q(customer_name=""), name="unattributed_by_name"
            ),
            GinIndex(fields=["labels"], opclasses=["jsonb_path_ops"], name="unattributed_by_label"),
        ]

    def __str__(self) -> str:
        return f"{self.value} at {self.time} ({self.get_reason_display()})"
