"""The one place where a fraction becomes an amount or a quantity: half up, away from zero when negative."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from customers.money import LARGEST_MINOR, MoneyError

_HALF = Fraction(1, 2)


def half_up(minor: Fraction | int) -> int:
    # In whole numbers: a fraction's own arithmetic looks for common divisors each time.
    size = (2 * abs(minor.numerator) + minor.denominator) // (2 * minor.denominator)
    if size > LARGEST_MINOR:
        raise MoneyError(f"An amount of about {size} minor units is too large: at most {LARGEST_MINOR} can be kept.")
    return size if minor >= 0 else -size


def twelve_decimals(quantity: Fraction) -> Decimal:
    """As many as are kept of a quantity."""
    whole = int(abs(quantity) * 10**12 + _HALF)
    return Decimal(f"{whole if quantity >= 0 else -whole}e-12")
