"""From lines to what is owed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from invoicing.rating.rounding import half_up


@dataclass(frozen=True, slots=True)
class Totals:
    """Minor units. ``sub_total`` is the sum of the lines; tax is of the subtotal, not of each line. Where the lines
    contain it, ``amount_due`` is the subtotal."""

    sub_total: int
    tax_amount: int
    amount_due: int


def totals(amounts: Iterable[int], tax_rate_percent: Decimal, *, inclusive: bool = False) -> Totals:
    """``amounts`` are those of the lines; ``inclusive``: they contain the tax."""
    sub_total = sum(amounts)
    rate = Fraction(tax_rate_percent)
    tax = half_up(sub_total * rate / (100 + rate if inclusive else 100))
    return Totals(sub_total, tax, sub_total if inclusive else sub_total + tax)
