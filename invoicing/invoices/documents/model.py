"""What an invoice document says: plain values, gathered by the caller and frozen.

Nothing here reads a database, so a document can be kept, compared and rendered again years later.
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

LOGO_MAX_BYTES = 512 * 1024

Paper = Literal["a4", "us-letter"]


class DocumentError(ValueError):
    """A document that cannot be made; the message names the field and the remedy."""


@dataclass(frozen=True)
class Logo:
    """A picture for the head of the document. PNG, JPEG, GIF or WebP, told by its first bytes."""

    data: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.data) > LOGO_MAX_BYTES:
            raise DocumentError(f"logo: {len(self.data)} bytes is too large, at most {LOGO_MAX_BYTES} fit.")
        if not self.format:
            raise DocumentError("logo: not a picture we can print, give a PNG, JPEG, GIF or WebP file.")

    @property
    def format(self) -> str:
        """The name typst gives the format, or nothing for an unknown one."""
        if self.data.startswith(b"\x89PNG\r\n\x1a\n"):
            return "png"
        if self.data.startswith(b"\xff\xd8\xff"):
            return "jpg"
        if self.data.startswith((b"GIF87a", b"GIF89a")):
            return "gif"
        return "webp" if self.data[:4] == b"RIFF" and self.data[8:12] == b"WEBP" else ""


@dataclass(frozen=True)
class Party:
    """The vendor or the customer as named on the document."""

    legal_name: str
    display_name: str = ""
    email: str = ""
    phone: str = ""
    url: str = ""
    address: tuple[str, ...] = ()
    shipping_address: tuple[str, ...] = ()
    vat_id: str = ""
    logo: Logo | None = None

    @property
    def name(self) -> str:
        """The name people know the party by."""
        return self.display_name or self.legal_name


@dataclass(frozen=True)
class DocumentLine:
    """One line item; the amount is final, quantity and unit price explain it."""

    name: str
    amount: int
    description: str = ""
    quantity: Decimal | None = None
    quantity_unit: str = ""
    unit_price_text: str = ""
    period_start: datetime | None = None
    period_end: datetime | None = None


@dataclass(frozen=True)
class BankDetails:
    """Where to pay by ACH or wire."""

    account_name: str = ""
    account_number: str = ""
    routing_number: str = ""
    swift_code: str = ""
    bank_name: str = ""
    bank_address: tuple[str, ...] = ()


@dataclass(frozen=True)
class InvoiceDocument:
    """Everything printed on one invoice. Amounts are minor units of ``currency``.

    Moments are aware and shown as days in ``zone``; the end of a period is exclusive, so a cycle
    that ends at midnight on the 1st is shown as ending on the last of the month before.
    """

    invoice_id: str
    currency: str
    vendor: Party
    customer: Party
    lines: tuple[DocumentLine, ...]
    subtotal: int
    amount_due: int
    number: str | None = None
    status: str = ""
    locale: str = "en_US"
    zone: ZoneInfo = ZoneInfo("UTC")
    issue_date: datetime | None = None
    due_date: datetime | None = None
    period_start: datetime | None = None
    period_end: datetime | None = None
    discount_credit: int = 0
    tax_rate: Decimal | None = None
    tax_inclusive: bool = False
    tax_amount: int = 0
    tax_note: str = ""
    amount_paid: int = 0
    amount_credited: int = 0
    amount_from_balance: int = 0
    memo: str = ""
    bank: BankDetails | None = None
    payment_note: str = ""
    draft: bool = False
    paper: Paper = "a4"

    def __post_init__(self) -> None:
        for name, moment in self._moments():
            if moment is not None and moment.tzinfo is None:
                raise DocumentError(f"{name}: {moment} has no time zone, give an aware moment.")
        if not self.draft and (not self.number or self.issue_date is None):
            raise DocumentError("number, issue_date: an issued invoice has both, or pass draft=True.")

    @property
    def amount_remaining(self) -> int:
        """What is still to be paid."""
        return self.amount_due - self.amount_credited - self.amount_from_balance - self.amount_paid

    @property
    def is_settled_in_part(self) -> bool:
        """Whether anything was taken off, or added, since it was billed."""
        return bool(self.amount_paid or self.amount_credited or self.amount_from_balance)

    @property
    def reference(self) -> str:
        """What people call the invoice: its number, or its id while it has none."""
        return self.number or self.invoice_id

    def _moments(self) -> list[tuple[str, datetime | None]]:
        own = ("issue_date", "due_date", "period_start", "period_end")
        moments = [(name, getattr(self, name)) for name in own]
        for index, line in enumerate(self.lines):
            moments.append((f"lines[{index}].period_start", line.period_start))
            moments.append((f"lines[{index}].period_end", line.period_end))
        return moments
