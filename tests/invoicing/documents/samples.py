"""Documents the tests render: one ordinary invoice, and what it is made of."""

import struct
import zlib
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from invoicing.invoices.documents.model import BankDetails, DocumentLine, InvoiceDocument, Logo, Party

NOVEMBER = datetime(2025, 11, 1, tzinfo=UTC)
DECEMBER = datetime(2025, 12, 1, tzinfo=UTC)
ISSUED = datetime(2025, 12, 3, 9, 30, tzinfo=UTC)
DUE = datetime(2026, 1, 2, 9, 30, tzinfo=UTC)

VENDOR = Party(
    legal_name="Northwind Compute, Inc.",
    display_name="Northwind",
    email="billing@northwind.example",
    phone="+1 415 555 0100",
    url="northwind.example",
    address=("548 Market Street", "San Francisco, CA 94104"),
    vat_id="US 12-3456789",
)
CUSTOMER = Party(legal_name="Ampersand & Sons GmbH", address=("Torstraße 140", "10119 Berlin"))
PLAN = DocumentLine(name="Team plan", amount=9900, period_start=NOVEMBER, period_end=DECEMBER)
CALLS = DocumentLine(
    name="API calls",
    amount=8638,
    quantity=Decimal(1234),
    quantity_unit="calls",
    unit_price_text="$0.07",
    period_start=NOVEMBER,
    period_end=DECEMBER,
)
BANK = BankDetails(account_name="Northwind Compute, Inc.", account_number="000123456789", bank_name="First Bank")


def an_invoice(**changes: Any) -> InvoiceDocument:
    """$99.00 plus 1,234 calls at $0.07, issued on 3 December 2025."""
    values: dict[str, Any] = {
        "invoice_id": "0f8fad5b-d9cb-469f-a165-70867728950e",
        "number": "NW-000042",
        "currency": "USD",
        "vendor": VENDOR,
        "customer": CUSTOMER,
        "lines": (PLAN, CALLS),
        "subtotal": 18538,
        "amount_due": 18538,
        "issue_date": ISSUED,
        "due_date": DUE,
        "period_start": NOVEMBER,
        "period_end": DECEMBER,
    }
    return InvoiceDocument(**(values | changes))


def a_logo(width: int = 8, height: int = 4) -> Logo:
    """A blue PNG."""
    rows = b"".join(b"\0" + bytes([40, 90, 220]) * width for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")
    return Logo(b"\x89PNG\r\n\x1a\n" + chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
