"""Settings are saved, accounts connected and clocks moved while the schedule acts by them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from customers import clock
from customers.settings.verbs import save_vendor_settings
from invoicing.invoices import lifecycle, pausing
from invoicing.invoices.numbering import start_at
from invoicing.invoices.waiting import go_on
from invoicing.models import BillingCycle
from payments.stripe import connect, standing
from payments.stripe.models import StripeConnection
from tests.concurrency.duel import Fighters
from tests.concurrency.pairs import Meeting, Verb
from tests.concurrency.scene import BY, END, NOW, OLIVIA, REASON, Scene
from tests.concurrency.test_one_customer import V as OF_CUSTOMER

pytestmark = pytest.mark.django_db(transaction=True)


def saving(**values: Any) -> Verb:
    return lambda scene: save_vendor_settings(scene.vendor, values, **BY)


def _connect(scene: Scene) -> None:
    connect.attach(scene.vendor, f"acct_{scene.vendor.pk}", livemode=False, real_now=NOW, actor=OLIVIA)


def _disconnect(scene: Scene) -> None:
    for connection in StripeConnection.objects.of(scene.vendor):
        standing.ended(connection, real_now=NOW, actor=OLIVIA)


def _move_clock(scene: Scene) -> None:
    clock.move_forward(scene.vendor, NOW + timedelta(days=1), actor=OLIVIA, real_now=NOW)


V: Mapping[str, Verb] = {
    "graces": saving(payment_grace_period_length=4, invoice_grace_period_length=0),
    "delivery off": saving(should_send_invoice_to_customers=False),
    "own settings": OF_CUSTOMER["own settings"],
    "next number": lambda scene: start_at(scene.vendor, 500, **BY),
    "tick": Scene.tick,
    "approve": lambda scene: lifecycle.approve(scene.current(), **BY),
    "hold back": lambda scene: pausing.pause(scene.current(), **REASON, **BY),
    "void": lambda scene: lifecycle.void(scene.current(), **REASON, **BY),
    "one-off": OF_CUSTOMER["one-off"],
    "generate again": OF_CUSTOMER["generate again"],
    "delete its invoice": OF_CUSTOMER["delete its invoice"],
    "connect": _connect,
    "disconnect": _disconnect,
    "what waited goes on": lambda scene: go_on(scene.vendor, real_now=NOW),
    "move the clock": _move_clock,
}
SAVING = ("graces", "delivery off", "own settings")


def planned() -> Scene:
    """An invoice waits for its approval, another bill is due to be generated, and a cycle is due to end."""
    scene = Scene(should_send_invoice_to_customers=True, invoice_via_octane=False, charges_enabled=False,
                  auto_approve_invoices=False, payment_grace_period_length=2)  # fmt: skip
    scene.invoice(
        next_action="approve", next_action_at=None, is_approved=False, generated_at=END,
        issue_date=END + timedelta(days=2),
    )  # fmt: skip
    subscription = BillingCycle.objects.of(scene.vendor).get().subscription
    BillingCycle.objects.create(
        vendor=scene.vendor, customer=scene.customer, subscription=subscription, index=1, start=END,
        end=NOW, next_action="end", next_action_at=NOW,
    )  # fmt: skip
    return scene


def waiting_for_stripe() -> Scene:
    """An approved invoice was put aside because no account acts."""
    scene = Scene(should_send_invoice_to_customers=True, invoice_via_octane=False, charges_enabled=True)
    type(scene.vendor).objects.filter(pk=scene.vendor.pk).update(is_test=True)
    scene.vendor.refresh_from_db()
    scene.invoice(next_action="issue", next_action_at=None, issue_date=END)
    return scene


MEETINGS = {
    "planned": (planned, (*SAVING, "next number", "tick", "approve", "void", "one-off", "generate again")),
    "waiting for Stripe": (
        waiting_for_stripe,
        ("graces", "connect", "disconnect", "what waited goes on", "tick", "void", "hold back", "delete its invoice",
         "move the clock"),
    ),
}  # fmt: skip
MET = {name: Meeting(make, {verb: V[verb] for verb in verbs}) for name, (make, verbs) in MEETINGS.items()}


@pytest.mark.parametrize(("scene", "first"), [(scene, first) for scene, one in MET.items() for first in one.verbs])
def test_every_two_at_once(scene: str, first: str, fighters: Fighters) -> None:
    found = list(MET[scene].problems(first, fighters))
    assert not found, "\n".join([f"{len(found)} problems", *found])
