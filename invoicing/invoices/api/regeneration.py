"""/invoices/{uuid}/regenerate: what has changed since it was generated, and generating it again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, TypedDict

from rest_framework.request import Request
from rest_framework.response import Response

from customers.api.base import StrictSerializer, done
from customers.api.schema import documented
from customers.errors import Refused
from invoicing.catalog.api.wire import number
from invoicing.invoices.api.shapes import InvoiceAnswer, invoice_shape
from invoicing.invoices.api.views import InvoiceVendorView
from invoicing.invoices.late_usage import LateUsage, late_usage
from invoicing.invoices.regeneration import LineChange, Regeneration, regenerate, would_change


class LateUsageAnswer(TypedDict):
    """Of one metered component, what came after the invoice was generated."""

    meter_name: str
    display_name: str
    unit_name: str
    billed_usage: Annotated[float, "What the invoice was rated from."]
    usage: Annotated[float, "What there is now."]
    measurements: Annotated[int, "How many more there are; 0 where one was replaced."]
    last_measurement: datetime | None


class LineChangeAnswer(TypedDict):
    """A quantity or an amount of null: there is no such line."""

    name: str
    unit_name: str
    quantity: float | None
    new_quantity: float | None
    price_int: Annotated[int | None, "Minor units."]
    new_price_int: int | None


class RegenerationAnswer(TypedDict):
    """Amounts are minor units of ``currency``. Without changes, what is due stays what it is."""

    late_usage: list[LateUsageAnswer]
    can_be_generated_again: Annotated[bool, "What the customer may have seen is not replaced."]
    why_not: str
    currency: str
    amount_due: int
    new_amount_due: int
    changes: Annotated[list[LineChangeAnswer], "The lines that would differ."]


class RegenerateView(InvoiceVendorView):
    @documented("preview_regeneration", answer=RegenerationAnswer)
    def get(self, request: Request, uuid: str) -> Response:
        """Usage that came after the invoice was generated, and what generating it again would change. Nothing is
        changed by asking."""
        invoice = self.invoice(uuid)
        why_not, found = "", None
        try:
            found = would_change(invoice, now=self.now, real_now=self.real_now)
        except Refused as refusal:
            why_not = refusal.message
        late = [_late_shape(one) for one in late_usage(invoice)]
        return done({**_shape(found, invoice.currency, invoice.amount_due, why_not), "late_usage": late})

    @documented("regenerate_invoice", answer=InvoiceAnswer)
    def post(self, request: Request, uuid: str) -> Response:
        """Before it is issued: a new invoice for the same billing cycle takes its place, made of what is known now. It
        has an id of its own."""
        invoice = self.invoice(uuid)
        self.read(StrictSerializer)
        return done(invoice_shape(regenerate(invoice, **self.by)))


def _shape(found: Regeneration | None, currency: str, amount_due: int, why_not: str) -> RegenerationAnswer:
    return {
        "late_usage": [],
        "can_be_generated_again": not why_not,
        "why_not": why_not,
        "currency": currency,
        "amount_due": amount_due,
        "new_amount_due": found.new_amount_due if found else amount_due,
        "changes": [_change_shape(change) for change in found.changes] if found else [],
    }


def _late_shape(late: LateUsage) -> LateUsageAnswer:
    return {
        "meter_name": late.meter_name,
        "display_name": late.name,
        "unit_name": late.unit,
        "billed_usage": number(late.billed),
        "usage": number(late.used),
        "measurements": late.measurements,
        "last_measurement": late.last,
    }


def _change_shape(change: LineChange) -> LineChangeAnswer:
    return {
        "name": change.name,
        "unit_name": change.unit,
        "quantity": number(change.quantity),
        "new_quantity": number(change.new_quantity),
        "price_int": change.amount,
        "new_price_int": change.new_amount,
    }
