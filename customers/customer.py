"""The customer: whom a vendor bills."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import models

from customers.contact import ContactFields
from customers.scoping import VendorOwned


def validate_regex(pattern: str) -> None:
    """RE2 patterns only: they match in linear time, so no mapping can be made to run for ever."""
    import re2

    try:
        re2.compile(pattern)
    except re2.error as error:
        raise ValidationError(f"{pattern!r} is not a valid regular expression (RE2 syntax): {error}") from error


class Customer(VendorOwned, ContactFields):
    name = models.CharField(max_length=128, help_text="Unique code name, for example your own customer id.")
    display_name = models.CharField(max_length=256)
    tags = models.JSONField(default=list, blank=True)
    currency = models.CharField(
        max_length=3, blank=True, help_text="Fixed by the first subscription; empty until then."
    )
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["vendor", "name"], name="customer_name_unique_per_vendor"),
        ]
        indexes = [
            models.Index(fields=["vendor", "-created_at", "-id"], name="customer_newest"),
        ]

    def __str__(self) -> str:
        return self.display_name


class CustomerMetadata(models.Model):
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="metadata")
    property = models.CharField(max_length=128)
    value = models.CharField(max_length=1024, blank=True)

    class Meta:
        verbose_name_plural = "customer metadata"
        constraints = [
            models.UniqueConstraint(fields=["customer", "property"], name="metadata_property_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.property}={self.value}"


class MeasurementMapping(models.Model):
    """Attributes measurements whose ``label`` matches ``value_regex`` (whole value) to the customer."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="measurement_mappings")
    label = models.CharField(max_length=128)
    value_regex = models.CharField(max_length=512, validators=[validate_regex])

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["customer", "label", "value_regex"], name="mapping_unique"),
        ]
        indexes = [models.Index(fields=["label"], name="mapping_label")]

    def __str__(self) -> str:
        return f"{self.label} ~ {self.value_regex}"
