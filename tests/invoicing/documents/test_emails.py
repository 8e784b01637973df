"""The e-mail carries one PDF, says what the document says, and its headers cannot be broken."""

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from django.core.mail import EmailMultiAlternatives

from invoicing.invoices.documents.emails import MOST_LINES, build_invoice_email, sender_address
from invoicing.invoices.documents.model import DocumentError
from tests.invoicing.documents.samples import BANK, CALLS, CUSTOMER, PLAN, VENDOR, an_invoice

NOW = datetime(2025, 12, 3, 9, 31, tzinfo=UTC)
HOSTILE = '<script>alert("1")</script> & {{ email.reference }} {% now "Y" %}'


def build(**changes: Any) -> EmailMultiAlternatives:
    arguments: dict[str, Any] = {
        "document": an_invoice(),
        "to": ["accounts@ampersand.example", "cfo@ampersand.example"],
        "sender": "Northwind <billing@portal.example>",
        "reply_to": "billing@northwind.example",
        "message_id": "<invoice-42@portal.example>",
        "pdf": b"%PDF-1.7 test",
        "pdf_filename": "NW-000042.pdf",
        "now": NOW,
    } | changes
    return build_invoice_email(arguments.pop("document"), **arguments)


def parsed(message: EmailMultiAlternatives) -> EmailMessage:
    """The message as a mail reader understands it."""
    return message_from_bytes(message.message().as_bytes(), policy=policy.default)


def body_of(message: EmailMultiAlternatives, kind: str) -> str:
    part = parsed(message).get_body((kind,))
    assert part is not None
    return str(part.get_content())


def html(message: EmailMultiAlternatives) -> str:
    return body_of(message, "html")


def test_headers_are_those_given():
    message = parsed(build())
    assert message["Subject"] == "Invoice NW-000042 from Northwind: $185.38, due Jan 2, 2026"
    assert message["From"] == "Northwind <billing@portal.example>"
    assert message["To"] == "accounts@ampersand.example, cfo@ampersand.example"
    assert message["Reply-To"] == "billing@northwind.example"
    assert message.get_all("Message-ID") == ["<invoice-42@portal.example>"]
    assert [date.datetime for date in message.get_all("Date", [])] == [NOW]
    assert message["Auto-Submitted"] == "auto-generated"


def test_the_pdf_is_the_only_attachment():
    attachments = list(parsed(build()).iter_attachments())
    assert [part.get_content_type() for part in attachments] == ["application/pdf"]
    assert attachments[0].get_filename() == "NW-000042.pdf"
    assert attachments[0].get_content() == b"%PDF-1.7 test"


def test_text_and_html_say_the_same():
    document = an_invoice(
        memo="First\nSecond",
        bank=BANK,
        payment_note="Will be charged to your card on file.",
        tax_note="Reverse charge.",
    )
    message = build(document=document, view_url="https://portal.example/i/abc")
    text = body_of(message, "plain")
    for body in (text, html(message)):
        for words in (
            "$185.38 due Jan 2, 2026",
            "Will be charged to your card on file.",
            "Team plan",
            "1,234 calls × $0.07",
            "$86.38",
            "Reverse charge.",
            "First",
            "Second",
            "000123456789",
            "https://portal.example/i/abc",
            "VAT ID: US 12-3456789",
        ):
            assert words in body


def test_names_are_escaped_in_html_and_plain_in_text():
    document = an_invoice(customer=replace(CUSTOMER, legal_name=HOSTILE), memo=HOSTILE)
    message = build(document=document)
    assert "<script>" not in html(message)
    assert "&lt;script&gt;" in html(message)
    text = body_of(message, "plain")
    assert text.count(HOSTILE) == 2


def test_html_needs_nothing_from_outside_and_knows_dark_mode():
    body = html(build(document=an_invoice(bank=BANK)))
    assert '<meta name="color-scheme" content="light dark">' in body
    assert "prefers-color-scheme: dark" in body
    for outside in ("http:", "https:", "<img", "url(", "@import", "<link", "<script"):
        assert outside not in body


def test_a_long_invoice_points_to_the_pdf():
    lines = tuple(replace(PLAN, name=f"Line {number}.") for number in range(1, 401))
    message = build(document=an_invoice(lines=lines))
    body = html(message)
    assert f"Line {MOST_LINES}." in body
    assert f"Line {MOST_LINES + 1}." not in body
    assert f"and {400 - MOST_LINES} more, in the attached PDF" in body
    assert len(body) < 100_000


def test_a_subject_is_one_line_whatever_the_names_are():
    vendor = replace(VENDOR, display_name="Evil\r\nBcc: victim@example.com\n\n" + "x" * 500)
    message = build(document=an_invoice(vendor=vendor, number="1\r\nX-Bad: 1"))
    assert "\n" not in message.subject
    assert len(message.subject) <= 200
    assert "Bcc" not in parsed(message)
    assert "X-Bad" not in parsed(message)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("to", []),
        ("to", ["nobody"]),
        ("to", ["a@b.example\nBcc: c@d.example"]),
        ("sender", "Evil\r\nBcc: c@d.example <a@b.example>"),
        ("reply_to", "a@b.example\r\nBcc: c@d.example"),
        ("message_id", "no-brackets@host"),
        ("message_id", "<a@b>\nBcc: c@d.example"),
        ("view_url", "javascript:alert(1)"),
        ("view_url", 'https://x.example/"onclick="'),
    ],
)
def test_what_would_break_a_header_or_a_link_is_refused_by_name(field, value):
    with pytest.raises(DocumentError, match=f"^{field}:"):
        build(**{field: value})


def test_a_draft_is_not_sent():
    with pytest.raises(DocumentError, match="draft"):
        build(document=an_invoice(draft=True, number=None))


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("INV 1/2.pdf", "INV-1-2.pdf"),
        ("../../etc/passwd", "etc-passwd.pdf"),
        ('a"\r\nX: y.pdf', "a-X-y.pdf"),
        ("Rechnung-Ä-1", "Rechnung-Ä-1.pdf"),
        ("", "invoice.pdf"),
    ],
)
def test_the_file_name_is_safe(given, kept):
    attachment = next(parsed(build(pdf_filename=given)).iter_attachments())
    assert attachment.get_filename() == kept


def test_without_reply_address_there_is_no_such_header():
    assert "Reply-To" not in parsed(build(reply_to=""))


def test_a_part_paid_invoice_asks_for_the_rest():
    assert build(document=an_invoice(amount_paid=8538)).subject.endswith(": $100.00, due Jan 2, 2026")
    assert build(document=an_invoice(amount_paid=18538)).subject.endswith(": $185.38")


def test_quantities_without_price_stand_alone():
    lines = (replace(CALLS, unit_price_text=""),)
    assert "(1,234 calls): $86.38" in build(document=an_invoice(lines=lines)).body


def test_a_senders_name_is_quoted_or_encoded():
    assert sender_address("Acme, Inc.", "a@b.example") == '"Acme, Inc." <a@b.example>'
    assert sender_address("Evil\r\nBcc: x", "a@b.example") == '"Evil Bcc: x" <a@b.example>'
    assert parsed(build(sender=sender_address("Müller", "a@b.example")))["From"] == "Müller <a@b.example>"
