"""Invoice numbers: without gaps in their series, given when an invoice is about to be issued.

Which series counts is for the pattern of the settings to say (``customers/settings/number_pattern.py``). Its row is
taken once a chunk. A number stays with its invoice for good, also when issuing fails.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from customers.actors import Actor
from customers.errors import Invalid
from customers.events.models import EventKind, SubjectKind
from customers.events.record import Fact, record
from customers.settings.number_pattern import MOST_DIGITS, Series, series_of
from customers.settings.policy import BillingPolicy, policies_for, vendor_policy
from customers.vendor import Vendor
from invoicing.invoices.models import Invoice, NumberSeries


def assign_numbers(vendor: Vendor, invoice_ids: Sequence[int], *, real_now: datetime) -> None:
    """Number those invoices of one vendor that have no number yet, in the order they were generated."""
    with transaction.atomic():
        unnumbered = Invoice.objects.of(vendor).filter(pk__in=invoice_ids, number="").order_by("generated_at", "pk")
        invoices = list(unnumbered.select_for_update().only("pk", "number", "customer_id"))
        for series, some in _by_series(vendor, invoices, real_now).items():
            for invoice, number in zip(some, _take(vendor, series, len(some)), strict=True):
                invoice.number = number
        Invoice.objects.bulk_update(invoices, ["number"])


def _by_series(vendor: Vendor, invoices: Sequence[Invoice], real_now: datetime) -> Mapping[Series, list[Invoice]]:
    """Sorted, so that two at once take their rows in the same order."""
    policies = policies_for(vendor, {invoice.customer_id for invoice in invoices})
    found: dict[Series, list[Invoice]] = {}
    for invoice in invoices:
        found.setdefault(_series(vendor, policies[invoice.customer_id], real_now), []).append(invoice)
    return {series: found[series] for series in sorted(found, key=lambda series: series.key)}


def _series(vendor: Vendor, policy: BillingPolicy, real_now: datetime) -> Series:
    return series_of(policy.invoice_number_pattern, vendor.now(real_now).astimezone(vendor.zone))


def _take(vendor: Vendor, series: Series, count: int) -> list[str]:
    row = _locked(vendor, series)
    first = _free_from(vendor, series, row.next_value, count)
    row.next_value = first + count
    row.save(update_fields=["next_value"])
    return [series.number(value) for value in range(first, first + count)]


def _locked(vendor: Vendor, series: Series) -> NumberSeries:
    NumberSeries.objects.get_or_create(vendor=vendor, series=series.key)
    return NumberSeries.objects.select_for_update().get(vendor=vendor, series=series.key)


def _free_from(vendor: Vendor, series: Series, first: int, count: int) -> int:
    """Where so many free numbers begin. Two patterns may make the same number; what one has used, the other passes
    over."""
    while True:
        wanted = {series.number(value): value for value in range(first, first + count)}
        used = Invoice.objects.of(vendor).filter(number__in=wanted).values_list("number", flat=True)
        last = max((wanted[number] for number in used), default=None)
        if last is None:
            return first
        first = last + 1


# The vendor's own series, for people


@dataclass(frozen=True)
class NextNumber:
    """The counter of a series, and what it makes."""

    value: int
    text: str


def next_number(vendor: Vendor, policy: BillingPolicy, *, real_now: datetime) -> NextNumber:
    """By these settings, at this moment."""
    series = _series(vendor, policy, real_now)
    row = NumberSeries.objects.filter(vendor=vendor, series=series.key).first()
    value = row.next_value if row else 1
    return NextNumber(value, series.number(value))


def start_at(vendor: Vendor, value: int, *, actor: Actor, now: datetime, real_now: datetime) -> NextNumber:
    """The next number of the vendor's series, as for a vendor that comes from another system. Numbers that were given
    are never given again. Raises ``Invalid`` on ``next_number``."""
    series = _series(vendor, vendor_policy(vendor), real_now)
    with transaction.atomic():
        row = _locked(vendor, series)
        if value < row.next_value:
            least = f"{series.number(row.next_value)} is the next one. Give {row.next_value} or more."
            raise Invalid({"next_number": f"Numbers below have been given already: {least}"})
        if len(str(value)) > MOST_DIGITS:
            raise Invalid({"next_number": f"Give at most {MOST_DIGITS} digits."})
        if value != row.next_value:
            details = {"changes": {"Next invoice number": {"before": row.next_value, "after": value}}}
            row.next_value = value
            row.save(update_fields=["next_value"])
            fact = Fact(EventKind.SETTINGS_CHANGED, SubjectKind.VENDOR, vendor.pk, details=details)
            record(vendor, fact, actor=actor, now=now, real_now=real_now)
    return NextNumber(value, series.number(value))
