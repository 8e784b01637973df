"""What is typed to change the usage limits of a metered component."""

from __future__ import annotations

from typing import Any

from django import forms

from billing_portal.portal import plan_lines
from billing_portal.portal.forms import CODE, numeric
from invoicing.catalog.models import MeteredComponent


class LimitsForm(forms.Form):
    limit = forms.DecimalField(
        required=False, max_digits=30, decimal_places=12, widget=numeric("none"), help_text="Of a billing cycle."
    )
    label_limits = forms.CharField(
        label="Limits by label",
        required=False,
        widget=forms.Textarea(CODE | {"rows": 3, "placeholder": "region=eu: 1000"}),
        help_text="One a line. The value any is all of them together, each every one on its own.",
    )

    def __init__(self, component: MeteredComponent, data: Any = None) -> None:
        self.component, self.place = component, f"limits_{component.pk}"
        limit = None if component.limit is None else f"{component.limit.normalize():f}"
        rows = plan_lines.write_label_limits(component.label_limits)
        super().__init__(data, prefix=self.place, initial={"limit": limit, "label_limits": rows})
        if not component.meter.primary_labels:
            del self.fields["label_limits"]

    def values(self) -> dict[str, Any]:
        """As the verb takes them. Raises ``Invalid``."""
        values: dict[str, Any] = {"limit": self.cleaned_data["limit"]}
        if "label_limits" in self.fields:
            values["label_limits"] = plan_lines.read_label_limits(self.cleaned_data["label_limits"], "label_limits")
        return values
