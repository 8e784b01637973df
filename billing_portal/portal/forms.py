"""What the portal's plain forms share."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django import forms

from customers.errors import Invalid, Refused
from customers.money import exponent

TEXT = {"autocomplete": "off"}
CODE = TEXT | {"class": "bp-mono", "spellcheck": "false"}


class WordsField(forms.CharField):
    """Several words, typed with commas between them."""

    def clean(self, value: object) -> Sequence[str]:
        return [word.strip() for word in super().clean(value).split(",") if word.strip()]


def refuse(form: forms.Form, refusal: Refused) -> None:
    """Show a verb's refusal beside the fields it names."""
    errors = getattr(refusal, "errors", None) or {"": [refusal.message]}
    for name, problems in errors.items():
        field = next(
            (part for part in name.replace("customer_metadata", "metadata").split(".") if part in form.fields), None
        )
        for problem in problems:
            form.add_error(field, problem)


MOMENT_FORMATS = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]


class MomentField(forms.DateTimeField):
    """A date and time in the vendor's zone, as browsers' own pickers write it. Not required."""

    def __init__(self, **options: Any) -> None:
        widget = forms.DateTimeInput({"type": "datetime-local"}, format=MOMENT_FORMATS[0])
        super().__init__(**{"required": False, "input_formats": MOMENT_FORMATS, "widget": widget, **options})


def numeric(placeholder: str = "") -> forms.TextInput:
    """A box for a number or an amount, written as people write it."""
    return forms.TextInput(TEXT | {"inputmode": "decimal", "placeholder": placeholder})


def in_minor_units(price: Decimal, currency: str) -> Decimal:
    """What one unit costs may be a fraction of the smallest coin."""
    return price.scaleb(exponent(currency))


def in_words(refusal: Refused) -> str:
    """Without the names of fields that the screen does not show."""
    if isinstance(refusal, Invalid):
        return " ".join(problem for problems in refusal.errors.values() for problem in problems)
    return refusal.message
