"""Money: integer minor units plus an ISO 4217 code, and how people read and write it.

Codes are accepted in either case and answered in capitals. How many decimals a currency has is
Stripe's rule, because Stripe is sent these integers: CLDR and ISO differ from it in places (for
Stripe the Icelandic krona has two decimals), and an amount must mean the same everywhere.
"""

import copy
import functools
import re
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation, localcontext

from babel import Locale
from babel.core import get_global
from babel.numbers import NumberFormatError, NumberPattern, get_currency_symbol, parse_decimal

DEFAULT_LOCALE = "en_US"

ZERO_DECIMAL = frozenset(
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"]
)
# IQD and LYD are not Stripe currencies; ISO 4217 gives them three decimals.
THREE_DECIMAL = frozenset(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"])

# What a database column of eight bytes holds, in minor units.
LARGEST_MINOR = 2**63 - 1

# CLDR separates a currency written in letters from the number; Babel leaves that out.
_LETTER_BESIDE_DIGIT = re.compile(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")

# The default context stops at 28 digits, which a fractional price times a large quantity exceeds.
_EXACT = Context(prec=100, rounding=ROUND_HALF_UP)


class MoneyError(ValueError):
    """A currency or amount that cannot be used; the message says why and what would do."""


@functools.cache
def currencies() -> frozenset[str]:
    """Codes of the currencies that are legal tender somewhere today."""
    territories = get_global("territory_currencies").values()
    current = {code for entries in territories for code, _, end, tender in entries if tender and end is None}
    return frozenset(current) | ZERO_DECIMAL | THREE_DECIMAL


def validate_currency(code: str) -> str:
    """The code in capitals, or MoneyError for anything that is not a currency in use."""
    normal = code.strip().upper()
    if normal not in currencies():
        raise MoneyError(f"{code!r} is not a currency in use: give an ISO 4217 code such as USD or EUR.")
    return normal


def exponent(currency: str) -> int:
    """How many decimals the minor unit stands for: 2 for USD, 0 for JPY, 3 for BHD."""
    code = validate_currency(currency)
    if code in ZERO_DECIMAL:
        return 0
    return 3 if code in THREE_DECIMAL else 2


def round_minor(minor: Decimal) -> int:
    """A fractional number of minor units, rounded half up (away from zero when negative)."""
    if abs(_finite(minor)) > LARGEST_MINOR:
        raise MoneyError(f"{minor} is too large an amount: at most {LARGEST_MINOR} minor units can be kept.")
    return int(minor.to_integral_value(rounding=ROUND_HALF_UP, context=_EXACT))


def to_minor(amount: Decimal, currency: str) -> int:
    """An amount in the currency's main unit as minor units: 12.345 USD -> 1235."""
    return round_minor(_finite(amount).scaleb(exponent(currency), context=_EXACT))


def to_major(minor: int | Decimal, currency: str) -> Decimal:
    """Minor units in the currency's main unit, exactly: 1235 USD -> 12.35."""
    return Decimal(minor).scaleb(-exponent(currency), context=_EXACT)


def format_money(minor: int, currency: str, locale: str = DEFAULT_LOCALE) -> str:
    """An amount as people of that locale write it, always with all the currency's decimals."""
    decimals = exponent(currency)
    return _format(to_major(minor, currency), currency, locale, decimals, decimals)


@functools.lru_cache(maxsize=4096)
def format_unit_price(minor: Decimal, currency: str, locale: str = DEFAULT_LOCALE) -> str:
    """A price of one unit, in minor units, with as many decimals as it needs: 0.5 USD cents -> $0.005."""
    least = exponent(currency)
    price = to_major(_finite(minor), currency).normalize(_EXACT)
    _, _, power = price.as_tuple()
    return _format(price, currency, locale, least, max(least, -int(power)))


def parse_money(text: str, currency: str, locale: str = DEFAULT_LOCALE) -> int:
    """What a person typed, with or without the currency's symbol or code, as minor units."""
    decimals = exponent(currency)
    bare = _without_currency(text, currency, locale)
    try:
        amount = parse_decimal(bare, locale=parse_locale(locale), strict=True)
    except (NumberFormatError, InvalidOperation):
        raise MoneyError(f"{text!r} is not an amount of money: write it like {_example(currency, locale)}.") from None
    minor = _finite(amount).scaleb(decimals, context=_EXACT)
    if minor != minor.to_integral_value(context=_EXACT):
        raise MoneyError(f"{text!r} has too many decimals: {currency.upper()} has {decimals}.")
    return round_minor(minor)


def parse_locale(locale: str) -> Locale:
    """A locale written either way: en_US or en-US."""
    return Locale.parse(locale.replace("-", "_"))


def _format(amount: Decimal, currency: str, locale: str, least: int, most: int) -> str:
    pattern = _pattern(locale, least, most)
    code = validate_currency(currency)
    with localcontext(_EXACT):
        text = pattern.apply(amount, parse_locale(locale), currency=code, currency_digits=False)
    return _LETTER_BESIDE_DIGIT.sub("\N{NO-BREAK SPACE}", text)


@functools.lru_cache(maxsize=256)
def _pattern(locale: str, least: int, most: int) -> NumberPattern:
    """The locale's currency pattern with our number of decimals in place of CLDR's."""
    pattern: NumberPattern = copy.copy(parse_locale(locale).currency_formats["standard"])
    pattern.frac_prec = (least, most)
    return pattern


def _without_currency(text: str, currency: str, locale: str) -> str:
    """The number alone, with its sign; the symbol or code may stand on either side of it."""
    code = validate_currency(currency)
    symbol = get_currency_symbol(code, locale=parse_locale(locale))
    mark = f"(?:{re.escape(code)}|{re.escape(symbol)})?"
    return re.sub(rf"^\s*([-+]?)\s*{mark}\s*(.*?)\s*{mark}\s*$", r"\1\2", text, flags=re.IGNORECASE)


def _example(currency: str, locale: str) -> str:
    return format_money(123_456 * 10 ** exponent(currency) // 100, currency, locale)


def _finite(amount: Decimal) -> Decimal:
    if not amount.is_finite():
        raise MoneyError(f"{amount} is not an amount of money.")
    return amount
