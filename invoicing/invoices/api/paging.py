"""Which invoices, in which order, from where on.

A page ends where the next begins: pass the answered offsets back to go on. The place is a pair, the sorted
column's value and the row's id, so pages neither overlap nor skip while invoices come and go.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypedDict

from django.db.models import QuerySet
from rest_framework import serializers

from customers.api.base import StrictSerializer
from customers.api.paging import beyond
from customers.errors import Invalid
from invoicing.invoices.models import Invoice
from invoicing.invoices.states import InvoiceStatus

LIMIT = 10
HIGHEST_LIMIT = 1000

# Never null, so that a value marks a place; each has an index. With how its offset is read.
COLUMNS: dict[str, Callable[[str], Any]] = {
    "generated_at": lambda text: _moment(text),
    "issue_date": lambda text: _moment(text),
    "amount_due": lambda text: _amount(text),
}


def _moment(text: str) -> datetime:
    """A plus sign that was not escaped in the address arrives as a space."""
    moment = datetime.fromisoformat(text.replace(" ", "+"))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _amount(text: str) -> int:
    amount = int(text)
    if abs(amount) >= 2**63:
        raise ValueError(text)
    return amount


class InvoiceQuery(StrictSerializer):
    customer_name = serializers.CharField(required=False)
    status = serializers.ChoiceField(choices=InvoiceStatus.choices, required=False)
    start_time = serializers.DateTimeField(required=False, help_text="Only cycles that start at this time or later.")
    sort_column = serializers.ChoiceField(choices=list(COLUMNS), default="generated_at")
    sort_direction = serializers.ChoiceField(choices=["asc", "desc"], default="desc")
    limit = serializers.IntegerField(required=False, min_value=1, max_value=HIGHEST_LIMIT)
    forward_sort_offset = serializers.CharField(required=False)
    forward_secondary_sort_offset = serializers.IntegerField(required=False, min_value=0, max_value=2**63 - 1)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if ("forward_sort_offset" in given) != ("forward_secondary_sort_offset" in given):
            raise serializers.ValidationError(
                {"forward_sort_offset": "Pass back both forward_sort_offset and forward_secondary_sort_offset."}
            )
        return given


class Offsets(TypedDict):
    forward_sort_offset: str | None
    forward_secondary_sort_offset: str | None


@dataclass(frozen=True)
class Page:
    invoices: list[Invoice]
    offsets: Offsets


def matching(rows: QuerySet[Invoice], query: dict[str, Any]) -> QuerySet[Invoice]:
    """The rows that are asked for, in the order that is asked for."""
    filters = {"customer_name": "customer__name", "status": "status", "start_time": "period_start__gte"}
    rows = rows.filter(**{column: query[name] for name, column in filters.items() if name in query})
    sign, column = "-" if query["sort_direction"] == "desc" else "", query["sort_column"]
    order = (f"{sign}{column}", f"{sign}pk")
    rows = rows.order_by(*order).select_related("customer", "vendor")
    if "forward_sort_offset" not in query:
        return rows
    place = (_offset(column, query["forward_sort_offset"]), query["forward_secondary_sort_offset"])
    return rows.filter(beyond(order, place))


def page_of(rows: QuerySet[Invoice], query: dict[str, Any], *, limit: int | None) -> Page:
    """``limit`` None: all of them."""
    found = list(rows if limit is None else rows[: limit + 1])
    shown = found[:limit]
    last = shown[-1] if len(found) > len(shown) else None
    return Page(shown, _offsets(last, query["sort_column"]))


def _offset(column: str, text: str) -> Any:
    try:
        return COLUMNS[column](text)
    except ValueError:
        refusal = "Pass back what the last page answered, with the same sort_column."
        raise Invalid({"forward_sort_offset": refusal}) from None


def _offsets(last: Invoice | None, column: str) -> Offsets:
    """Where the next page begins; null when there is none."""
    if last is None:
        return {"forward_sort_offset": None, "forward_secondary_sort_offset": None}
    value = getattr(last, column)
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    return {"forward_sort_offset": text, "forward_secondary_sort_offset": str(last.pk)}
