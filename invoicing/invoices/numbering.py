"""Invoice numbers: one series a vendor, without gaps, given when an invoice is issued.

The counter row is taken once a chunk. A number stays with its invoice for good, also when issuing fails.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from customers.vendor import Vendor
from invoicing.invoices.models import Invoice, NumberSeries


def assign_numbers(vendor: Vendor, invoice_ids: Sequence[int]) -> None:
    """Number those invoices of one vendor that have no number yet, in the order they were generated."""
    with transaction.atomic():
        unnumbered = Invoice.objects.of(vendor).filter(pk__in=invoice_ids, number="")
        invoices = list(unnumbered.select_for_update().order_by("generated_at", "pk").only("pk", "number"))
        if not invoices:
            return
        for invoice, number in zip(invoices, _take(vendor, len(invoices)), strict=True):
            invoice.number = number
        Invoice.objects.bulk_update(invoices, ["number"])


def _take(vendor: Vendor, count: int) -> list[str]:
    NumberSeries.objects.get_or_create(vendor=vendor)
    series = NumberSeries.objects.select_for_update().get(vendor=vendor)
    first = series.next_value
    series.next_value = first + count
    series.save(update_fields=["next_value"])
    return [f"{series.prefix}{value:0{series.digits}d}" for value in range(first, first + count)]
