"""Why does this line cost that? Read from what was kept with the line when it was rated; nothing is worked out anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from customers.errors import Missing
from invoicing.catalog.models import Aggregation, PricePlan, SchemeType
from invoicing.invoices.models import Invoice, LineItem, LineItemKind
from invoicing.usage.values import Days


@dataclass(frozen=True, slots=True)
class ExplainedDay:
    """What the measurements of one day came to on their own. Under SUM and COUNT the days add up to the quantity."""

    day: date
    quantity: Decimal
    measurements: int


@dataclass(frozen=True, slots=True)
class ExplainedUsage:
    meter_name: str
    aggregation: Aggregation
    unit: str
    measured: Decimal
    measurements: int
    first: datetime | None
    last: datetime | None
    days: tuple[ExplainedDay, ...]


@dataclass(frozen=True, slots=True)
class ExplainedTier:
    """``amount`` is exact, in minor units; only the line is rounded. It begins after ``floor``; without ``cap`` it
    has no end."""

    floor: Decimal
    cap: Decimal | None
    quantity: Decimal
    price: Decimal
    amount: Fraction
    description: str


@dataclass(frozen=True, slots=True)
class ExplainedPart:
    """How one amount came about: the line itself, or one of the lines that a minimum charge stands in place of.

    ``proration`` is the share of ``whole`` that a shorter billing cycle bears. ``used_before`` is what earlier billing
    cycles had come to in the same tiers, where several climb them together.
    """

    kind: LineItemKind
    name: str
    description: str
    quantity: Decimal | None
    quantity_unit: str
    amount: int
    usage: ExplainedUsage | None
    scheme_type: SchemeType | None
    batch_size: int
    tiers: tuple[ExplainedTier, ...]
    proration: Fraction | None
    whole: int | None
    used_before: Decimal | None

    @property
    def exact_amount(self) -> Fraction:
        """Before it was rounded."""
        if self.tiers:
            return sum((tier.amount for tier in self.tiers), Fraction(0))
        if self.proration is not None and self.whole is not None:
            return self.proration * self.whole
        return Fraction(self.amount)


@dataclass(frozen=True, slots=True)
class Explanation:
    """``minimum`` and ``reached`` of a minimum charge (``earlier`` of it in billing cycles before), ``applies_to`` of a
    discount. ``replaced`` are the lines that
    a minimum charge stands in place of; ``affected_by`` are later lines that took this one into account."""

    line: LineItem
    plan: PricePlan | None
    part: ExplainedPart
    minimum: int | None
    reached: int | None
    earlier: int
    applies_to: int | None
    replaced: tuple[ExplainedPart, ...]
    affected_by: tuple[LineItem, ...]


def explain(invoice: Invoice, uuid: str) -> Explanation:
    """Raises ``Missing``. ``subscription__price_plan`` should be loaded with the invoice."""
    lines = list(invoice.line_items.defer(None))
    line = next((line for line in lines if str(line.uuid) == uuid), None)
    if line is None:
        raise Missing(f"This invoice has no line item {uuid!r}.")
    said = line.metadata
    return Explanation(
        line=line,
        plan=invoice.subscription.price_plan if invoice.subscription else None,
        part=_part_of(line),
        minimum=said.get("minimum"),
        reached=said.get("reached"),
        earlier=said.get("earlier", 0),
        applies_to=said.get("applies_to"),
        replaced=tuple(_part(**kept) for kept in line.explanation.get("lines", ())),
        affected_by=tuple(_affecting(line, lines)),
    )


def _part_of(line: LineItem) -> ExplainedPart:
    return _part(
        line.kind,
        line.name,
        line.description,
        line.quantity,
        line.quantity_unit,
        line.amount,
        line.metadata,
        line.explanation,
    )


def _part(
    kind: str,
    name: str,
    description: str,
    quantity: Decimal | str | None,
    quantity_unit: str,
    amount: int,
    metadata: Mapping[str, Any],
    explanation: Mapping[str, Any],
) -> ExplainedPart:
    scheme, share = metadata.get("scheme_type"), metadata.get("proration")
    return ExplainedPart(
        kind=LineItemKind(kind),
        name=name,
        description=description,
        quantity=None if quantity is None else Decimal(quantity),
        quantity_unit=quantity_unit,
        amount=amount,
        usage=_usage(metadata, explanation, quantity_unit) if "measured" in metadata else None,
        scheme_type=SchemeType(scheme) if scheme else None,
        batch_size=metadata.get("batch_size", 1),
        tiers=tuple(_tier(tier) for tier in metadata.get("tiers", ())),
        proration=Fraction(share) if share else None,
        whole=metadata.get("whole"),
        used_before=Decimal(metadata["used_before"]) if "used_before" in metadata else None,
    )


def _usage(metadata: Mapping[str, Any], explanation: Mapping[str, Any], unit: str) -> ExplainedUsage:
    return ExplainedUsage(
        meter_name=metadata["meter_name"],
        aggregation=Aggregation(metadata["aggregation"]),
        unit=unit,
        measured=Decimal(metadata["measured"]),
        measurements=metadata["measurements"],
        first=_moment(metadata["first_measurement"]),
        last=_moment(metadata["last_measurement"]),
        days=_days(explanation),
    )


def _days(explanation: Mapping[str, Any]) -> tuple[ExplainedDay, ...]:
    if "days" not in explanation:
        return ()
    kept = Days(date.fromisoformat(explanation["first_day"]), explanation["days"])
    return tuple(ExplainedDay(one.day, one.quantity, one.count) for one in kept)


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _tier(kept: Mapping[str, Any]) -> ExplainedTier:
    return ExplainedTier(
        floor=Decimal(kept["from"]),
        cap=None if kept["cap"] is None else Decimal(kept["cap"]),
        quantity=Decimal(kept["quantity"]),
        price=Decimal(kept["price"]),
        amount=Fraction(kept["amount"]),
        description=kept["description"],
    )


def _affecting(line: LineItem, lines: Sequence[LineItem]) -> list[LineItem]:
    """Lines are worked out in the order in which they stand, so only later ones can have looked at this one."""
    return [later for later in lines if later.position > line.position and _looked_at(later, line)]


def _looked_at(later: LineItem, line: LineItem) -> bool:
    """As ``rating/discounts.py`` and ``rating/minimums.py`` choose what they take into account."""
    if LineItemKind.ADHOC_CHARGE in (line.kind, later.kind):
        return False
    match later.kind:
        case LineItemKind.MINIMUM_CHARGE:
            return True
        case LineItemKind.METERED_COMPONENT_MINIMUM_CHARGE:
            return _same_component(later, line)
        case LineItemKind.DISCOUNT:
            return _discounts(later, line)
    return False


def _discounts(discount: LineItem, line: LineItem) -> bool:
    labels = discount.metadata.get("labels")
    if labels and line.metadata.get("labels") != labels:
        return False
    match discount.metadata["scope"]:
        case "INVOICE_TOTAL" | "TRIAL_CREDIT":
            return True
        case "ADD_ON":
            return bool(discount.metadata["add_on_uuid"] == line.metadata.get("add_on_uuid"))
        case "BASE_PRICE":
            return line.kind == LineItemKind.BASE_PRICE or bool(line.metadata.get("scope") == "BASE_PRICE")
    return _same_component(discount, line)


def _same_component(one: LineItem, other: LineItem) -> bool:
    field = "metered_component_uuid"
    return bool(one.metadata.get(field) == other.metadata.get(field))
