"""From lines to what is owed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from invoicing.rating.rounding import half_up


@dataclass(frozen=True, slots=True)
class Totals:
    """Minor units. ``sub_total`` is the sum of the lines; tax is of the subtotal, not of each line."""

    sub_total: int
    tax_amount: int
    amount_due: int


def totals(amounts: Iterable[int], tax_rate_percent: Decimal) -> Totals:
    """``amounts`` are those of the lines."""
    sub_total = sum(amounts)
    tax = half_up(Fraction(sub_total) * Fraction(tax_rate_percent) / 100)
    return Totals(sub_total, tax, sub_total + tax)
