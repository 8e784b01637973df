"""What can be measured, and what it costs."""

from __future__ import annotations

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from customers.scoping import VendorOwned


class MeterType(models.TextChoices):
    COUNTER = "COUNTER", "Counter"
    GAUGE = "GAUGE", "Gauge"


class DataType(models.TextChoices):
    DISCRETE = "DISCRETE", "Discrete"
    CONTINUOUS = "CONTINUOUS", "Continuous"


class ReportingMethod(models.TextChoices):
    DELTA = "DELTA", "Delta"
    TOTAL = "TOTAL", "Total"


class Aggregation(models.TextChoices):
    SUM = "SUM", "Sum"
    MAX = "MAX", "Maximum"
    MIN = "MIN", "Minimum"
    AVG = "AVG", "Average"
    COUNT = "COUNT", "Count"
    TIME_WEIGHTED_SUM = "TIME_WEIGHTED_SUM", "Time-weighted sum"
    LATEST = "LATEST", "Latest"


class Period(models.TextChoices):
    MONTH = "month", "month"
    QUARTER = "quarter", "quarter"
    HALF_YEAR = "biannual", "half-year"
    YEAR = "year", "year"

    @property
    def months(self) -> int:
        return {"month": 1, "quarter": 3, "biannual": 6, "year": 12}[self.value]


class TimeUnit(models.TextChoices):
    """What a level is held for, where a price is for each unit and time. A month is that of the billing cycle: its
    length, or a third, a sixth or a twelfth of it."""

    HOUR = "hour", "hour"
    DAY = "day", "day"
    WEEK = "week", "week"
    MONTH = "month", "month"


class TrialUnit(models.TextChoices):
    HOUR = "hour", "hour"
    DAY = "day", "day"
    WEEK = "week", "week"
    MONTH = "month", "month"
    YEAR = "year", "year"


class SchemeType(models.TextChoices):
    FLAT = "FLAT", "Flat"
    TIERED = "TIERED", "Tiered"
    VOLUME = "VOLUME", "Volume"
    STAIRSTEP = "STAIRSTEP", "Stairstep"


class Meter(VendorOwned):
    name = models.CharField(max_length=128, help_text="Unique code name.")
    display_name = models.CharField(max_length=256, blank=True)
    description = models.TextField(blank=True)
    unit_name = models.CharField(max_length=64, blank=True)
    event_name = models.CharField(max_length=128, help_text="Measurements sent under this name count here.")
    meter_type = models.CharField(max_length=8, choices=MeterType.choices, default=MeterType.COUNTER)
    is_incremental = models.BooleanField(default=True)
    data_type = models.CharField(max_length=12, choices=DataType.choices, default=DataType.DISCRETE)
    reporting_method = models.CharField(max_length=8, choices=ReportingMethod.choices, default=ReportingMethod.DELTA)
    aggregation = models.CharField(max_length=20, choices=Aggregation.choices, default=Aggregation.SUM)
    primary_labels = ArrayField(models.CharField(max_length=128), default=list, blank=True)
    expected_labels = ArrayField(models.CharField(max_length=128), default=list, blank=True)
    event_label_filter = models.JSONField(null=True, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["vendor", "name"], name="meter_name_unique_per_vendor"),
        ]
        indexes = [models.Index(fields=["vendor", "event_name"], name="meter_by_event")]

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        """How people see it: the display name, else the name."""
        return self.display_name or self.name


class PricePlan(VendorOwned):
    """One version of a plan. A change makes a new version; subscriptions keep theirs."""

    external_uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=128, help_text="Unique code name; all versions share it.")
    version = models.PositiveIntegerField(default=1)
    display_name = models.CharField(max_length=256, blank=True)
    description = models.TextField(blank=True)
    period = models.CharField(max_length=8, choices=Period.choices, default=Period.MONTH)
    currency = models.CharField(max_length=3)
    base_price = models.BigIntegerField(default=0, help_text="Minor units a billing cycle.")
    base_price_frequency = models.PositiveSmallIntegerField(default=1)
    base_price_description = models.CharField(max_length=256, blank=True)
    minimum_charge = models.BigIntegerField(null=True, blank=True)
    minimum_charge_frequency = models.PositiveSmallIntegerField(null=True, blank=True)
    tags = ArrayField(models.CharField(max_length=128), default=list, blank=True)
    features = models.JSONField(default=list, help_text="Named entitlements, with their texts.")
    limits = models.JSONField(default=list, help_text="How much of a feature.")
    trial_length = models.PositiveIntegerField(default=0, help_text="Without charges, at a subscription's start.")
    trial_unit = models.CharField(max_length=8, choices=TrialUnit.choices, blank=True)
    trial_credit = models.BigIntegerField(default=0, help_text="Minor units: what invoices of a trial cost less.")
    archived_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["name", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["vendor", "name", "version"], name="plan_version_unique"),
            models.CheckConstraint(name="plan_base_price_not_negative", condition=Q(base_price__gte=0)),
        ]

    def __str__(self) -> str:
        return f"{self.label} (version {self.version})"

    @property
    def label(self) -> str:
        return self.display_name or self.name

    @property
    def base_price_label(self) -> str:
        """The base price's line: its description, else the plan's display name, else its name."""
        return self.base_price_description or self.label


class AddOn(models.Model):
    """A fixed item that customers on the plan may have, a number of times where ``quantity_enabled``. ``prices`` are
    tiers of the quantity, exact decimals as text. ``single_use``: each is billed once, not in every billing cycle.
    The price is for ``price_frequency`` billing cycles, and billed every ``charge_frequency`` of them: each of them
    bears its part, or one of them all of it. ``immediately_charge``: what is added is billed at once, by an invoice of
    its own."""

    external_uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    price_plan = models.ForeignKey(PricePlan, on_delete=models.CASCADE, related_name="add_ons")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=128, help_text="The code name of the feature that it is.")
    display_name = models.CharField(max_length=256, blank=True)
    description = models.TextField(blank=True)
    scheme_type = models.CharField(max_length=12, choices=SchemeType.choices, default=SchemeType.FLAT)
    prices = models.JSONField(default=list)
    single_use = models.BooleanField(default=False)
    immediately_charge = models.BooleanField(default=False)
    price_frequency = models.PositiveSmallIntegerField(default=1)
    charge_frequency = models.PositiveSmallIntegerField(default=1)
    quantity_enabled = models.BooleanField(default=False)
    limit = models.DecimalField(max_digits=30, decimal_places=12, null=True, blank=True, help_text="The most of it.")

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["price_plan", "position"], name="add_on_position_unique"),
            models.UniqueConstraint(fields=["price_plan", "name"], name="add_on_name_unique"),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        return self.display_name or self.name


class MeteredComponent(models.Model):
    """A meter with its price inside a plan."""

    external_uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    price_plan = models.ForeignKey(PricePlan, on_delete=models.CASCADE, related_name="metered_components")
    meter = models.ForeignKey(Meter, on_delete=models.PROTECT, related_name="metered_components")
    position = models.PositiveSmallIntegerField()
    display_name = models.CharField(
        "Invoice Display Name", max_length=256, blank=True, help_text="Printed on the invoice in place of the meter."
    )
    minimum_charge = models.BigIntegerField(null=True, blank=True)
    minimum_charge_frequency = models.PositiveSmallIntegerField(null=True, blank=True)
    watermark = models.DecimalField(max_digits=30, decimal_places=12, null=True, blank=True)
    limit = models.DecimalField(
        max_digits=30, decimal_places=12, null=True, blank=True, help_text="Usage of a billing cycle to warn of."
    )
    label_limits = models.JSONField(default=list, blank=True, help_text="The same for labels.")

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["price_plan", "position"], name="component_position_unique"),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        """The line's name: the Invoice Display Name, else the meter's."""
        return self.display_name or self.meter.label


class PriceScheme(models.Model):
    """How a quantity becomes an amount. ``tiers`` carry the prices."""

    component = models.OneToOneField(MeteredComponent, on_delete=models.CASCADE, related_name="price_scheme")
    scheme_type = models.CharField(max_length=12, choices=SchemeType.choices, default=SchemeType.FLAT)
    unit_name = models.CharField(max_length=64, blank=True)
    time_unit_name = models.CharField(max_length=16, blank=True)
    batch_size = models.PositiveIntegerField(default=1)
    frequency = models.PositiveSmallIntegerField(
        default=0, help_text="Months whose usage climbs the tiers together; 0: each billing cycle by itself."
    )
    post_minimum_charge_percentage_change = models.DecimalField(
        max_digits=12, decimal_places=4, null=True, blank=True, help_text="Of what is above the minimum charge."
    )
    price_list = models.JSONField(
        default=list, help_text="Rows of labels and prices; usage that none of them fits costs what the tiers say."
    )

    def __str__(self) -> str:
        return f"{self.get_scheme_type_display()} prices of {self.component}"


class PriceTier(models.Model):
    """``price`` is in minor units and may be fractional; ``cap`` is cumulative and inclusive, null is infinity."""

    scheme = models.ForeignKey(PriceScheme, on_delete=models.CASCADE, related_name="tiers")
    position = models.PositiveSmallIntegerField()
    price = models.DecimalField(max_digits=30, decimal_places=12)
    cap = models.DecimalField(max_digits=30, decimal_places=12, null=True, blank=True)
    description = models.CharField(max_length=256, blank=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["scheme", "position"], name="tier_position_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.price} up to {self.cap or 'any quantity'}"
