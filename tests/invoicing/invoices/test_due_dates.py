"""A due date that a person chooses before the invoice is issued."""

from __future__ import annotations

from datetime import date
from io import BytesIO

import pytest
from django.core import mail
from django.utils import timezone
from pypdf import PdfReader

from billing_portal.portal.timeline import timeline_of
from customers.errors import Conflict, Invalid
from customers.events.models import SubjectKind
from customers.settings.policy import policy_for
from invoicing.gateways import InvoiceOrder
from invoicing.invoices.attempts import order_for
from invoicing.invoices.due_dates import change_due_date
from invoicing.models import Invoice
from tests.world import OPERATOR, World, utc

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    """In New York, five hours behind UTC."""
    world = World(utc(2026, 1, 1), time_zone="America/New_York")
    world.settings(should_send_invoice_to_customers=True, payment_grace_period_length=2, days_until_due=30)
    world.subscribe(world.customer(), world.plan())
    world.move_to(utc(2026, 2, 2))
    return world


def choose(world: World, day: date | None) -> Invoice:
    return change_due_date(world.invoice(), day=day, actor=OPERATOR, now=world.now, real_now=timezone.now())


def test_it_is_printed_and_has_all_of_its_day(world: World) -> None:
    assert choose(world, date(2026, 2, 20)).due_date == utc(2026, 2, 21, 4, 59, 59)
    world.move_to(utc(2026, 2, 5))
    invoice = world.invoice()
    assert (invoice.status, invoice.due_date) == ("INVOICE_ISSUED", utc(2026, 2, 21, 4, 59, 59))
    [page] = PdfReader(BytesIO(bytes(invoice.document.pdf))).pages
    [message] = mail.outbox
    for text in (page.extract_text(), str(message.body)):
        assert "20 Feb 2026" in text or "Feb 20, 2026" in text or "February 20, 2026" in text, text
    with pytest.raises(Conflict, match="can no longer be changed: it is issued"):
        choose(world, date(2026, 3, 20))


def test_the_timeline_says_from_what_to_what_and_empty_means_the_settings(world: World) -> None:
    choose(world, date(2026, 2, 20))
    choose(world, date(2026, 2, 20))
    invoice = choose(world, None)
    assert (invoice.chosen_due_date, invoice.due_date) == (None, None)
    last, first, *_ = timeline_of(world.vendor, SubjectKind.INVOICE, invoice.pk)
    assert (first.sentence, first.detail) == ("Due date changed", "Due date: not set → 2026-02-20.")
    assert last.detail == "Due date: 2026-02-20 → not set."
    world.move_to(utc(2026, 2, 5))
    issued = world.invoice()
    assert issued.issued_at is not None
    assert issued.due_date is not None
    assert (issued.due_date - issued.issued_at).days == 30


def test_a_day_that_has_passed_when_it_is_issued_becomes_the_day_of_issue(world: World) -> None:
    choose(world, date(2026, 2, 2))
    world.move_to(utc(2026, 2, 5))
    invoice = world.invoice()
    assert invoice.issued_at is not None
    assert invoice.due_date is not None
    zone = world.vendor.zone
    assert invoice.due_date.astimezone(zone).date() == invoice.issued_at.astimezone(zone).date()
    assert invoice.due_date > invoice.issued_at


@pytest.mark.parametrize("day", [date(2026, 2, 1), date(2032, 1, 1)])
def test_a_day_that_makes_no_sense_is_refused(world: World, day: date) -> None:
    """It is still the 1st of February in New York, so the day before is over."""
    if day == date(2026, 2, 1):
        choose(world, day)
        day = date(2026, 1, 31)
    with pytest.raises(Invalid, match="due_date: Give a day from today, 2026-02-01, to 2031-02-0"):
        choose(world, day)


def test_the_gateways_order_carries_the_day_and_survives_being_stored(world: World) -> None:
    invoice = choose(world, date(2026, 2, 20))
    order = order_for(invoice, policy_for(invoice.customer))
    assert order.due_date == date(2026, 2, 20)
    assert InvoiceOrder.from_json(order.as_json()) == order
    assert order_for(choose(world, None), policy_for(invoice.customer)).due_date is None
