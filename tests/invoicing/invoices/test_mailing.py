"""E-mails beside the issue step: what is told, when, to whom, and never twice knowingly."""

from __future__ import annotations

import smtplib
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from django.core import mail
from django.core.mail import EmailMessage
from django.utils import timezone

from customers.claims import claim
from customers.due import due_at
from customers.errors import Conflict
from customers.hooks import policy_changed
from invoicing.gateways import GatewayInvoice, GatewayPayment, GatewayStatus
from invoicing.invoices import mailing
from invoicing.invoices.collection import settle
from invoicing.invoices.lifecycle import mark_paid, send, void
from invoicing.invoices.models import EmailKind
from invoicing.invoices.outbox import queue
from invoicing.invoices.reminders import remind_due
from invoicing.invoices.states import InvoiceStatus
from invoicing.models import Invoice, OutgoingEmail
from tests.crash import Killed, killed_after
from tests.factories import START, InvoiceFactory, LineItemFactory
from tests.world import OPERATOR, World, utc

pytestmark = pytest.mark.django_db(transaction=True)

S = InvoiceStatus
LEASE = timedelta(seconds=60)


@pytest.fixture
def world() -> World:
    world = World(utc(2026, 3, 1), name="northwind", display_name="Northwind", email="billing@northwind.example")
    world.settings(should_send_invoice_to_customers=True)
    return world


@pytest.fixture
def invoice(world: World) -> Invoice:
    """$99 for February, e-mailed on 1 March and due on the 31st."""
    return issued(world, world.customer("acme", email="ap@acme.example", secondary_emails=["cfo@acme.example"]))


def issued(world: World, customer: Any) -> Invoice:
    invoice = InvoiceFactory(
        customer=customer, number="", generated_at=world.now, sub_total=9900, paid_at=None, issued_at=None
    )
    LineItemFactory(invoice=invoice, amount=9900)
    world.rest()
    mail.outbox.clear()
    return fresh(invoice)


def fresh(invoice: Invoice) -> Invoice:
    return Invoice.objects.select_related("vendor", "customer").get(pk=invoice.pk)


def by(world: World) -> dict[str, Any]:
    return {"actor": OPERATOR, "now": world.now, "real_now": timezone.now()}


def told(kind: str) -> list[OutgoingEmail]:
    return list(OutgoingEmail.objects.filter(kind=kind).order_by("pk"))


def subjects() -> list[str]:
    return [str(message.subject) for message in mail.outbox]


# Receipts


def test_a_receipt_carries_the_invoice_with_its_payment(world: World, invoice: Invoice) -> None:
    world.settings(send_receipts=True)
    issued_pdf = bytes(invoice.document.pdf)
    mark_paid(invoice, **by(world))
    world.rest()
    [message] = mail.outbox
    assert message.subject == f"Receipt for invoice {invoice.number} from Northwind: $99.00 paid"
    assert message.to == ["ap@acme.example", "cfo@acme.example"]
    [(name, pdf, kind)] = message.attachments
    assert (name, kind) == (f"{invoice.number}-receipt.pdf", "application/pdf")
    assert pdf != issued_pdf
    assert bytes(fresh(invoice).document.pdf) == issued_pdf
    [email] = told("receipt")
    assert (email.state, email.sent_at is not None, email.next_action_at) == ("succeeded", True, None)
    assert message.extra_headers["Message-ID"] == email.message_id


@pytest.mark.parametrize("settings", [{}, {"send_receipts": True, "should_send_invoice_to_customers": False}])
def test_no_receipt_unless_the_settings_want_one(world: World, invoice: Invoice, settings: dict[str, bool]) -> None:
    world.settings(**settings)
    mark_paid(invoice, **by(world))
    world.rest()
    assert mail.outbox == []
    assert not told("receipt")


def test_an_override_decides_for_one_customer(world: World, invoice: Invoice) -> None:
    world.override(invoice.customer, send_receipts=True)
    other = issued(world, world.customer("globex"))
    for one in (invoice, other):
        mark_paid(one, **by(world))
    world.rest()
    assert [message.to[0] for message in mail.outbox] == ["ap@acme.example"]


def test_no_receipt_for_what_was_never_issued(world: World) -> None:
    world.settings(send_receipts=True, auto_approve_invoices=False)
    invoice = InvoiceFactory(
        customer=world.customer("acme"), number="", issued_at=None, paid_at=None, next_action="", next_action_at=None
    )
    mark_paid(invoice, **by(world))
    assert not OutgoingEmail.objects.exists()


# Failed payments


def at_stripe(world: World, invoice: Invoice) -> Invoice:
    Invoice.objects.filter(pk=invoice.pk).update(gateway="stripe", external_invoice_id="in_1")
    return fresh(invoice)


def news(invoice: Invoice, *failed: str) -> GatewayInvoice:
    declined: dict[str, Any] = {
        "amount": 9900,
        "succeeded": False,
        "method": "Visa ending in 0341",
        "error_code": "card_declined",
    }
    payments = [
        GatewayPayment(external_id=name, error="Your card was declined.", occurred_at=timezone.now(), **declined)
        for name in failed
    ]
    return GatewayInvoice(
        external_id="in_1",
        status=GatewayStatus.OPEN,
        collection="send_invoice",
        due_date=invoice.due_date,
        hosted_url="https://pay.example/in_1",
        payments=tuple(payments),
    )


def test_each_failed_payment_is_told_once_with_the_link_to_pay(world: World, invoice: Invoice) -> None:
    world.settings(communicate_payment_failures=True)
    invoice = at_stripe(world, invoice)
    for failed in (["pi_1"], ["pi_1"], ["pi_1", "pi_2"]):
        settle("in_1", news(invoice, *failed), real_now=timezone.now())
        world.rest()
    assert subjects() == [f"Payment failed for invoice {invoice.number} from Northwind: $99.00"] * 2
    assert [email.occasion for email in told("payment_failed")] == ["pi_1", "pi_2"]
    first: Any = mail.outbox[0]
    for body in (first.body, first.alternatives[0][0]):
        assert "Your card was declined." in body
        assert "https://pay.example/in_1" in body


def test_a_failed_payment_is_not_told_unless_wanted(world: World, invoice: Invoice) -> None:
    settle("in_1", news(at_stripe(world, invoice), "pi_1"), real_now=timezone.now())
    world.rest()
    assert fresh(invoice).status == S.PAYMENT_FAILED
    assert mail.outbox == []


# Reminders


def remind(world: World, **settings: Any) -> None:
    world.settings(**settings)
    policy_changed(world.vendor, None, now=world.now, real_now=timezone.now())


def test_each_reminder_day_once_and_none_after_payment(world: World, invoice: Invoice) -> None:
    remind(world, upcoming_reminder_days_array=[7, 1], past_due_reminder_days_array=[1, 7, 14])
    due: datetime = invoice.due_date  # type: ignore[assignment]
    told_at: list[tuple[int, str]] = []
    for day in range(-10, 9):
        world.move_to(due + timedelta(days=day, minutes=1))
        told_at += [(day, subject.split(":")[0]) for subject in subjects()]
        mail.outbox.clear()
    assert told_at == [(-7, "Reminder"), (-1, "Reminder"), (1, "Past due"), (7, "Past due")]
    mark_paid(fresh(invoice), **by(world))
    world.move_to(due + timedelta(days=20))
    assert mail.outbox == []
    assert fresh(invoice).next_reminder_at is None


def test_a_moved_clock_stops_at_each_reminder(world: World, invoice: Invoice) -> None:
    remind(world, upcoming_reminder_days_array=[7], past_due_reminder_days_array=[3])
    due: datetime = invoice.due_date  # type: ignore[assignment]
    world.move_to(due + timedelta(days=30))
    assert [email.sent_at for email in told("upcoming") + told("past_due")] == [
        due - timedelta(days=7),
        due + timedelta(days=3),
    ]
    assert "It is due in 7 days." in str(mail.outbox[0].body)
    assert "It is 3 days past due." in str(mail.outbox[1].body)


def test_days_that_have_passed_when_reminders_are_turned_on_are_not_made_up_for(world: World, invoice: Invoice) -> None:
    due: datetime = invoice.due_date  # type: ignore[assignment]
    world.move_to(due + timedelta(days=10))
    remind(world, past_due_reminder_days_array=[1, 7, 14])
    world.move_to(due + timedelta(days=30))
    assert [email.occasion for email in told("past_due")] == ["14"]


def test_a_void_invoice_and_delivery_off_remind_nobody(world: World, invoice: Invoice) -> None:
    remind(world, past_due_reminder_days_array=[1])
    void(invoice, reason="wrong", **by(world))
    issued(world, world.customer("globex"))
    world.settings(should_send_invoice_to_customers=False)
    world.move_by(days=60)
    assert mail.outbox == []


def test_a_draft_in_stripe_is_not_reminded_of(world: World, invoice: Invoice) -> None:
    at_stripe(world, invoice)
    remind(world, past_due_reminder_days_array=[1])
    world.move_by(days=60)
    assert mail.outbox == []


def test_a_reminder_that_waits_when_the_money_arrives_is_not_sent(world: World, invoice: Invoice) -> None:
    remind(world, past_due_reminder_days_array=[1])
    queue(invoice, EmailKind.PAST_DUE, "1", now=world.now)
    mark_paid(fresh(invoice), **by(world))
    world.rest()
    assert mail.outbox == []
    [email] = told("past_due")
    assert (email.state, email.next_action_at) == ("withdrawn", None)


def test_many_looks_cost_as_many_queries_as_one(world: World, django_assert_num_queries: Any) -> None:
    remind(world, past_due_reminder_days_array=[1])
    customer = world.customer("acme")
    for count in (1, 5):
        for _ in range(count):
            InvoiceFactory(customer=customer, status=S.ISSUED, due_date=START, issued_at=START, next_reminder_at=START)
        with django_assert_num_queries(9):
            remind_due(due_at(world.vendor, world.now, "next_reminder_at"), real_now=timezone.now())
    assert len(told("past_due")) == 6


# Sending


def waiting(world: World, invoice: Invoice) -> OutgoingEmail:
    queue(invoice, EmailKind.INVOICE, "again-by-test", now=world.now)
    return told("invoice")[-1]


def work(email: OutgoingEmail, real_now: datetime) -> None:
    """What a tick and a worker do with one e-mail."""
    rows = OutgoingEmail.objects.filter(pk=email.pk, next_action_at__isnull=False)
    token, ids = claim(rows, real_now=real_now, lease=LEASE, limit=1)
    for pk in ids:
        mailing.send(pk, token, real_now=real_now)


def test_killed_at_any_moment_it_is_never_sent_twice_and_doubt_is_shown(world: World, invoice: Invoice) -> None:
    email = waiting(world, invoice)
    with killed_after(10_000) as fuse:
        work(email, timezone.now())
    states = set()
    for moment in range(len(fuse.done)):
        mail.outbox.clear()
        OutgoingEmail.objects.filter(occasion="again-by-test").delete()
        email, real_now = waiting(world, invoice), timezone.now()
        with pytest.raises(Killed), killed_after(moment):
            work(email, real_now)
        work(email, real_now + LEASE + timedelta(seconds=1))
        email.refresh_from_db()
        states.add(email.state)
        assert len(mail.outbox) <= 1, moment
        assert email.state == "unknown" or (email.state, len(mail.outbox)) == ("succeeded", 1), moment
        if email.state == "unknown":
            assert "may or may not have been sent" in email.error
            assert email.next_action_at is None
    assert states == {"succeeded", "unknown"}


def test_a_mail_server_that_refuses_is_asked_again_later_with_the_same_id(world: World, invoice: Invoice) -> None:
    email = waiting(world, invoice)
    with mock.patch.object(EmailMessage, "send", side_effect=smtplib.SMTPServerDisconnected("gone")):
        work(email, timezone.now())
    email.refresh_from_db()
    assert (email.state, email.failures) == ("waiting", 1)
    assert "gone" in email.error
    world.move_by(hours=2)
    [message] = mail.outbox
    assert message.extra_headers["Message-ID"] == email.message_id
    email.refresh_from_db()
    assert (email.state, email.error) == ("succeeded", "")


def test_after_six_failures_it_waits_for_a_person(world: World, invoice: Invoice) -> None:
    email = waiting(world, invoice)
    with mock.patch.object(EmailMessage, "send", side_effect=ConnectionRefusedError("no server")):
        world.move_by(days=10)
    email.refresh_from_db()
    assert (email.state, email.failures, email.next_action_at) == ("failed", 6, None)


def test_without_an_address_it_says_so(world: World, invoice: Invoice) -> None:
    email = waiting(world, invoice)
    type(invoice.customer).objects.update(email="", secondary_emails=[])
    world.rest()
    email.refresh_from_db()
    assert (email.state, mail.outbox) == ("failed", [])
    assert "no e-mail address" in email.error


# Sending an invoice again


def test_an_invoice_is_sent_again_to_the_present_address(world: World, invoice: Invoice) -> None:
    type(invoice.customer).objects.update(email="new@acme.example", secondary_emails=[])
    send(invoice, **by(world))
    world.rest()
    [message] = mail.outbox
    assert message.to == ["new@acme.example"]
    assert message.attachments[0][1] == bytes(fresh(invoice).document.pdf)
    first, again = told("invoice")
    assert first.message_id != again.message_id
    assert world.kinds(invoice)[-1] == "invoice.resent"


@pytest.mark.parametrize("why", ["Stripe sends it", "it was not issued by e-mail", "it is voided"])
def test_only_what_was_emailed_is_sent_again(world: World, invoice: Invoice, why: str) -> None:
    changes: dict[str, dict[str, Any]] = {
        "Stripe sends it": {"gateway": "stripe"},
        "it was not issued by e-mail": {"issued_at": None, "status": S.GENERATED},
        "it is voided": {"status": S.VOIDED},
    }
    Invoice.objects.filter(pk=invoice.pk).update(**changes[why])
    with pytest.raises(Conflict, match=why):
        send(invoice, **by(world))
    assert len(told("invoice")) == 1
