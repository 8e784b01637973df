"""Credits for time that was billed in advance and not used: taken off invoices as far as those go, oldest first."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from django.db.models import Sum

from customers.money import format_money
from invoicing.invoices.models import LineItem
from invoicing.rating.terms import LineKind, RatedLine
from invoicing.subscriptions.models import BillingCycle, ProrationCredit


@dataclass(slots=True)
class _Open:
    """A credit, and what it still has. ``key`` is None until it is a row."""

    cycle_id: int
    key: int | None
    left: int


class CreditPot:
    """What customers are owed. Invoices take from it one after the other, and never more than they come to."""

    def __init__(self, customers: Collection[int], *, lock: bool) -> None:
        rows = ProrationCredit.objects.filter(customer__in=customers).order_by("pk")
        credits = list(rows.select_for_update(no_key=True) if lock else rows)
        taken = _taken([credit.pk for credit in credits])
        self._open: dict[int, list[_Open]] = {}
        for credit in credits:
            left = credit.amount + taken.get(credit.pk, 0)
            self._open.setdefault(credit.customer_id, []).append(_Open(credit.cycle_id, credit.pk, left))

    def take(self, cycle: BillingCycle, lines: Sequence[RatedLine]) -> list[RatedLine]:
        """The lines with those of the credits at their end. What the cycle itself leaves becomes a credit here."""
        open_credits = self._open.setdefault(cycle.customer_id, [])
        others = [line for line in lines if line.kind != LineKind.PRORATION_CREDIT]
        own = next((line for line in lines if line.kind == LineKind.PRORATION_CREDIT), None)
        if own and all(credit.cycle_id != cycle.pk for credit in open_credits):
            open_credits.append(_Open(cycle.pk, None, own.metadata["unused"]))
        total = max(sum(line.amount for line in others), 0)
        currency = cycle.subscription.price_plan.currency
        for credit in open_credits:
            is_own = own is not None and credit.cycle_id == cycle.pk
            amount = min(credit.left, total)
            if not amount and not is_own:
                continue
            credit.left, total = credit.left - amount, total - amount
            others.append(_line(own if is_own and own else _earlier(cycle), credit, amount, currency))
        return others


def _taken(credits: Collection[int]) -> dict[int, int]:
    """What invoices took of each, as a negative amount."""
    if not credits:
        return {}
    rows = LineItem.objects.filter(proration_credit__in=credits).values("proration_credit")
    return {row["proration_credit"]: row["taken"] for row in rows.annotate(taken=Sum("amount"))}


def _earlier(cycle: BillingCycle) -> RatedLine:
    return RatedLine(
        kind=LineKind.PRORATION_CREDIT,
        name="Credit for unused time",
        description="billed in advance earlier and not used",
        quantity=None,
        quantity_unit="",
        unit_price=None,
        amount=0,
        start=cycle.start,
        end=cycle.end,
        metadata={},
    )


def _line(line: RatedLine, credit: _Open, amount: int, currency: str) -> RatedLine:
    rest = f"; {format_money(credit.left, currency)} is left for the next invoice" if credit.left else ""
    return replace(
        line,
        amount=-amount,
        description=f"{line.description}{rest}",
        credit_key=credit.key,
        metadata={**line.metadata, "taken": amount, "left": credit.left},
    )
