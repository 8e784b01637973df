"""Changing a version of a price plan where it stands: its texts, for all who are subscribed to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from customers.errors import Invalid
from invoicing.catalog.models import PricePlan

TEXTS = ("display_name", "description", "base_price_description")


def change_texts(plan: PricePlan, values: Mapping[str, Any]) -> PricePlan:
    """Only the texts given change. Raises ``Invalid`` for what would change the price of those who are subscribed."""
    for name, value in values.items():
        if name not in TEXTS and value not in (None, []):
            raise Invalid({name: "Cannot be changed in place. PUT the price plan: that makes a new version."})
    given = {name: values[name] or "" for name in TEXTS if name in values}
    PricePlan.objects.of(plan.vendor).filter(pk=plan.pk).update(**given)
    for name, text in given.items():
        setattr(plan, name, text)
    return plan
