"""A customer is erased: the rows of files that it came in by."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from billing_portal.lists.models import Import, ImportRow
from customers.customer import Customer


def forget(customer: Customer, was: str, *, real_now: datetime) -> Sequence[str]:
    """What was imported of it cannot be undone any more."""
    files = Import.objects.of(customer.vendor).filter(kind=Import.Kind.CUSTOMERS)
    rows = ImportRow.objects.filter(of__in=files, name=was)
    rows.filter(outcome=ImportRow.Outcome.DONE).update(outcome=ImportRow.Outcome.KEPT)
    rows.update(given={}, before={}, after={}, name=customer.name, reason="")
    return ()
