"""From rated lines to line items."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any

from customers.copying import copy_rows
from invoicing.invoices.models import LineItem
from invoicing.rating.terms import RatedLine

# What a line item says of its own, whichever invoice it stands on, and where the rated line says it. The credit that
# it takes from is the last.
_SAID = {
    **{name: name for name in ("kind", "name", "description", "quantity", "quantity_unit", "unit_price", "amount")},
    **{name: name for name in ("metadata", "explanation", "in_advance")},
    "start_time": "start",
    "end_time": "end",
    "adhoc_charge_id": "charge_key",
    "proration_credit_id": "credit_key",
}
_values = attrgetter(*_SAID.values())


def unsaved(line: RatedLine) -> LineItem:
    """A line item that is in no table."""
    return LineItem(**dict(zip(_SAID, _values(line), strict=True)))


def write_lines(invoices: Iterable[tuple[int, Sequence[RatedLine], int | None]]) -> None:
    """Each invoice's id, its lines, and the credit that its own cycle leaves; one COPY for all of them.

    Their ``uuid`` is given by the database."""
    names = ("invoice_id", "position", *_SAID)
    copy_rows(LineItem, names, (row for invoice in invoices for row in _rows(*invoice)))


def _rows(invoice_id: int, lines: Sequence[RatedLine], own_credit: int | None) -> Iterator[tuple[Any, ...]]:
    for position, line in enumerate(lines):
        *said, credit = _values(line)
        if credit is None and "unused" in line.metadata:
            credit = own_credit
        yield (invoice_id, position, *said, credit)
