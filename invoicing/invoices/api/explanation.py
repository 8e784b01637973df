"""/invoices/{uuid}/line_items/{id}/explanation."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, TypedDict

from rest_framework.request import Request
from rest_framework.response import Response

from customers.api.base import done
from customers.api.schema import documented
from invoicing.catalog.api.wire import number
from invoicing.catalog.models import Aggregation, SchemeType
from invoicing.invoices.api.shapes import LineItemAnswer, line_shape
from invoicing.invoices.api.views import InvoiceVendorView
from invoicing.invoices.explain import ExplainedPart, ExplainedTier, ExplainedUsage, Explanation, explain
from invoicing.invoices.models import Invoice, LineItemKind
from invoicing.rating.wording import exact, plain

Exact = Annotated[str, "Minor units before rounding: a decimal, or a fraction such as 10/3."]


class ExplainedDayAnswer(TypedDict):
    day: date
    usage: Annotated[float, "What the measurements of this day come to on their own, aggregated as the meter says."]
    measurements: int


class ExplainedUsageAnswer(TypedDict):
    meter_name: str
    aggregation: Aggregation
    unit_name: str
    usage: Annotated[float, "As measured. What is below zero is billed as zero."]
    measurements: int
    first_measurement: datetime | None
    last_measurement: datetime | None
    by_day: Annotated[list[ExplainedDayAnswer], "In the vendor's time zone; days without measurements are left out."]


class ExplainedTierAnswer(TypedDict):
    above: Annotated[float, "The tier begins after this quantity."]
    cap: Annotated[float | None, "Up to and with this quantity. Null: without end."]
    quantity: Annotated[float, "How much of the line's quantity falls here."]
    price: Annotated[str, "Minor units for each batch; under STAIRSTEP, for all of it."]
    amount: Exact
    description: str


class ProrationAnswer(TypedDict):
    share: Annotated[str, "Of a whole billing cycle, by elapsed time: a fraction such as 33/62."]
    whole: Annotated[int, "What a whole billing cycle costs, in minor units."]


class ExplainedPartAnswer(TypedDict):
    item_type: LineItemKind
    name: str
    description: str
    quantity: float | None
    quantity_unit: str
    price_int: Annotated[int, "Rounded to minor units, half up."]
    exact_amount: Exact
    usage: ExplainedUsageAnswer | None
    scheme_type: SchemeType | None
    batch_size: int
    tiers: list[ExplainedTierAnswer]
    used_before: Annotated[float | None, "What earlier billing cycles used of the same tiers, where they share them."]
    proration: ProrationAnswer | None


class PlanVersionAnswer(TypedDict):
    name: str
    version: int
    external_uuid: str


class MinimumAnswer(TypedDict):
    minimum: Annotated[int, "What this billing cycle costs at least, in minor units."]
    reached: Annotated[int, "What the lines came to without it."]
    earlier: Annotated[int, "How much of that is of earlier billing cycles, where the minimum charge is for several."]
    replaces: Annotated[
        list[ExplainedPartAnswer], "The lines that it stands in place of, if the billing settings say so."
    ]


class ExplanationAnswer(TypedDict):
    """What was kept when the line was rated: nothing is worked out anew."""

    line_item: LineItemAnswer
    price_plan: PlanVersionAnswer | None
    explained: ExplainedPartAnswer
    minimum: Annotated[MinimumAnswer | None, "Of a minimum charge."]
    discount_applies_to: Annotated[int | None, "Of a discount: what it is taken from, in minor units."]
    affected_by: Annotated[list[LineItemAnswer], "Later lines that took this one into account."]


class ExplanationView(InvoiceVendorView):
    @documented("explain_line_item", answer=ExplanationAnswer)
    def get(self, request: Request, uuid: str, line: str) -> Response:
        """Why a line costs what it does: its tiers, the usage behind it day by day, and what touched it."""
        invoice = self.invoice(uuid)
        return done(explanation_shape(explain(invoice, line), invoice))

    def invoice(self, uuid: str) -> Invoice:
        rows = Invoice.objects.of(self.vendor).select_related("customer", "vendor", "subscription__price_plan")
        return self.find_uuid(rows, "invoice", uuid)


def explanation_shape(found: Explanation, invoice: Invoice) -> ExplanationAnswer:
    return {
        "line_item": line_shape(found.line, invoice.currency),
        "price_plan": _plan(found),
        "explained": _part(found.part),
        "minimum": _minimum(found),
        "discount_applies_to": found.applies_to,
        "affected_by": [line_shape(line, invoice.currency) for line in found.affected_by],
    }


def _plan(found: Explanation) -> PlanVersionAnswer | None:
    plan = found.plan
    return {"name": plan.name, "version": plan.version, "external_uuid": str(plan.external_uuid)} if plan else None


def _minimum(found: Explanation) -> MinimumAnswer | None:
    if found.minimum is None or found.reached is None:
        return None
    return {
        "minimum": found.minimum,
        "reached": found.reached,
        "earlier": found.earlier,
        "replaces": [_part(part) for part in found.replaced],
    }


def _part(part: ExplainedPart) -> ExplainedPartAnswer:
    return {
        "item_type": part.kind,
        "name": part.name,
        "description": part.description,
        "quantity": number(part.quantity),
        "quantity_unit": part.quantity_unit,
        "price_int": part.amount,
        "exact_amount": exact(part.exact_amount),
        "usage": _usage(part.usage) if part.usage else None,
        "scheme_type": part.scheme_type,
        "batch_size": part.batch_size,
        "tiers": [_tier(tier) for tier in part.tiers],
        "used_before": number(part.used_before),
        "proration": _proration(part),
    }


def _proration(part: ExplainedPart) -> ProrationAnswer | None:
    if part.proration is None or part.whole is None:
        return None
    return {"share": str(part.proration), "whole": part.whole}


def _usage(usage: ExplainedUsage) -> ExplainedUsageAnswer:
    return {
        "meter_name": usage.meter_name,
        "aggregation": usage.aggregation,
        "unit_name": usage.unit,
        "usage": number(usage.measured),
        "measurements": usage.measurements,
        "first_measurement": usage.first,
        "last_measurement": usage.last,
        "by_day": [
            {"day": day.day, "usage": number(day.quantity), "measurements": day.measurements} for day in usage.days
        ],
    }


def _tier(tier: ExplainedTier) -> ExplainedTierAnswer:
    return {
        "above": number(tier.floor),
        "cap": number(tier.cap),
        "quantity": number(tier.quantity),
        "price": plain(tier.price),
        "amount": exact(tier.amount),
        "description": tier.description,
    }
