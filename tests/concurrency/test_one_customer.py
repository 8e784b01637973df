"""Whatever is done at once to one customer, what hangs on it and what is billed to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from billing_portal.lists.models import Import, ImportRow
from billing_portal.lists.running import step
from customers import directory
from customers.directory import Rule
from customers.erasing import erase_customer
from customers.models import Customer
from customers.settings.verbs import save_override
from invoicing.catalog.models import PricePlan
from invoicing.invoices.charges import ChargeDraft, add_charge, remove_charge
from invoicing.invoices.lifecycle import delete
from invoicing.invoices.one_off import OneOff, OneOffLine, create_one_off
from invoicing.invoices.regeneration import regenerate
from invoicing.models import AddOn, AdhocCharge, BillingCycle, Coupon, Measurement, UnattributedMeasurement
from invoicing.subscriptions import changes
from invoicing.subscriptions.add_ons import AddOnOrder
from invoicing.subscriptions.verbs import change_plan, end_subscription, running_or_next, subscribe
from invoicing.usage.intake import take_in
from payments.stripe import customers as counterparts
from payments.stripe import linking
from payments.stripe.models import StripeConnection, StripeCustomer
from tests.concurrency.duel import Fighters, pass_by
from tests.concurrency.pairs import Meeting, Verb
from tests.concurrency.scene import BEGIN, BY, END, NOW, OLIVIA, Scene
from tests.factories import MeterFactory

pytestmark = pytest.mark.django_db(transaction=True)

MINE: dict[str, Any] = {"actor": OLIVIA, "real_now": NOW}


class Answers:
    """Stripe, as far as a customer's counterpart is concerned."""

    def create_customer(self, params: Any, *, key: str) -> dict[str, Any]:
        pass_by("call")
        pass_by("answer")
        return {"id": f"cus_{key}"[:60]}

    def retrieve_customer(self, customer: str, **options: Any) -> dict[str, Any]:
        pass_by("answer")
        return {"id": customer}


@contextmanager
def stripe_answers() -> Iterator[None]:
    found = SimpleNamespace(client_for=lambda connection: Answers())
    with (
        mock.patch("payments.stripe.customers.client_for", found.client_for),
        mock.patch("payments.stripe.linking.client_for", found.client_for),
        mock.patch("payments.stripe.methods.refresh"),
    ):
        yield


def one_time(customer: Customer) -> OneOff:
    return OneOff((OneOffLine("Setup", Decimal(2500)),))


def of_customer(act: Callable[..., object], *given: Any, **more: Any) -> Verb:
    return lambda scene: act(scene.again(), *given, **more, **BY)


def _take_in(scene: Scene) -> None:
    item = {"event_name": "calls", "customer_name": "acme", "time": BEGIN.isoformat(), "value": 5, "id": "m1"}
    take_in(scene.vendor, [item], now=NOW, real_now=NOW)


def _import(scene: Scene) -> None:
    made = Import.objects.of(scene.vendor).get()
    for _ in range(5):
        if not step(made, real_now=NOW):
            return


def _add_on(scene: Scene) -> None:
    subscription = running_or_next(scene.again(), NOW)
    changes.change_add_ons(subscription, [AddOnOrder("seat", Decimal(2))], **BY)


def _coupon(scene: Scene) -> None:
    changes.use_coupon(running_or_next(scene.again(), NOW), Coupon.objects.of(scene.vendor).get(), **BY)


def _remove_charge(scene: Scene) -> None:
    charge = AdhocCharge.objects.of(scene.vendor).select_related("customer", "vendor").order_by("pk").first()
    if charge is not None:
        remove_charge(charge, **BY)


def _charge(scene: Scene) -> None:
    draft = ChargeDraft(END - timedelta(days=1), "training", Decimal(1), 7000)
    add_charge(scene.again(), draft, **BY)


V: Mapping[str, Verb] = {
    "own settings": of_customer(save_override, {"payment_grace_period_length": 3, "invoice_grace_period_length": 1}),
    "rename": of_customer(directory.update_customer, {"name": "acme-2"}, mappings=[Rule("account", "acme.*")]),
    "delete": of_customer(directory.delete_customer),
    "erase": of_customer(erase_customer),
    "subscribe": lambda scene: subscribe(scene.again(), PricePlan.objects.of(scene.vendor).get(name="second"), **BY),
    "change plan": lambda scene: change_plan(
        scene.again(), PricePlan.objects.of(scene.vendor).get(name="second"), **BY
    ),
    "end subscription": of_customer(end_subscription),
    "add a charge": _charge,
    "remove a charge": _remove_charge,
    "coupon": _coupon,
    "add-on": _add_on,
    "tick": Scene.tick,
    "measurement": _take_in,
    "import": _import,
    "one-off": lambda scene: create_one_off(scene.again(), one_time(scene.customer), **BY),
    "counterpart": lambda scene: counterparts.generate(scene.again(), **MINE),
    "link": lambda scene: linking.link(scene.again(), f"cus_of_{scene.customer.pk}", **MINE),
    "delete its invoice": lambda scene: delete(scene.current(), **BY),
    "generate again": lambda scene: regenerate(scene.current(), **BY),
}


class CustomerScene(Scene):
    """Its steps ask Stripe for counterparts, too."""

    def facts(self) -> dict[str, Any]:
        customers = Customer.objects.of(self.vendor).order_by("pk")
        own = StripeCustomer.objects.of(self.vendor)
        return {
            "customers": [
                (one.name == "acme", bool(one.erased_at), one.phone, one.tax_exempt, one.currency,
                 one.measurement_mappings.count(), one.metadata.count(), hasattr(one, "billing_override"))
                for one in customers
            ],
            "counterparts": sorted(own.values_list("state", flat=True)),
            "measured": Measurement.objects.of(self.vendor).count(),
            "waiting": UnattributedMeasurement.objects.of(self.vendor).count(),
            "subscriptions": sorted(
                (one.price_plan.name, one.expired_at is None, one.effective_at == BEGIN)
                for one in self.customer.subscriptions.select_related("price_plan")
            ),
            "charges": AdhocCharge.objects.of(self.vendor).count(),
            "rows": list(ImportRow.objects.filter(of__vendor=self.vendor).values_list("outcome", flat=True)),
        }  # fmt: skip


def _base(**values: Any) -> CustomerScene:
    scene = CustomerScene(**values)
    StripeConnection.objects.create(vendor=scene.vendor, account_id=f"acct_{scene.vendor.pk}", connected_at=NOW)
    MeterFactory(vendor=scene.vendor, name="calls", event_name="calls")
    UnattributedMeasurement.objects.create(
        vendor=scene.vendor, reason="customer", event_name="calls", customer_name="", labels={"account": "acme"},
        time=BEGIN, value=3, external_id="m1", received_at=NOW,
    )  # fmt: skip
    scene.plan(name="second", base_price=5000)
    made = Import.objects.create(
        vendor=scene.vendor, kind="customers", state="applying", file_name="a.csv", actor_kind="operator",
        actor_label="olivia", created_at=NOW, total=1,
    )  # fmt: skip
    ImportRow.objects.create(of=made, line=2, fate="update", name="acme", given={"name": "acme", "phone": "456"})
    return scene


def bare() -> CustomerScene:
    """A customer that nothing is billed to."""
    return _base()


def subscribed() -> CustomerScene:
    """Its second billing cycle runs, and the first one's invoice is due to be generated."""
    scene = _base(should_send_invoice_to_customers=False, payment_grace_period_length=2)
    plan = scene.plan(name="first")
    price = {"price": "100", "cap": None, "description": ""}
    AddOn.objects.create(price_plan=plan, position=0, name="seat", prices=[price], quantity_enabled=True)
    subscription = scene.subscription(plan)
    scene.cycle(subscription=subscription, next_action="generate", next_action_at=NOW)
    BillingCycle.objects.create(
        vendor=scene.vendor, customer=scene.customer, subscription=subscription, index=1, start=END,
        end=END + timedelta(days=31), next_action="end", next_action_at=END + timedelta(days=31),
    )  # fmt: skip
    AdhocCharge.objects.create(
        vendor=scene.vendor, customer=scene.customer, charge_time=BEGIN + timedelta(days=3), item_name="setup",
        quantity=1, total_price=1500, created_at=BEGIN,
    )  # fmt: skip
    Coupon.objects.create(
        vendor=scene.vendor, name="ten", frequency="ONCE", discount_type="PERCENT", amount=10, max_uses=1,
        created_at=BEGIN,
    )  # fmt: skip
    return scene


MEETINGS: Mapping[str, tuple[Callable[[], CustomerScene], tuple[str, ...]]] = {
    "bare": (
        bare,
        ("own settings", "rename", "delete", "erase", "subscribe", "measurement", "import", "one-off",
         "counterpart", "link"),
    ),
    "subscribed": (
        subscribed,
        ("own settings", "change plan", "end subscription", "add a charge", "remove a charge", "coupon",
         "add-on", "tick", "measurement"),
    ),
}  # fmt: skip
# The row of the file that was refused says so.
APART = [frozenset({"delete", "import"})]
MET = {name: Meeting(make, {verb: V[verb] for verb in verbs}, APART) for name, (make, verbs) in MEETINGS.items()}


@pytest.mark.parametrize(("scene", "first"), [(scene, first) for scene, one in MET.items() for first in one.verbs])
def test_every_two_at_once(scene: str, first: str, fighters: Fighters) -> None:
    with stripe_answers():
        found = list(MET[scene].problems(first, fighters))
    assert not found, "\n".join([f"{len(found)} problems", *found])
