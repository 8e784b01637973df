"""Why one line of an invoice costs what it does."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404

from billing_portal.portal.access import OperatorRequest, screen
from billing_portal.portal.invoices import title_of
from billing_portal.portal.navigation import show
from billing_portal.portal.price_preview import price_is
from customers.errors import Missing
from customers.money import format_unit_price
from invoicing.catalog.models import Aggregation
from invoicing.invoices.explain import ExplainedPart, ExplainedTier, ExplainedUsage, explain
from invoicing.invoices.models import Invoice
from invoicing.rating.wording import MOST_DIGITS, grouped

_DAYS_ARE = {
    Aggregation.SUM: "The days add up to the quantity.",
    Aggregation.COUNT: "The days add up to the quantity.",
    Aggregation.MAX: "Each day's largest value; the largest of the billing cycle counts.",
    Aggregation.MIN: "Each day's smallest value; the smallest of the billing cycle counts.",
    Aggregation.AVG: "Each day's average; that of the whole billing cycle counts.",
    Aggregation.TIME_WEIGHTED_SUM: "The level, weighted by how long it held; the days add up to the quantity.",
    Aggregation.LATEST: "Each day's latest value; the latest of the billing cycle counts.",
}


@dataclass(frozen=True)
class TierShown:
    range: str
    quantity: Decimal
    price: str
    amount: str
    description: str


@dataclass(frozen=True)
class DayShown:
    day: str
    quantity: Decimal
    measurements: int


@dataclass(frozen=True)
class PartShown:
    """One amount and how it came about, ready to be read."""

    part: ExplainedPart
    tiers: Sequence[TierShown]
    days: Sequence[DayShown]
    days_are: str
    exact: str


@screen
def line_item_page(request: OperatorRequest, uuid: uuid.UUID, line: uuid.UUID) -> HttpResponse:
    rows = Invoice.objects.of(request.vendor).select_related("customer", "subscription__price_plan")
    invoice = get_object_or_404(rows, uuid=uuid)
    try:
        found = explain(invoice, str(line))
    except Missing as error:
        raise Http404(error.message) from None
    context = {
        "invoice": invoice,
        "invoice_title": title_of(invoice),
        "customer": invoice.customer,
        "explanation": found,
        "line": found.line,
        "shown": _shown(found.part, invoice.currency),
        "replaced": [_shown(part, invoice.currency) for part in found.replaced],
    }
    return show(request, "portal/invoices/line.html", context, title=found.line.name, area="invoices")


def _shown(part: ExplainedPart, currency: str) -> PartShown:
    unit = part.usage.unit if part.usage else ""
    return PartShown(
        part=part,
        tiers=[_tier(tier, part, unit, currency) for tier in part.tiers],
        days=_days(part.usage),
        days_are=_days_are(part.usage),
        exact="" if part.exact_amount.denominator == 1 else amount_text(part.exact_amount, currency),
    )


def _tier(tier: ExplainedTier, part: ExplainedPart, unit: str, currency: str) -> TierShown:
    per = price_is(part.scheme_type or "", part.batch_size, unit)
    return TierShown(
        range=_range(tier),
        quantity=tier.quantity,
        price=f"{format_unit_price(tier.price, currency)} {per}",
        amount=amount_text(tier.amount, currency),
        description=tier.description,
    )


def _range(tier: ExplainedTier) -> str:
    if tier.cap is None or tier.quantity > tier.cap:
        return f"above {grouped(tier.floor)}" if tier.floor else "any quantity"
    return f"above {grouped(tier.floor)}, up to {grouped(tier.cap)}" if tier.floor else f"up to {grouped(tier.cap)}"


def amount_text(amount: Fraction, currency: str) -> str:
    """An exact amount with its fractions of a minor unit."""
    with localcontext(prec=MOST_DIGITS):
        return format_unit_price(Decimal(amount.numerator) / amount.denominator, currency)


def _days(usage: ExplainedUsage | None) -> list[DayShown]:
    found = usage.days if usage else ()
    return [DayShown(f"{one.day.day} {one.day:%b %Y}", one.quantity, one.measurements) for one in found]


def _days_are(usage: ExplainedUsage | None) -> str:
    return _DAYS_ARE.get(usage.aggregation, "") if usage else ""
