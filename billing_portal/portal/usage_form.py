"""One measurement, typed by a person: for the first try, and for usage that no system sends."""

from __future__ import annotations

import json
from typing import Any

from django import forms

from billing_portal.portal.forms import CODE, MomentField, numeric
from customers.errors import Invalid
from customers.vendor import Vendor
from invoicing.catalog.models import Meter

MOST_METERS = 500
# What the intake calls a field, and what the form does.
FIELDS = {"meter_name": "meter", "customer_name": "meter", "value": "value", "time": "time", "labels": "labels"}


class UsageForm(forms.Form):
    meter = forms.ChoiceField(choices=())
    value = forms.DecimalField(
        label="Quantity", max_digits=30, decimal_places=12, widget=numeric(), help_text="In the meter's unit."
    )
    time = MomentField(label="Measured at", help_text="Empty is now, by the vendor's clock.")
    labels = forms.CharField(
        required=False,
        max_length=2000,
        widget=forms.TextInput({**CODE, "placeholder": '{"region": "eu"}'}),
        help_text="An object of texts. A meter with primary labels needs them.",
    )

    def __init__(self, vendor: Vendor, data: Any = None, **options: Any) -> None:
        super().__init__(data, **options)
        names = Meter.objects.of(vendor).order_by("name").values_list("name", flat=True)[:MOST_METERS]
        self.fields["meter"].choices = [(name, name) for name in names]  # type: ignore[attr-defined]

    def clean_labels(self) -> Any:
        text = self.cleaned_data["labels"].strip()
        try:
            return json.loads(text) if text else None
        except ValueError:
            raise forms.ValidationError('Write labels as an object: {"region": "eu"}.') from None

    def as_sent(self, customer_name: str) -> dict[str, Any]:
        """As a system would have sent it."""
        given = self.cleaned_data
        sent = {"meter_name": given["meter"], "customer_name": customer_name, "value": given["value"]}
        return sent | {name: given[name] for name in ("time", "labels") if given[name]}

    def refuse(self, refusal: Invalid) -> None:
        for name, problems in refusal.errors.items():
            for problem in problems:
                self.add_error(FIELDS.get(name.partition(".")[0]), problem)
