"""The picture behind the setting ``invoice_logo_url``, as it was last fetched.

Documents are made inside transactions, and nobody may be called there: they take the picture from here.
``logos`` fetches it beforehand.
"""

from __future__ import annotations

from django.db import models

from customers.scoping import VendorOwned
from customers.settings.policy import BillingPolicy
from customers.vendor import Vendor
from invoicing.invoices.documents.model import Logo


class LogoFile(VendorOwned):
    """``data`` is empty until a fetch has succeeded; a later failure keeps what was there and says why."""

    url = models.CharField(max_length=500)
    data = models.BinaryField(default=bytes)
    error = models.TextField(blank=True)
    fetched_at = models.DateTimeField(help_text="Real time of the last try.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["vendor", "url"], name="logo_file_unique")]

    def __str__(self) -> str:
        return self.url


def logo_file(vendor: Vendor, policy: BillingPolicy) -> LogoFile | None:
    url = policy.invoice_logo_url
    return LogoFile.objects.of(vendor).filter(url=url).first() if url else None


def logo_of(vendor: Vendor, policy: BillingPolicy) -> Logo | None:
    """For a document. None: there is none, or none that could be fetched."""
    found = logo_file(vendor, policy)
    return Logo(bytes(found.data)) if found and found.data else None


def why_no_logo(vendor: Vendor, policy: BillingPolicy) -> str:
    """Shown beside a document that should have had one."""
    if not policy.invoice_logo_url:
        return ""
    found = logo_file(vendor, policy)
    if found and found.data:
        return ""
    return f"Printed without the logo. {found.error if found else 'It was not fetched in time.'}"
