"""What the portal's plain forms share."""

from __future__ import annotations

from collections.abc import Sequence

from django import forms

from customers.errors import Refused

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
        field = name.partition(".")[0]
        for problem in problems:
            form.add_error(field if field in form.fields else None, problem)
