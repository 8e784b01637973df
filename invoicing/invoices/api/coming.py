"""The coming run, bill by bill."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, TypedDict

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api.base import VendorView
from customers.api.paging import CursorQuery, listed
from customers.api.schema import documented
from invoicing.invoices.coming import ComingBill, coming_bills


class ComingBillAnswer(TypedDict):
    customer_name: str
    currency: str
    period_start: datetime
    period_end: datetime
    generate_date: Annotated[datetime, "When its invoice is made."]
    amount_due: Annotated[int, "Minor units: what it comes to so far, with tax that we compute."]
    last_amount_due: Annotated[int | None, "What the customer's last invoice of a billing cycle came to."]
    change: int | None
    change_percent: float | None
    worked_out_at: Annotated[datetime, "Hourly, or when it was asked for in the portal."]


def coming_bill_shape(bill: ComingBill) -> ComingBillAnswer:
    return {
        "customer_name": bill.customer.name,
        "currency": bill.currency,
        "period_start": bill.cycle.start,
        "period_end": bill.cycle.end,
        "generate_date": bill.generate_at,
        "amount_due": bill.amount_due,
        "last_amount_due": bill.last_amount,
        "change": bill.change,
        "change_percent": bill.change_percent,
        "worked_out_at": bill.worked_out_at,
    }


class ComingBillQuery(CursorQuery):
    filters = {"customer_name": "customer__name", "currency": "currency"}

    customer_name = serializers.CharField(required=False)
    currency = serializers.CharField(required=False)


class UpcomingInvoicesView(VendorView):
    @documented("list_upcoming_invoices", query=ComingBillQuery, answer=list[ComingBillAnswer])
    def get(self, request: Request) -> Response:
        """Every invoice of the coming run as it was last worked out; the largest changes against the last one first."""
        rows = coming_bills(self.vendor).select_related("cycle", "customer")
        return listed(self, rows, coming_bill_shape, order=("-deviation", "-pk"), query=ComingBillQuery)
