"""An invoice made by hand, with lines of its own. It belongs to no billing cycle and goes the way of every other:
generated, approved, issued, paid. Its period is the day on which it is made. An immediate one is issued at once,
without its payment grace period."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.db import transaction

from customers.actors import Actor
from customers.customer import Customer
from customers.directory import lock_customer
from customers.errors import Invalid
from customers.events.models import EventKind
from customers.money import LARGEST_MINOR, MoneyError, validate_currency
from customers.settings import steady
from customers.settings.policy import BillingPolicy, policy_for
from invoicing.invoices.due_dates import checked_day
from invoicing.invoices.generation import decide_approval
from invoicing.invoices.lifecycle import note_fact, push
from invoicing.invoices.models import Invoice, LineItem, LineItemKind
from invoicing.invoices.schedule import chosen_due_date, issue_time
from invoicing.invoices.snapshot import snapshot_of
from invoicing.invoices.taxing import flat_tax
from invoicing.rating.rounding import half_up

MOST_LINES = 250
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class OneOffLine:
    """``unit_price`` is in minor units, may be fractional, and negative where something is taken off."""

    name: str
    unit_price: Decimal
    quantity: Decimal = Decimal(1)
    description: str = ""

    @property
    def amount(self) -> int:
        return half_up(Fraction(self.quantity) * Fraction(self.unit_price))


@dataclass(frozen=True, slots=True)
class OneOff:
    """``due_date`` None: as the billing settings say. ``currency`` empty: the customer's."""

    lines: Sequence[OneOffLine]
    memo: str = ""
    due_date: date | None = None
    currency: str = ""
    issue_now: bool = False


def create_one_off(customer: Customer, wanted: OneOff, *, actor: Actor, now: datetime, real_now: datetime) -> Invoice:
    """Raises ``Invalid`` naming the field. ``customer`` comes with its vendor."""
    currency = _currency(customer, wanted.currency)
    amounts = _amounts(wanted.lines)
    checked_day(wanted.due_date, now.astimezone(customer.vendor.zone).date())
    with transaction.atomic():
        steady.hold(customer.vendor_id)
        customer = lock_customer(customer)
        invoice = _invoice(customer, wanted, amounts, policy_for(customer), currency, now)
        invoice.save()
        LineItem.objects.bulk_create(_lines(invoice, wanted.lines, amounts))
        details: dict[str, Any] = {"amount_due": invoice.amount_due, "currency": currency, "note": "Made by hand."}
        note_fact(invoice, EventKind.INVOICE_GENERATED, actor=actor, now=now, real_now=real_now, details=details)
        return push(invoice, actor=actor, now=now, real_now=real_now) if wanted.issue_now else invoice


def _currency(customer: Customer, given: str) -> str:
    known = customer.currency or customer.vendor.currency
    try:
        currency = validate_currency(given) if given else known
    except MoneyError as error:
        raise Invalid({"currency": str(error)}) from error
    if customer.currency and currency != customer.currency:
        raise Invalid({"currency": f"{customer.name} is billed in {customer.currency}: leave the currency out."})
    return currency


def _amounts(lines: Sequence[OneOffLine]) -> list[int]:
    if not 0 < len(lines) <= MOST_LINES:
        raise Invalid({"line_items": f"Give at least one line, and at most {MOST_LINES}."})
    amounts = [_amount(place, line) for place, line in enumerate(lines)]
    if not 0 <= sum(amounts) <= LARGEST_MINOR:
        raise Invalid({"line_items": "The lines add up to less than nothing. Refund a payment to give money back."})
    return amounts


def _amount(place: int, line: OneOffLine) -> int:
    if not line.name.strip():
        raise Invalid({f"line_items.{place}.name": "Say what is billed."})
    if not 0 < line.quantity < Decimal("1e12"):
        raise Invalid({f"line_items.{place}.quantity": "Give a number above 0."})
    try:
        amount = line.amount
    except MoneyError as error:
        raise Invalid({f"line_items.{place}.unit_price": str(error)}) from error
    if abs(amount) > LARGEST_MINOR // (MOST_LINES * 2):
        raise Invalid({f"line_items.{place}.unit_price": "This line comes to too large an amount."})
    return amount


def _invoice(
    customer: Customer, wanted: OneOff, amounts: Sequence[int], policy: BillingPolicy, currency: str, now: datetime
) -> Invoice:
    tax = flat_tax(policy, customer.tax_exempt)
    sums = tax.totals(amounts)
    day = now.astimezone(customer.vendor.zone).date()
    start, end = (datetime.combine(one, time(), customer.vendor.zone).astimezone(UTC) for one in (day, day + ONE_DAY))
    invoice = Invoice(
        vendor=customer.vendor,
        customer=customer,
        currency=currency,
        sub_total=sums.sub_total,
        tax_rate=tax.rate,
        tax_inclusive=tax.inclusive,
        tax_amount=sums.tax_amount,
        amount_due=sums.amount_due,
        period_start=start,
        period_end=end,
        min_item_start_time=start,
        max_item_end_time=end,
        generated_at=now,
        issue_date=issue_time(now, policy),
        memo=wanted.memo,
        chosen_due_date=wanted.due_date,
        customer_snapshot=snapshot_of(customer),
        policy_snapshot=policy.snapshot(),
    )
    invoice.due_date = chosen_due_date(invoice, now)
    decide_approval([invoice], {customer.pk: policy})
    return invoice


def _lines(invoice: Invoice, lines: Sequence[OneOffLine], amounts: Sequence[int]) -> list[LineItem]:
    return [
        LineItem(
            invoice=invoice,
            position=place,
            kind=LineItemKind.ADHOC_CHARGE,
            name=line.name.strip(),
            description=line.description.strip(),
            quantity=line.quantity,
            unit_price=line.unit_price,
            amount=amount,
            start_time=invoice.period_start,
            end_time=invoice.period_end,
        )
        for place, (line, amount) in enumerate(zip(lines, amounts, strict=True))
    ]
