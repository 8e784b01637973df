"""The PDF's words, its pages, and that the same document is the same file."""

import io
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from pypdf import PdfReader

from invoicing.invoices.documents.emails import invoice_email
from invoicing.invoices.documents.model import DocumentLine, InvoiceDocument, Logo, Paper, Party
from invoicing.invoices.documents.pdf import FONT_DIR, render_pdf
from tests.invoicing.documents.samples import (
    BANK,
    CALLS,
    CUSTOMER,
    DECEMBER,
    ISSUED,
    PLAN,
    VENDOR,
    a_logo,
    an_invoice,
)

HOSTILE = '#panic("x") $x^2$ *bold* _it_ `raw` @ref <lab> [b] {c} "q" \'s\' -- ... // c /* d */'


def read(document: InvoiceDocument, paper: Paper = "a4") -> PdfReader:
    return PdfReader(io.BytesIO(render_pdf(document, paper=paper)))


def words(document: InvoiceDocument) -> str:
    """The document's text with single spaces; break opportunities inside long words taken out."""
    text = " ".join(page.extract_text() for page in read(document).pages)
    return " ".join(text.replace("\u200b", "").split())


def test_an_ordinary_invoice_says_everything_on_one_page():
    document = an_invoice(status="Open", payment_note="Will be charged to your card on file.", memo="Thanks!")
    assert len(read(document).pages) == 1
    assert words(document) == (
        "Northwind Invoice Open "
        "Invoice number NW-000042 Date of issue Dec 3, 2025 Date due Jan 2, 2026 "
        "Billing period Nov 1, 2025 – Nov 30, 2025 "
        "From Northwind Northwind Compute, Inc. 548 Market Street San Francisco, CA 94104 "
        "billing@northwind.example +1 415 555 0100 northwind.example VAT ID: US 12-3456789 "
        "Bill to Ampersand & Sons GmbH Torstraße 140 10119 Berlin "
        "$185.38 due Jan 2, 2026 Will be charged to your card on file. "
        "Description Quantity Unit price Amount "
        "Team plan $99.00 "
        "API calls 1,234 calls $0.07 $86.38 "
        "Subtotal $185.38 Amount due $185.38 "
        "Memo Thanks! "
        "NW-000042 · Northwind Page 1 of 1"
    )


def test_the_moment_of_issue_may_have_any_fraction_of_a_second():
    assert read(an_invoice(issue_date=ISSUED.replace(microsecond=123_456))).pages


def test_a_line_names_its_period_where_it_is_not_the_invoices():
    in_advance = replace(PLAN, period_start=DECEMBER, period_end=datetime(2026, 1, 1, tzinfo=UTC))
    assert "Team plan Dec 1, 2025 – Dec 31, 2025 $99.00" in words(an_invoice(lines=(in_advance,)))


def test_the_same_document_gives_the_same_bytes():
    document = an_invoice(vendor=replace(VENDOR, logo=a_logo()), bank=BANK)
    assert render_pdf(document) == render_pdf(document)
    assert render_pdf(document) != render_pdf(replace(document, number="NW-000043"))


def test_the_files_date_is_the_day_of_issue():
    metadata = read(an_invoice()).metadata
    assert metadata is not None
    assert metadata.creation_date == ISSUED
    assert metadata.title == "Invoice NW-000042"


def test_paper_is_a4_or_letter():
    sizes = {paper: tuple(map(round, read(an_invoice(), paper).pages[0].mediabox[2:])) for paper in ("a4", "us-letter")}
    assert sizes == {"a4": (595, 842), "us-letter": (612, 792)}


def test_markup_in_any_text_is_printed_as_it_is():
    party = Party(HOSTILE, HOSTILE, address=(HOSTILE,), shipping_address=(HOSTILE,), vat_id=HOSTILE)
    line = DocumentLine(HOSTILE, 1, HOSTILE, Decimal(1), HOSTILE, HOSTILE)
    document = an_invoice(
        vendor=party,
        customer=party,
        lines=(line,),
        number=HOSTILE,
        status=HOSTILE,
        memo=HOSTILE,
        tax_note=HOSTILE,
        payment_note=HOSTILE,
        bank=replace(BANK, account_name=HOSTILE),
    )
    # Vendor: mark, name, address, VAT; customer twice; line: name, description, unit, price; and more.
    assert words(document).count(HOSTILE) >= 16


@pytest.mark.parametrize(("count", "pages"), [(1, 1), (60, 3), (400, 13)])
def test_long_invoices_repeat_their_heads_on_every_page(count, pages):
    lines = tuple(replace(CALLS, name=f"Line {number}") for number in range(1, count + 1))
    texts = [page.extract_text() for page in read(an_invoice(lines=lines)).pages]
    assert len(texts) == pages
    for number, text in enumerate(texts, start=1):
        assert f"Page {number} of {pages}" in text
    for text in texts[1:-1]:
        assert "Invoice NW-000042" in text
        assert "Unit price" in text
    found = [word for text in texts for word in text.splitlines() if word.startswith("Line ")]
    assert [text.split()[1] for text in found] == [str(number) for number in range(1, count + 1)]


def test_totals_are_never_split_between_pages():
    """One more line at a time pushes the totals over the end of a page; they always move as one."""
    for count in range(12, 32):
        document = an_invoice(lines=(PLAN,) * count, tax_rate=Decimal(19), tax_amount=1, amount_paid=1)
        totals = [page for page in (page.extract_text() for page in read(document).pages) if "Subtotal" in page]
        assert len(totals) == 1
        assert "Balance due" in totals[0]


def test_a_draft_says_so_on_every_page_and_in_place_of_its_number_has_none():
    draft = an_invoice(draft=True, number=None, issue_date=None, due_date=None, lines=(PLAN,) * 70)
    texts = [page.extract_text() for page in read(draft).pages]
    assert len(texts) == 3
    assert all("DRAFT - not issued" in text for text in texts)
    assert "Invoice number" not in texts[0]
    assert "DRAFT" not in words(an_invoice())


@pytest.mark.parametrize(
    ("currency", "expected"),
    [("JPY", "¥18,538"), ("BHD", "BHD 18.538"), ("EUR", "€185.38"), ("GBP", "£185.38"), ("INR", "₹185.38")],
)
def test_every_currency_is_printed_with_its_sign_and_decimals(currency, expected):
    assert f"Amount due {expected}" in words(an_invoice(currency=currency))


def test_a_memo_keeps_its_lines():
    text = read(an_invoice(memo="First line\nSecond line\n\nNew paragraph")).pages[0].extract_text()
    assert "First line\nSecond line\n" in text
    assert "New paragraph" in text


def test_bank_details_and_tax_note_are_printed():
    text = words(an_invoice(bank=BANK, tax_rate=Decimal(0), tax_note="Reverse charge."))
    assert "Pay by ACH or wire transfer Account name Northwind Compute, Inc. Account number 000123456789" in text
    assert "Please give NW-000042 as the payment reference." in text
    assert "Tax (0%) $0.00" in text
    assert "Reverse charge." in text


def test_names_longer_than_the_page_is_wide_stay_on_the_page():
    long = "Donaudampfschifffahrtsgesellschaft" * 6
    document = an_invoice(customer=replace(CUSTOMER, legal_name=long), lines=(replace(PLAN, name=long),))
    assert words(document).replace(" ", "").count(long) == 2
    assert _rightmost(document) <= 595


def test_addresses_and_numbers_can_be_copied_as_they_are():
    address = "accounts.payable@ampersand.example"
    account = "DE02120300000000202051DE02120300000000202051"
    document = an_invoice(customer=replace(CUSTOMER, email=address), bank=replace(BANK, account_number=account))
    text = read(document).pages[0].extract_text()
    assert address in text
    assert account in text
    assert "\u200b" not in text


def _rightmost(document: InvoiceDocument) -> float:
    """Where the text reaches furthest to the right starts, in points."""
    edges: list[float] = []

    def visit(text, user, matrix, font, size):
        if text.strip():
            edges.append(user[0] * matrix[4] + user[4])

    read(document).pages[0].extract_text(visitor_text=visit)
    return max(edges)


@pytest.mark.parametrize(
    "text",
    [
        "Ελληνικά",
        "Кириллица Ґґ",
        "Tiếng Việt ąęłżőűğşİ",
        "€ £ ¥ ₩ ₹ ₪ ₫ ₱ ₺ ₽ ₴ ฿",
        "Հայերեն",
        "ქართული",
        "ไทย",
    ],
)
def test_shipped_fonts_print_the_scripts_their_readme_names(text):
    assert text in words(an_invoice(memo=text))


def test_only_shipped_fonts_are_used_and_all_are_licensed():
    page: Any = read(an_invoice(memo="हिन्दी עברית العربية 漢字")).pages[0]
    fonts = {str(font.get_object()["/BaseFont"]) for font in page["/Resources"]["/Font"].values()}
    shipped = {path.stem for path in FONT_DIR.iterdir() if path.suffix in {".otf", ".ttf"}}
    assert {"NotoSansHebrew-Regular", "NotoSansArabic-Regular", "NotoSansDevanagari-Regular"} <= shipped
    assert {name.split("+")[1].removesuffix("-Identity-H") for name in fonts} <= shipped
    assert {"OFL-Inter.txt", "OFL-NotoSans.txt"} <= {path.name for path in FONT_DIR.iterdir()}


def test_a_logo_is_printed_in_place_of_the_name():
    page = read(an_invoice(vendor=replace(VENDOR, logo=a_logo()))).pages[0]
    assert len(page.images) == 1
    assert page.extract_text().count("Northwind") == 3


def test_a_damaged_logo_is_left_out_rather_than_stopping_the_invoice(caplog):
    damaged = Logo(b"\x89PNG\r\n\x1a\nnot a picture")
    assert render_pdf(an_invoice(vendor=replace(VENDOR, logo=damaged))) == render_pdf(an_invoice())
    assert "Logo left out of invoice NW-000042" in caplog.text


def test_days_and_amounts_follow_the_locale():
    text = words(an_invoice(locale="de_DE", currency="EUR"))
    assert "185,38 € due 02.01.2026" in text
    assert "1.234 calls" in text


def test_who_has_paid_is_not_told_how_to_pay():
    assert "Pay by ACH" in words(an_invoice(bank=BANK, amount_paid=18_537))
    assert "Pay by ACH" not in words(an_invoice(bank=BANK, amount_paid=18_538))
    assert invoice_email(an_invoice(bank=BANK, amount_paid=18_538)).bank == []
