"""How the values of a document are put into words, the same in the PDF and in e-mails."""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, localcontext

from babel.dates import format_date
from babel.numbers import format_decimal, format_percent

from customers.money import format_money, parse_locale
from invoicing.invoices.documents.model import BankDetails, DocumentLine, InvoiceDocument, Party

DRAFT_BANNER = "DRAFT - not issued"

# Control and bidirectional-override characters can hide or reorder text; none belongs on a bill.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]")


@dataclass(frozen=True)
class TotalRow:
    """One row under the lines; the strong ones are what a reader looks for."""

    label: str
    amount: str
    strong: bool = False


def printable(text: str) -> str:
    """The text without characters that cannot be printed; line breaks and tabs stay."""
    return _UNPRINTABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def one_line(text: str) -> str:
    """The text with every run of white space, line breaks included, as a single space."""
    return " ".join(printable(text.replace("\r", "\n")).split())


def money(document: InvoiceDocument, minor: int) -> str:
    """An amount in the document's currency and locale."""
    return format_money(minor, document.currency, document.locale)


def day_text(document: InvoiceDocument, moment: datetime | None) -> str:
    """The day of a moment in the vendor's zone, or nothing."""
    return _day(document, moment.astimezone(document.zone).date()) if moment else ""


def period_text(document: InvoiceDocument, start: datetime | None, end: datetime | None) -> str:
    """First to last day of a period whose end is exclusive."""
    if start is None or end is None:
        return day_text(document, start)
    first = start.astimezone(document.zone).date()
    last = (end - timedelta(microseconds=1)).astimezone(document.zone).date()
    if last <= first:
        return _day(document, first)
    return f"{_day(document, first)} – {_day(document, last)}"


def quantity_text(document: InvoiceDocument, line: DocumentLine) -> str:
    """The quantity with its unit, all its decimals shown; nothing where there is no quantity."""
    if line.quantity is None:
        return ""
    return one_line(f"{_number(document, line.quantity)} {line.quantity_unit}")


def line_period_text(document: InvoiceDocument, line: DocumentLine) -> str:
    """The period a line covers, unless it is the one the whole invoice is for."""
    if (line.period_start, line.period_end) == (document.period_start, document.period_end):
        return ""
    return period_text(document, line.period_start, line.period_end)


def headline(document: InvoiceDocument) -> str:
    """The one thing a reader wants to know: how much, and by when."""
    amount = money(document, document.amount_remaining)
    if document.amount_paid and document.amount_remaining <= 0:
        return f"{money(document, document.amount_paid)} paid"
    if document.due_date is None or document.amount_remaining <= 0:
        return f"{amount} due"
    return f"{amount} due {day_text(document, document.due_date)}"


def fact_rows(document: InvoiceDocument) -> list[tuple[str, str]]:
    """Number and days at the head of the document, empty ones left out."""
    rows = [
        ("Invoice number", one_line(document.number or "")),
        ("Date of issue", day_text(document, document.issue_date)),
        ("Date due", day_text(document, document.due_date)),
        ("Billing period", period_text(document, document.period_start, document.period_end)),
    ]
    return [(label, value) for label, value in rows if value]


def paragraphs(text: str) -> list[list[str]]:
    """Text as paragraphs of lines: an empty line separates paragraphs, line breaks are kept."""
    blocks = re.split(r"\n\s*\n", printable(text).strip())
    return [[line.strip() for line in block.splitlines()] for block in blocks if block]


def language(document: InvoiceDocument) -> str:
    """The two or three letters a PDF names its language with."""
    return parse_locale(document.locale).language


def total_rows(document: InvoiceDocument) -> list[TotalRow]:
    """What stands below the lines, from the subtotal to what is still to be paid."""
    rows = [TotalRow("Subtotal", money(document, document.subtotal))]
    if document.discount_credit:
        rows.append(TotalRow("Credits applied", money(document, -document.discount_credit)))
    if document.tax_amount or document.tax_rate is not None:
        rows.append(TotalRow(tax_label(document), money(document, document.tax_amount)))
    rows.append(TotalRow("Amount due", money(document, document.amount_due), strong=not document.is_settled_in_part))
    taken_off = {
        "Credit notes": document.amount_credited,
        "From your account balance": document.amount_from_balance,
        "Amount paid": document.amount_paid,
    }
    rows += [TotalRow(label, money(document, -amount)) for label, amount in taken_off.items() if amount]
    if document.is_settled_in_part:
        rows.append(TotalRow("Balance due", money(document, document.amount_remaining), strong=True))
    return rows


def tax_label(document: InvoiceDocument) -> str:
    """Tax with its rate, and whether the prices contain it already."""
    label = "Includes tax" if document.tax_inclusive else "Tax"
    if document.tax_rate is None:
        return label
    rate = document.tax_rate.scaleb(-2)
    return f"{label} ({format_percent(rate, locale=parse_locale(document.locale), decimal_quantization=False)})"


def party_lines(party: Party) -> list[str]:
    """What stands under a party's name, empty lines left out."""
    legal = party.legal_name if party.legal_name != party.name else ""
    vat = f"VAT ID: {party.vat_id}" if party.vat_id else ""
    lines = [legal, *party.address, party.email, party.phone, party.url, vat]
    return [text for text in map(one_line, lines) if text]


def bank_rows(bank: BankDetails | None) -> list[tuple[str, str]]:
    """The block for ACH and wire payments, empty rows left out."""
    if bank is None:
        return []
    rows = [
        ("Account name", bank.account_name),
        ("Account number", bank.account_number),
        ("Routing number (ABA)", bank.routing_number),
        ("SWIFT code", bank.swift_code),
        ("Bank", bank.bank_name),
        ("Bank address", ", ".join(filter(None, map(one_line, bank.bank_address)))),
    ]
    return [(label, one_line(value)) for label, value in rows if one_line(value)]


def ways_to_pay(document: InvoiceDocument) -> list[tuple[str, str]]:
    """The bank details where there is something to pay: whoever has paid must not be asked to pay again."""
    return bank_rows(document.bank) if document.amount_remaining > 0 else []


def _day(document: InvoiceDocument, day: date) -> str:
    return format_date(day, format="medium", locale=parse_locale(document.locale))


def _number(document: InvoiceDocument, number: Decimal) -> str:
    """All digits of a number, without trailing zeros; the default context would round at 28."""
    with localcontext(prec=100):
        return format_decimal(number, locale=parse_locale(document.locale), decimal_quantization=False)
