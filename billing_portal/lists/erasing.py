"""A customer is erased: the rows of files that it came in by."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import OperationalError

from billing_portal.lists.models import Import, ImportRow
from customers.customer import Customer
from customers.errors import Busy


def forget(customer: Customer, was: str, *, real_now: datetime) -> Sequence[str]:
    """What was imported of it cannot be undone any more. Raises ``Busy`` while an import has such a row in hand: that
    holds its row before it asks for the customer, so waiting for it here could last for ever."""
    files = Import.objects.of(customer.vendor).filter(kind=Import.Kind.CUSTOMERS)
    rows = ImportRow.objects.filter(of__in=files, name=was)
    try:
        list(rows.select_for_update(nowait=True).values_list("pk"))
    except OperationalError as error:
        raise Busy(f"{was} is being imported at this moment. Try again when that is done.") from error
    rows.filter(outcome=ImportRow.Outcome.DONE).update(outcome=ImportRow.Outcome.KEPT)
    rows.filter(outcome=ImportRow.Outcome.OPEN).update(outcome=ImportRow.Outcome.FAILED)
    rows.update(given={}, before={}, after={}, name=customer.name, reason="")
    return ()
