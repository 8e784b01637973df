"""A document that cannot be right is refused before anything is rendered."""

from dataclasses import replace
from datetime import datetime

import pytest

from invoicing.invoices.documents.model import LOGO_MAX_BYTES, DocumentError, Logo
from tests.invoicing.documents.samples import ISSUED, PLAN, a_logo, an_invoice

NAIVE = datetime(2025, 11, 1)  # noqa: DTZ001


@pytest.mark.parametrize("field", ["issue_date", "due_date", "period_start", "period_end"])
def test_a_moment_without_zone_is_refused_by_name(field):
    with pytest.raises(DocumentError, match=field):
        an_invoice(**{field: NAIVE})


def test_a_line_with_a_moment_without_zone_is_refused_by_name():
    with pytest.raises(DocumentError, match=r"lines\[0\]\.period_end"):
        an_invoice(lines=(replace(PLAN, period_end=NAIVE),))


@pytest.mark.parametrize("changes", [{"number": None}, {"number": ""}, {"issue_date": None}])
def test_an_issued_invoice_has_a_number_and_a_day(changes):
    with pytest.raises(DocumentError, match="draft=True"):
        an_invoice(**changes)


def test_a_draft_needs_neither():
    draft = an_invoice(number=None, issue_date=None, draft=True)
    assert draft.reference == draft.invoice_id


def test_payments_lower_what_remains_not_what_is_due():
    document = an_invoice(amount_paid=538, issue_date=ISSUED)
    assert (document.amount_due, document.amount_remaining) == (18538, 18000)


def test_a_logo_is_told_by_its_bytes():
    assert a_logo().format == "png"
    assert Logo(b"\xff\xd8\xff\xe0").format == "jpg"
    assert Logo(b"GIF89a").format == "gif"
    assert Logo(b"RIFF\0\0\0\0WEBPVP8 ").format == "webp"


@pytest.mark.parametrize("data", [b"", b"<svg/>", b"MZ", b"\x89PNG\r\n\x1a\n" + b"0" * LOGO_MAX_BYTES])
def test_a_logo_we_cannot_print_is_refused(data):
    with pytest.raises(DocumentError, match="logo"):
        Logo(data)
