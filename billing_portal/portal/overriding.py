"""Which customers have a value of their own for a setting, and how many."""

from __future__ import annotations

from functools import reduce
from operator import or_

from django.db.models import Count, Q

from billing_portal.portal.settings_form import Row, all_rows
from customers.settings.models import BillingSettingsOverride
from customers.vendor import Vendor

ROWS = {row.key: row for row in all_rows()}
CHOICES = [(row.key, row.label) for row in ROWS.values()]


def has_own(row: Row) -> Q:
    """A condition on overrides. A length and its unit are one setting."""
    return reduce(or_, (Q(**{f"{name}__isnull": False}) for name in row.names()))


def overriding_counts(vendor: Vendor) -> dict[str, int]:
    """By row, with one query for all of them."""
    counts = {key: Count("pk", filter=has_own(row)) for key, row in ROWS.items()}
    return BillingSettingsOverride.objects.of(vendor).aggregate(**counts)
