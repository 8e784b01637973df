"""Entering the demonstration's catalog and customers. Whatever is there already is left as it is, so that a
demonstration which was cut short can be taken up again."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.utils import timezone

from billing_portal.demo.cast import Person
from billing_portal.demo.company import METERS, PLANS, SETTINGS
from billing_portal.demo.months import Months
from billing_portal.demo.usage import measurements
from customers.actors import Actor
from customers.customer import Customer
from customers.directory import NewCustomer, Rule, create_customer
from customers.settings.verbs import save_override, save_vendor_settings
from customers.vendor import Vendor
from invoicing.catalog.models import Meter, PricePlan
from invoicing.catalog.verbs import create_meter, create_price_plan, find_plan
from invoicing.subscriptions.models import Subscription
from invoicing.subscriptions.verbs import subscribe
from invoicing.usage.intake import take_in
from payments.stripe import customers as stripe_customers
from payments.stripe import methods
from payments.stripe.client import client_for


def enter_catalog(vendor: Vendor, actor: Actor) -> None:
    """Meters, plans and the billing settings."""
    real_now = timezone.now()
    now = vendor.now(real_now)
    for meter in METERS:
        if not Meter.objects.of(vendor).filter(name=meter["name"]).exists():
            create_meter(vendor, meter, now=now, real_now=real_now)
    for plan in PLANS:
        if not PricePlan.objects.of(vendor).filter(name=plan["name"]).exists():
            create_price_plan(vendor, plan, now=now)
    save_vendor_settings(vendor, SETTINGS, actor=actor, now=now, real_now=real_now)


def enter(vendor: Vendor, person: Person, months: Months, actor: Actor) -> Customer:
    """The customer with its override, its Stripe counterpart, its card and its subscription."""
    real_now = timezone.now()
    now = vendor.now(real_now)
    customer = Customer.objects.of(vendor).filter(name=person.name).first()
    if customer is None:
        customer = create_customer(vendor, _new(person), actor=actor, now=now, real_now=real_now)
    customer.vendor = vendor
    if person.override:
        save_override(customer, person.override, actor=actor, now=now, real_now=real_now)
    if stripe_customers.credential(customer) is None:
        stripe_customers.generate(customer, actor=actor, real_now=real_now)
    if person.card:
        save_card(customer, person.card)
    if not Subscription.objects.filter(customer=customer).exists():
        subscribe(
            customer,
            find_plan(vendor, person.plan),
            effective_at=billed_from(person, months),
            align_to_calendar=person.cycle_ended is None,
            actor=actor,
            now=now,
            real_now=real_now,
        )
    return customer


def _new(person: Person) -> NewCustomer:
    return NewCustomer(
        name=person.name,
        display_name=person.display_name,
        contact=person.contact,
        tags=person.tags,
        mappings=[Rule("account_id", person.account_id)],
        metadata={"crm_account": person.account_id.upper()},
    )


def billed_from(person: Person, months: Months) -> datetime:
    """When its subscription begins."""
    if person.cycle_ended is not None:
        # Two months to spare: its own may begin up to two calendar months earlier than their number says.
        return months.ended(person.cycle_ended, min(person.cycles or months.running, months.running - 2))
    return months.start(0 if person.cycles is None else max(months.running - person.cycles, 0))


def save_card(customer: Customer, card: str) -> None:
    """What the customer does on a page of Stripe: saves a card and has it charged from now on."""
    counterpart = stripe_customers.credential(customer)
    assert counterpart is not None  # noqa: S101 - generated above
    key = f"demo-{counterpart.external_id}-{card}"
    client = client_for(counterpart.connection)
    method = client.attach_payment_method(card, {"customer": counterpart.external_id}, key=f"{key}-attach")
    methods.make_default(counterpart, method["id"], key=f"{key}-default")


def enter_usage(vendor: Vendor, people: Iterable[Person], months: Months, number: int) -> None:
    """Their measurements of that month, before its days pass."""
    start, end = months.start(number), min(months.start(number + 1), months.until)
    taken = [each for person in people for each in measurements(person, billed_from(person, months), start, end)]
    real_now = timezone.now()
    take_in(vendor, taken, now=vendor.now(real_now), real_now=real_now)
