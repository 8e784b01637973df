"""The one mechanism that keeps vendors apart.

Every row that belongs to a vendor inherits ``VendorOwned``; every screen and every endpoint reads
such rows through ``Model.objects.of(vendor)``. ``tests/test_scoping.py`` walks the syntax trees of
the API and the portal and fails where a query starts in any other way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, TypeVar

from django.db import models

if TYPE_CHECKING:
    from customers.vendor import Vendor

M = TypeVar("M", bound=models.Model)


class VendorQuerySet(models.QuerySet[M]):
    def of(self, vendor: Vendor) -> Self:
        """Only what this vendor owns."""
        return self.filter(vendor=vendor)


class VendorOwned(models.Model):
    vendor = models.ForeignKey("customers.Vendor", on_delete=models.PROTECT, related_name="+")

    objects = VendorQuerySet.as_manager()

    class Meta:
        abstract = True
