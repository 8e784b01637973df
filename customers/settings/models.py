"""The vendor's billing settings and a customer's override: one set of columns, two tables."""

from __future__ import annotations

from typing import Any

from django.db import models

from customers.customer import Customer
from customers.scoping import VendorOwned
from customers.settings.policy import SETTING_NAMES, SETTINGS
from customers.vendor import Vendor


class SettingFields(models.Model):
    updated_at = models.DateTimeField()

    class Meta:
        abstract = True

    def values(self) -> dict[str, Any]:
        """Only what is set here, by name."""
        return {name: value for name in SETTING_NAMES if (value := getattr(self, name)) is not None}


for _setting in SETTINGS:
    SettingFields.add_to_class(_setting.name, _setting.model_field())


class BillingSettings(VendorOwned, SettingFields):
    vendor = models.OneToOneField(Vendor, on_delete=models.CASCADE, related_name="billing_settings")

    class Meta:
        verbose_name_plural = "billing settings"

    def __str__(self) -> str:
        return f"Billing settings of {self.vendor}"

    @classmethod
    def values_of(cls, vendor: Vendor) -> dict[str, Any]:
        return cls.objects.of(vendor).values(*SETTING_NAMES).first() or {}


class BillingSettingsOverride(VendorOwned, SettingFields):
    customer = models.OneToOneField(Customer, on_delete=models.CASCADE, related_name="billing_override")

    class Meta:
        verbose_name = "billing settings override"

    def __str__(self) -> str:
        return f"Billing settings of {self.customer}"
