"""Days, quantities and totals are worded once, for PDF and e-mail alike."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from invoicing.invoices.documents import wording
from invoicing.invoices.documents.model import BankDetails
from tests.invoicing.documents.samples import BANK, CALLS, DECEMBER, ISSUED, NOVEMBER, VENDOR, an_invoice


def test_days_are_those_of_the_vendors_zone():
    midnight = datetime(2026, 1, 1, 2, 0, tzinfo=UTC)
    document = an_invoice(zone=ZoneInfo("America/New_York"))
    assert wording.day_text(document, midnight) == "Dec 31, 2025"
    assert wording.day_text(an_invoice(), midnight) == "Jan 1, 2026"


def test_the_end_of_a_period_is_exclusive():
    assert wording.period_text(an_invoice(), NOVEMBER, DECEMBER) == "Nov 1, 2025 – Nov 30, 2025"


def test_a_period_across_daylight_saving_ends_on_the_right_day():
    zone = ZoneInfo("Europe/Berlin")
    start, end = datetime(2025, 10, 1, tzinfo=zone), datetime(2025, 11, 1, tzinfo=zone)
    document = an_invoice(zone=zone)
    period = wording.period_text(document, start.astimezone(UTC), end.astimezone(UTC))
    assert period == "Oct 1, 2025 – Oct 31, 2025"


@pytest.mark.parametrize("end", [None, NOVEMBER, datetime(2025, 11, 1, 23, 59, tzinfo=UTC)])
def test_a_period_within_a_day_is_that_day(end):
    assert wording.period_text(an_invoice(), NOVEMBER, end) == "Nov 1, 2025"


def test_no_period_is_no_text():
    assert wording.period_text(an_invoice(), None, None) == ""


@pytest.mark.parametrize(
    ("quantity", "text"),
    [
        ("1234", "1,234 calls"),
        ("1234.500", "1,234.5 calls"),
        ("1E+3", "1,000 calls"),
        ("0.0000001", "0.0000001 calls"),
        ("-2", "-2 calls"),
        ("12345678901234567890123456789012", "12,345,678,901,234,567,890,123,456,789,012 calls"),
    ],
)
def test_quantities_show_all_they_have(quantity, text):
    line = replace(CALLS, quantity=Decimal(quantity))
    assert wording.quantity_text(an_invoice(), line) == text


def test_totals_name_credits_tax_and_payments_only_where_there_are_any():
    plain = [(row.label, row.amount) for row in wording.total_rows(an_invoice())]
    assert plain == [("Subtotal", "$185.38"), ("Amount due", "$185.38")]

    document = an_invoice(
        discount_credit=1000, tax_rate=Decimal("19.00"), tax_amount=3332, amount_due=20870, amount_paid=870
    )
    assert [(row.label, row.amount, row.strong) for row in wording.total_rows(document)] == [
        ("Subtotal", "$185.38", False),
        ("Credits applied", "-$10.00", False),
        ("Tax (19%)", "$33.32", False),
        ("Amount due", "$208.70", False),
        ("Amount paid", "-$8.70", False),
        ("Balance due", "$200.00", True),
    ]


def test_credit_notes_and_balances_at_stripe_change_what_is_still_to_be_paid():
    document = an_invoice(amount_credited=3000, amount_from_balance=-500)
    assert [(row.label, row.amount, row.strong) for row in wording.total_rows(document)][1:] == [
        ("Amount due", "$185.38", False),
        ("Credit notes", "-$30.00", False),
        ("From your account balance", "$5.00", False),
        ("Balance due", "$160.38", True),
    ]
    assert wording.headline(document) == "$160.38 due Jan 2, 2026"


def test_tax_contained_in_prices_says_so_and_fractions_of_a_percent_stay():
    assert wording.tax_label(an_invoice(tax_rate=Decimal("8.875"))) == "Tax (8.875%)"
    assert wording.tax_label(an_invoice(tax_rate=Decimal(7), tax_inclusive=True)) == "Includes tax (7%)"
    assert wording.tax_label(an_invoice()) == "Tax"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "$185.38 due Jan 2, 2026"),
        ({"due_date": None}, "$185.38 due"),
        ({"amount_paid": 18538}, "$185.38 paid"),
        ({"amount_paid": 538}, "$180.00 due Jan 2, 2026"),
        ({"amount_due": 0}, "$0.00 due"),
    ],
)
def test_the_headline_says_how_much_and_by_when(changes, text):
    assert wording.headline(an_invoice(**changes)) == text


def test_a_party_shows_its_legal_name_under_the_one_people_know():
    assert wording.party_lines(VENDOR)[0] == "Northwind Compute, Inc."
    assert "Northwind" not in wording.party_lines(replace(VENDOR, legal_name="Northwind"))
    assert wording.party_lines(VENDOR)[-1] == "VAT ID: US 12-3456789"


def test_bank_rows_without_value_are_left_out():
    assert [label for label, _ in wording.bank_rows(BANK)] == ["Account name", "Account number", "Bank"]
    assert wording.bank_rows(None) == wording.bank_rows(BankDetails()) == []


def test_facts_without_value_are_left_out():
    draft = an_invoice(draft=True, number=None, issue_date=None, due_date=None)
    assert wording.fact_rows(draft) == [("Billing period", "Nov 1, 2025 – Nov 30, 2025")]
    assert ("Date of issue", "Dec 3, 2025") in wording.fact_rows(an_invoice(issue_date=ISSUED))


def test_text_that_would_hide_or_reorder_other_text_is_taken_out():
    assert wording.one_line("a\u202eb\x00c\ud800\r\n d\u2028e") == "abc d e"
    assert wording.paragraphs("one\r\ntwo\n\n \nthree\n") == [["one", "two"], ["three"]]
    assert wording.paragraphs("") == []
