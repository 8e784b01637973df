"""An invoice is held back by a person: nothing happens by itself until somebody resumes it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billing_portal.accounts.models import Role
from customers.errors import Busy, Conflict
from customers.settings.policy import policy_for
from customers.settings.verbs import save_vendor_settings
from invoicing.invoices.lifecycle import approve, push, void
from invoicing.invoices.pausing import pause, resume
from invoicing.invoices.schedule import next_step
from invoicing.invoices.waiting import waiting
from invoicing.models import Invoice, OutgoingEmail
from tests.portal.scene import make_operator
from tests.world import OPERATOR, World, utc

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    world = World(utc(2026, 1, 1))
    world.settings(
        should_send_invoice_to_customers=True, payment_grace_period_length=2, past_due_reminder_days_array=[1, 3],
        days_until_due=10,
    )  # fmt: skip
    world.subscribe(world.customer(), world.plan())
    world.move_to(utc(2026, 2, 2))
    return world


def by(world: World) -> dict[str, Any]:
    return {"actor": OPERATOR, "now": world.now, "real_now": timezone.now()}


def held(world: World) -> Invoice:
    return pause(world.invoice(), reason="A question.", **by(world))


def test_it_is_not_issued_whatever_moves_until_it_is_resumed(world: World) -> None:
    invoice = held(world)
    step = next_step(invoice, policy_for(invoice.customer))
    assert step.sentence == "Held back by olivia@example.com until somebody resumes it."
    assert (step.at, step.because) == (None, "A question.")
    save_vendor_settings(world.vendor, {"payment_grace_period_length": 3}, **by(world))
    assert not waiting(world.vendor).exists()
    world.move_to(utc(2026, 2, 20))
    assert (world.invoice().status, mail.outbox) == ("INVOICE_GENERATED", [])
    with pytest.raises(Conflict, match="is held back: resume it first"):
        push(invoice, **by(world))
    resume(invoice, **by(world))
    world.rest()
    assert (world.invoice().status, len(mail.outbox)) == ("INVOICE_ISSUED", 1)
    assert world.kinds(invoice) == ["invoice.generated", "invoice.paused", "invoice.resumed", "invoice.issued"]


def test_approved_meanwhile_it_still_waits(world: World) -> None:
    Invoice.objects.update(next_action="approve", next_action_at=None, is_approved=False)
    invoice = approve(held(world), **by(world))
    assert (invoice.next_action, invoice.next_action_at) == ("issue", None)
    assert resume(invoice, **by(world)).next_action_at == invoice.issue_date


def test_nobody_is_reminded_meanwhile_nor_afterwards_of_days_that_passed(world: World) -> None:
    world.move_to(utc(2026, 2, 4))
    due = world.invoice().due_date
    assert due is not None
    held(world)
    save_vendor_settings(world.vendor, {"upcoming_reminder_days_array": [1]}, **by(world))
    world.move_to(due + timedelta(days=2))
    resume(world.invoice(), **by(world))
    world.move_to(due + timedelta(days=4))
    reminders = OutgoingEmail.objects.exclude(kind="invoice")
    assert [(email.kind, email.occasion) for email in reminders] == [("past_due", "3")]


def test_a_failed_payment_is_not_tried_again(world: World) -> None:
    later = utc(2026, 2, 9)
    Invoice.objects.update(
        status="PAYMENT_FAILED", issued_at=world.now, number="INV-1", next_action="collect", next_action_at=later,
        gateway="stripe", gateway_account="acct_1", external_invoice_id="in_1", retry_advice="again",
        gateway_collection="charge_automatically", latest_payment_attempt_at=world.now, payment_retry_attempt=1,
    )  # fmt: skip
    invoice = held(world)
    assert (invoice.next_action, invoice.next_action_at) == ("collect", None)
    assert not waiting(world.vendor).exists(), "connecting an account must not set it going"
    invoice = resume(invoice, **by(world))
    invoice.refresh_from_db()
    assert invoice.next_action == "collect"
    assert invoice.next_action_at == invoice.latest_payment_attempt_at + timedelta(days=1)


def test_what_is_finished_is_held_back_no_more(world: World) -> None:
    invoice = void(held(world), reason="A duplicate.", **by(world))
    assert (invoice.status, invoice.paused_at, invoice.pause_reason) == ("INVOICE_VOIDED", None, "")


def test_not_while_a_worker_has_it(world: World) -> None:
    Invoice.objects.update(
        claim_token="9e2b2d0e-6c0f-4c1c-8a58-6a2b1d1c9f00", claimed_until=timezone.now() + timedelta(minutes=1)
    )
    with pytest.raises(Busy):
        held(world)


def test_the_page_offers_it_beside_what_happens_next(world: World) -> None:
    browser = Client()
    browser.force_login(make_operator(world.vendor, Role.BILLING))
    address = reverse("portal:invoice", args=[world.invoice().uuid])

    def beside() -> str:
        page = browser.get(address).content.decode()
        return page.partition("What happens next</h2>")[2].partition("</section>")[0]

    assert "Do the next step now" in beside()
    assert "Hold back" in beside()
    browser.post(address + "pause/", {"reason": "They asked about a line."})
    assert "Resume" in beside()
    assert "They asked about a line." in beside()
    assert "Do the next step now" not in beside()
    assert "They asked about a line." in browser.get(reverse("portal:invoices") + "?status=paused").content.decode()
