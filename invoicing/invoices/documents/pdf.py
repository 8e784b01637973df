"""The invoice as a PDF. The same document always gives the same bytes.

Only the fonts shipped beside this file are used, typst is pinned, and the file's date is the
day of issue. The document's text reaches typst as data, never as source.
"""

import functools
import json
import logging
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typst

from invoicing.invoices.documents import wording
from invoicing.invoices.documents.model import DocumentLine, InvoiceDocument, Logo, Paper, Party

logger = logging.getLogger(__name__)

HERE = Path(__file__).resolve().parent
FONT_DIR = HERE / "fonts"
FAMILIES = (
    "Inter",
    "Noto Sans Armenian",
    "Noto Sans Georgian",
    "Noto Sans Hebrew",
    "Noto Sans Arabic",
    "Noto Sans Devanagari",
    "Noto Sans Thai",
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TONES = {"paid": "good", "void": "bad", "voided": "bad", "uncollectible": "bad", "past due": "bad"}


def render_pdf(document: InvoiceDocument, *, paper: Paper | None = None) -> bytes:
    """The document on its own paper, or on another. A logo that turns out to be damaged is left out."""
    document = replace(document, paper=paper or document.paper)
    try:
        return _compile(document)
    except typst.TypstError as error:
        if document.vendor.logo is None:
            raise
        logger.warning("Logo left out of invoice %s: %s", document.reference, error.message)
        return _compile(replace(document, vendor=replace(document.vendor, logo=None)))


def check_picture(logo: Logo) -> None:
    """Raises ``typst.TypstError`` where the picture cannot be printed."""
    data = json.dumps(_logo(logo))
    source = b"#let it = json(bytes(sys.inputs.data))\n#image(bytes(it.bytes), format: it.format)"
    typst.compile(source, format="pdf", font_paths=fonts(), ignore_system_fonts=True, sys_inputs={"data": data})


def _compile(document: InvoiceDocument) -> bytes:
    moment = document.issue_date or document.period_end or EPOCH
    return compile_pdf(json.dumps(payload(document), ensure_ascii=False), moment)


def compile_pdf(data: str, moment: datetime) -> bytes:
    """The template with this data, as typst makes it; ``moment`` becomes the file's date."""
    return typst.compile(
        _template(),
        format="pdf",
        font_paths=fonts(),
        ignore_system_fonts=True,
        sys_inputs={"data": data},
        timestamp=moment.astimezone(UTC).replace(microsecond=0),
    )


@functools.cache
def _template() -> bytes:
    return (HERE / "invoice.typ").read_bytes()


@functools.cache
def fonts() -> typst.Fonts:
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(FONT_DIR)])


def payload(document: InvoiceDocument) -> dict[str, Any]:
    """What invoice.typ places on the page; every value is text it shows as it is."""
    return {
        "paper": document.paper,
        "fonts": FAMILIES,
        "language": wording.language(document),
        "title": "Invoice",
        "reference": wording.one_line(document.reference),
        "draft_banner": wording.DRAFT_BANNER if document.draft else "",
        "status": wording.one_line(document.status),
        "tone": TONES.get(document.status.strip().lower(), "plain"),
        "logo": _logo(document.vendor.logo),
        "vendor": _party(document.vendor),
        "parties": _parties(document),
        "facts": wording.fact_rows(document),
        "headline": wording.headline(document),
        "payment_note": wording.one_line(document.payment_note),
        "detailed": any(line.quantity is not None or line.unit_price_text for line in document.lines),
        "lines": [_line(document, line) for line in document.lines],
        "totals": [vars(row) for row in wording.total_rows(document)],
        "tax_note": wording.one_line(document.tax_note),
        "memo": wording.paragraphs(document.memo),
        "bank": wording.ways_to_pay(document),
        "foot": wording.one_line(f"{document.reference} · {document.vendor.name}"),
    }


def _logo(logo: Logo | None) -> dict[str, Any] | None:
    """The picture as a list of its bytes, the one form in which JSON carries them unchanged."""
    return {"bytes": list(logo.data), "format": logo.format} if logo else None


def _parties(document: InvoiceDocument) -> list[tuple[str, dict[str, Any]]]:
    parties = [("From", _party(document.vendor)), ("Bill to", _party(document.customer))]
    shipping = [text for text in map(wording.one_line, document.customer.shipping_address) if text]
    if shipping:
        parties.append(("Ship to", {"name": wording.one_line(document.customer.name), "lines": shipping}))
    return parties


def _party(party: Party) -> dict[str, Any]:
    return {"name": wording.one_line(party.name), "lines": wording.party_lines(party)}


def _line(document: InvoiceDocument, line: DocumentLine) -> dict[str, Any]:
    details = [wording.one_line(text) for text in line.description.splitlines()]
    details.append(wording.line_period_text(document, line))
    return {
        "name": wording.one_line(line.name),
        "details": [text for text in details if text],
        "length": len(line.name) + len(line.description),
        "quantity": wording.quantity_text(document, line),
        "unit_price": wording.one_line(line.unit_price_text),
        "amount": wording.money(document, line.amount),
    }
