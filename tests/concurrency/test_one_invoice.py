"""Whatever two people, the schedule and Stripe do to one invoice at once comes to what one of them after the other
would have come to: no deadlock, no error but a refusal, nothing charged, sent, numbered or told twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

import pytest
from django.db.models import Q

from invoicing.gateways import GatewayStatus
from invoicing.invoices import (
    by_hand,
    due_dates,
    lifecycle,
    pausing,
    refunds,
    regeneration,
    reminders,
)
from invoicing.invoices.charge_attempts import ChargeAttempt
from invoicing.models import Invoice, Payment
from tests.concurrency.duel import Fighters
from tests.concurrency.pairs import Meeting, Verb
from tests.concurrency.scene import BY, END, NOW, REASON, Scene

pytestmark = pytest.mark.django_db(transaction=True)

BY_STRIPE = {"should_send_invoice_to_customers": True, "invoice_via_octane": False, "charges_enabled": True}
BY_EMAIL = {"should_send_invoice_to_customers": True, "invoice_via_octane": True}
AT_ONCE = {"stripe_immediate_finalization": True}


def asked(act: Callable[..., object], **arguments: Any) -> Verb:
    return lambda scene: act(scene.current(), **arguments, **BY)


def pays(scene: Scene) -> None:
    scene.stripe.pay(scene.current().external_invoice_id)
    scene.news()


def closed_there(status: GatewayStatus) -> Verb:
    def close(scene: Scene) -> None:
        scene.stripe.close(scene.current().external_invoice_id, status)
        scene.news()

    return close


def declined(scene: Scene) -> None:
    held = scene.stripe.held[scene.current().external_invoice_id]
    held.declines = max(held.declines, 1)
    scene.stripe.pay(held.id)
    scene.news()


V: Mapping[str, Verb] = {
    "approve": asked(lifecycle.approve),
    "push": asked(lifecycle.push),
    "hold back": asked(pausing.pause, **REASON),
    "another due date": asked(due_dates.change_due_date, day=date(2026, 3, 31)),
    "generate again": asked(regeneration.regenerate),
    "delete": asked(lifecycle.delete),
    "void": asked(lifecycle.void, **REASON),
    "mark paid": asked(lifecycle.mark_paid),
    "part payment": asked(by_hand.record_payment, amount=4000),
    "payment": asked(by_hand.record_payment, amount=9900),
    "give up": asked(lifecycle.mark_uncollectible, **REASON),
    "charge": asked(lifecycle.pay),
    "send": asked(lifecycle.send),
    "refund 4000": asked(refunds.refund, amount=4000, **REASON),
    "refund 7000": asked(refunds.refund, amount=7000, **REASON),
    "scheduled step": Scene.step,
    "reminds": lambda scene: reminders.remind_due(Q(vendor=scene.vendor, next_reminder_at__lte=NOW), real_now=NOW),
    "Stripe says paid": pays,
    "Stripe says declined": declined,
    "Stripe says void": closed_there(GatewayStatus.VOID),
}


def awaiting_approval() -> Scene:
    scene = Scene(auto_approve_invoices=False)
    scene.invoice(next_action="approve", next_action_at=None, is_approved=False)
    return scene


def due_for_stripe() -> Scene:
    scene = Scene(**BY_STRIPE, **AT_ONCE)
    scene.invoice(next_action="issue", next_action_at=NOW, issue_date=NOW)
    return scene


def due_for_email() -> Scene:
    scene = Scene(**BY_EMAIL)
    scene.invoice(next_action="issue", next_action_at=NOW, issue_date=NOW)
    return scene


def sent_by_stripe() -> Scene:
    scene = Scene(**BY_STRIPE, past_due_reminder_days_array=[0, 1])
    late = {"due_date": END, "next_reminder_at": NOW, "reminded_until": END - timedelta(days=1)}
    scene.held(collection="send_invoice", **late)
    return scene


def declined_at_stripe() -> Scene:
    """And about to be tried again, as our schedule has it."""
    scene = Scene(**BY_STRIPE, **AT_ONCE)
    invoice = scene.held("PAYMENT_FAILED", collection="charge_automatically", payment_error="It was declined.")
    held = scene.stripe.held[invoice.external_invoice_id]
    held.declines = 1
    scene.stripe.pay(held.id)
    [failed] = held.payments
    Payment.objects.create(
        invoice=invoice, state="failed", amount=9900, external_id=failed.external_id, occurred_at=END, error="No."
    )
    Invoice.objects.filter(pk=invoice.pk).update(
        next_action="collect", next_action_at=NOW, payment_retry_attempt=1, latest_payment_attempt_at=END,
        retry_advice="again",
    )  # fmt: skip
    return scene


def paid_at_stripe() -> Scene:
    scene = Scene(**BY_STRIPE)
    invoice = scene.held("INVOICE_PAID", collection="charge_automatically", paid_at=END, amount_paid=9900)
    held = scene.stripe.held[invoice.external_invoice_id]
    scene.stripe.pay(held.id)
    Payment.objects.create(
        invoice=invoice, state="succeeded", amount=9900, external_id=held.payments[0].external_id, occurred_at=END
    )
    return scene


def charged_by_us() -> Scene:
    """E-mailed, declined, and about to be tried again."""
    scene = Scene(**BY_EMAIL, charges_enabled=True)
    invoice = scene.issued(
        "PAYMENT_FAILED", gateway_account="acct_1", gateway_collection="charge_automatically", next_action="collect",
        next_action_at=NOW, payment_retry_attempt=1, latest_payment_attempt_at=END, retry_advice="again",
    )  # fmt: skip
    ChargeAttempt.objects.create(
        invoice=invoice, number=1, state="failed", idempotency_key=f"first-{invoice.uuid}", gateway="stripe",
        account="acct_1", started_at=END, real_started_at=END, finished_at=END,
    )  # fmt: skip
    return scene


MEETINGS: Mapping[str, tuple[Callable[[], Scene], tuple[str, ...]]] = {
    "awaiting approval": (
        awaiting_approval,
        ("approve", "push", "hold back", "generate again", "delete", "void"),
    ),
    "due for Stripe": (
        due_for_stripe,
        ("scheduled step", "push", "hold back", "another due date", "generate again", "delete", "mark paid"),
    ),
    "due for e-mail": (due_for_email, ("scheduled step", "hold back", "generate again", "delete", "void", "payment")),
    "sent by Stripe": (
        sent_by_stripe,
        ("send", "hold back", "mark paid", "part payment", "void", "give up", "reminds", "Stripe says paid",
         "Stripe says void"),
    ),
    "declined at Stripe": (
        declined_at_stripe,
        ("scheduled step", "push", "charge", "hold back", "mark paid", "void", "give up", "Stripe says paid",
         "Stripe says declined"),
    ),
    "paid at Stripe": (paid_at_stripe, ("refund 4000", "refund 7000", "scheduled step", "payment", "void")),
    "charged by us": (charged_by_us, ("scheduled step", "push", "hold back", "mark paid", "void", "give up")),
}  # fmt: skip
# Where Stripe has tried more often than we knew when we asked, it is not asked to charge: that try may have been ours.
APART = [frozenset({"scheduled step", "Stripe says declined"})]
# Stripe takes the payment at the moment somebody here gives the invoice up. Both are told, and Stripe's word is the
# last (``MIRRORED``): the invoice is paid.
PAID_AFTER_ALL = {
    "declined at Stripe": [frozenset({"scheduled step", "void"}), frozenset({"scheduled step", "give up"})],
}
MET = {
    name: Meeting(make, {verb: V[verb] for verb in verbs}, [*APART, *PAID_AFTER_ALL.get(name, ())])
    for name, (make, verbs) in MEETINGS.items()
}


@pytest.mark.parametrize(("scene", "first"), [(scene, first) for scene, one in MET.items() for first in one.verbs])
def test_every_two_at_once(scene: str, first: str, fighters: Fighters) -> None:
    found = list(MET[scene].problems(first, fighters))
    assert not found, "\n".join([f"{len(found)} problems", *found])
