"""What a meter measured last, and measurements that are tried or sent by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms

from billing_portal.portal.forms import CODE, MomentField, numeric
from billing_portal.portal.plan_lines import read_labels
from customers.customer import Customer
from customers.errors import Invalid
from customers.vendor import Vendor
from invoicing.catalog.models import Meter
from invoicing.usage.attribution import Directory, Unattributed, stream_of
from invoicing.usage.intake import take_in_one
from invoicing.usage.models import Measurement
from invoicing.usage.readings import read_one

SHOWN = 20
# How far back the vendor's newest measurements are looked through for those of one meter.
LOOKED_THROUGH = 5_000


def newest_of(vendor: Vendor, meter: Meter) -> Sequence[Measurement]:
    """Among the vendor's last few thousand, by when they arrived: as fast for a meter that is hardly used."""
    rows = Measurement.objects.of(vendor).order_by("-received_at", "-id")
    oldest = rows.values_list("received_at", flat=True)[LOOKED_THROUGH - 1 : LOOKED_THROUGH].first()
    if oldest:
        rows = rows.filter(received_at__gte=oldest)
    return list(rows.filter(meter=meter).select_related("customer")[:SHOWN])


class MeasurementForm(forms.Form):
    customer_name = forms.CharField(
        label="Customer's code name",
        required=False,
        max_length=128,
        widget=forms.TextInput(CODE),
        help_text="Empty: the labels say whose it is.",
    )
    value = forms.DecimalField(max_digits=30, decimal_places=12, initial=1, widget=numeric())
    labels = forms.CharField(
        required=False,
        max_length=2000,
        widget=forms.TextInput(CODE | {"placeholder": "region=eu, account=acme"}),
        help_text="With commas between them.",
    )
    time = MomentField(help_text="Empty is now.")

    def measurement(self, meter: Meter) -> dict[str, Any]:
        """As the API is sent it."""
        given = self.cleaned_data
        return {
            "meter_name": meter.name,
            "customer_name": given["customer_name"] or None,
            "value": given["value"],
            "labels": read_labels(given["labels"]),
            "time": given["time"],
        }


@dataclass(frozen=True)
class Tried:
    """Whose a measurement would be; without a customer, why it would wait."""

    customer: Customer | None
    reason: str = ""


def attempt(vendor: Vendor, meter: Meter, item: dict[str, Any], *, now: datetime) -> Tried:
    """Nothing is kept. Raises ``Invalid``."""
    reading = read_one(item, now=now)
    try:
        found = Directory(vendor, [reading]).attribute(reading)
    except Unattributed as waiting:
        return Tried(None, str(waiting.reason.label))
    try:
        stream_of(meter, reading)
    except Invalid as refusal:
        raise Invalid({"labels": " ".join(text for texts in refusal.errors.values() for text in texts)}) from None
    return Tried(Customer.objects.of(vendor).get(pk=found.customer_id))


def send(vendor: Vendor, meter: Meter, item: dict[str, Any], *, now: datetime, real_now: datetime) -> Tried:
    """Kept, and billed like any other. Raises ``Invalid``."""
    tried = attempt(vendor, meter, item, now=now)
    take_in_one(vendor, item, now=now, real_now=real_now)
    return tried
