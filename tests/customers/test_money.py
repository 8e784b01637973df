"""Amounts are exact, rounded half up once, and written with the decimals Stripe gives the currency."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customers.money import (
    LARGEST_MINOR,
    MoneyError,
    currencies,
    exponent,
    format_money,
    format_unit_price,
    parse_money,
    round_minor,
    to_major,
    to_minor,
    validate_currency,
)

NBSP = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("currency", "decimals"),
    [
        ("USD", 2),
        ("eur", 2),
        ("JPY", 0),
        ("krw", 0),
        ("BHD", 3),
        ("tnd", 3),
        ("ISK", 2),
        ("UGX", 2),
        ("RSD", 2),
    ],
)
def test_decimals_of_a_currency_are_those_stripe_uses(currency, decimals):
    assert exponent(currency) == decimals


@pytest.mark.parametrize("code", ["", "US", "DEM", "XYZ", "usd1", "€"])
def test_what_is_no_currency_in_use_is_refused_by_name(code):
    with pytest.raises(MoneyError, match="ISO 4217") as refusal:
        validate_currency(code)
    assert repr(code) in str(refusal.value)


def test_codes_are_accepted_in_either_case():
    assert validate_currency(" usd ") == "USD"


@pytest.mark.parametrize(
    ("minor", "currency", "locale", "text"),
    [
        (18538, "USD", "en_US", "$185.38"),
        (0, "USD", "en_US", "$0.00"),
        (-5, "USD", "en_US", "-$0.05"),
        (123456, "JPY", "en_US", "¥123,456"),
        (1234, "BHD", "en_US", f"BHD{NBSP}1.234"),
        (-1234, "BHD", "en_US", f"-BHD{NBSP}1.234"),
        (12345, "RSD", "en_US", f"RSD{NBSP}123.45"),
        (123456, "EUR", "de_DE", f"1.234,56{NBSP}€"),
        (123456, "EUR", "de-DE", f"1.234,56{NBSP}€"),
        (10**40, "USD", "en_US", "$100" + ",000" * 12 + ".00"),
    ],
)
def test_amounts_are_written_as_the_locale_does(minor, currency, locale, text):
    assert format_money(minor, currency, locale) == text


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        ("7", "USD", "$0.07"),
        ("0.5", "USD", "$0.005"),
        ("0.50", "USD", "$0.005"),
        ("9900", "USD", "$99.00"),
        ("1E+4", "USD", "$100.00"),
        ("0", "USD", "$0.00"),
        ("0.5", "JPY", "¥0.5"),
        ("120", "JPY", "¥120"),
        ("0.0000000001", "USD", "$0.000000000001"),
        ("12.5", "BHD", f"BHD{NBSP}0.0125"),
    ],
)
def test_unit_prices_show_every_decimal_they_have(minor, currency, text):
    assert format_unit_price(Decimal(minor), currency) == text


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("12.345", "USD", 1235),
        ("12.344999", "USD", 1234),
        ("-12.345", "USD", -1235),
        ("0.5", "JPY", 1),
        ("1.2345", "BHD", 1235),
        ("90000000000000000.01", "USD", 9000000000000000001),
    ],
)
def test_amounts_become_minor_units_rounded_half_up(amount, currency, minor):
    assert to_minor(Decimal(amount), currency) == minor


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "-Infinity", "1E+30"])
def test_what_no_account_can_hold_is_refused(amount):
    with pytest.raises(MoneyError):
        to_minor(Decimal(amount), "USD")


def test_the_largest_amount_is_kept_exactly():
    assert round_minor(Decimal(LARGEST_MINOR)) == LARGEST_MINOR


@pytest.mark.parametrize(
    ("text", "currency", "locale", "minor"),
    [
        ("1,234.56", "USD", "en_US", 123456),
        ("$1,234.56", "USD", "en_US", 123456),
        ("-$1", "USD", "en_US", -100),
        ("5 usd", "USD", "en_US", 500),
        ("USD 5.5", "USD", "en_US", 550),
        ("1.234,56 €", "EUR", "de_DE", 123456),
        ("1234", "JPY", "en_US", 1234),
        ("1.230", "USD", "en_US", 123),
    ],
)
def test_typed_amounts_are_understood(text, currency, locale, minor):
    assert parse_money(text, currency, locale) == minor


@pytest.mark.parametrize("text", ["", "abc", "1,2,3", "--5", "5USD5", "NaN", "1.234", "$", "9" * 40])
def test_typed_nonsense_is_refused(text):
    with pytest.raises(MoneyError):
        parse_money(text, "USD")


@given(
    minor=st.integers(-LARGEST_MINOR, LARGEST_MINOR),
    currency=st.sampled_from(sorted(currencies())),
    locale=st.sampled_from(["en_US", "de_DE", "ja_JP", "fr_FR", "pl_PL"]),
)
def test_what_is_written_reads_back_as_the_same_amount(minor, currency, locale):
    assert parse_money(format_money(minor, currency, locale), currency, locale) == minor


@given(minor=st.integers(-LARGEST_MINOR, LARGEST_MINOR), currency=st.sampled_from(["USD", "JPY", "BHD"]))
def test_major_and_minor_units_are_inverse(minor, currency):
    assert to_minor(to_major(minor, currency), currency) == minor
