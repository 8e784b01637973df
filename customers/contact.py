"""Contact details, the same set for a vendor and for a customer."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models


class ContactFields(models.Model):
    legal_name = models.CharField(max_length=256, blank=True)
    email = models.EmailField(max_length=512, blank=True)
    secondary_emails = ArrayField(models.EmailField(max_length=512), default=list, blank=True)
    phone = models.CharField(max_length=40, blank=True)
    url = models.URLField(max_length=500, blank=True)
    logo_url = models.URLField(max_length=500, blank=True)
    address_line_1 = models.CharField(max_length=256, blank=True)
    address_line_2 = models.CharField(max_length=256, blank=True)
    city = models.CharField(max_length=128, blank=True)
    state = models.CharField(max_length=128, blank=True)
    zipcode = models.CharField(max_length=32, blank=True)
    country = models.CharField(max_length=64, blank=True)
    vat_id = models.CharField("VAT id", max_length=64, blank=True)

    class Meta:
        abstract = True

    @property
    def address_lines(self) -> list[str]:
        """The address as printed: one entry a line, empty parts left out."""
        town = " ".join(part for part in (self.city, self.state, self.zipcode) if part)
        return [part for part in (self.address_line_1, self.address_line_2, town, self.country) if part]


CONTACT_FIELDS = tuple(field.name for field in ContactFields._meta.local_fields)
