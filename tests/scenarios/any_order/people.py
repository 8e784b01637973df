"""The customers of a draw, here and in Stripe, made in bulk: how they came is not what is tested."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.utils import timezone

from customers.models import Customer
from invoicing.models import Measurement
from payments.models import StripeConnection, StripeCustomer, StripePaymentMethod
from payments.sandbox.models import StoredObject
from payments.sandbox.scope import Scope
from payments.sandbox.shapes import parties
from payments.sandbox.store import build, insert_many
from payments.stripe import mapping
from tests.factories import CustomerFactory
from tests.scenarios.any_order.cases import CARDS, DrawnCustomer
from tests.world import World

EXPIRED = {"exp_year": 2025, "exp_month": 1}


def settle_in(world: World, connection: StripeConnection, drawn: Sequence[DrawnCustomer], *, begin: datetime) -> None:
    people = Customer.objects.bulk_create(
        CustomerFactory.build(
            vendor=world.vendor, name=f"customer-{n}", email=f"customer-{n}@example.com" if one.has_email else ""
        )
        for n, one in enumerate(drawn)
    )
    for customer, one in zip(people, drawn, strict=True):
        if one.override:
            world.override(customer, **one.override)
    _counterparts(connection, [(c, one) for c, one in zip(people, drawn, strict=True) if one.is_linked])
    _usage(world, people, drawn, begin)


def _counterparts(connection: StripeConnection, linked: Sequence[tuple[Customer, DrawnCustomer]]) -> None:
    now = timezone.now()
    scope = Scope(connection.account_id, False, now, now)
    there = insert_many(_stripe_customer(scope, customer) for customer, _ in linked)
    rows = StripeCustomer.objects.bulk_create(
        StripeCustomer(
            vendor=customer.vendor,
            customer=customer,
            connection=connection,
            external_id=row.stripe_id,
            state=StripeCustomer.State.LINKED,
            linked_at=now,
            methods_as_of=now,
        )
        for (customer, _), row in zip(linked, there, strict=True)
    )
    cards = [one.card for _, one in linked]
    _cards(scope, [(here, row, card) for here, row, card in zip(rows, there, cards, strict=True) if card])


def _stripe_customer(scope: Scope, customer: Customer) -> StoredObject:
    blank = parties.customer(scope.timestamp, False, f"{customer.pk:08X}")
    return build(scope, {**blank, "name": customer.display_name, "email": customer.email or None})


def _cards(scope: Scope, held: Iterable[tuple[StripeCustomer, StoredObject, str]]) -> None:
    """Each is its customer's default, in Stripe and as we last saw it."""
    made, known = [], []
    for here, there, card in held:
        row = _card(scope, there.stripe_id, card)
        settings = {**there.data["invoice_settings"], "default_payment_method": row.stripe_id}
        there.data = {**there.data, "invoice_settings": settings}
        fields = mapping.method_fields(row.data)
        known.append(
            StripePaymentMethod(
                stripe_customer=here, external_id=row.stripe_id, is_default=True, attached_at=scope.now, **fields
            )
        )
        made += [row, there]
    insert_many(made[::2])
    StoredObject.objects.bulk_update(made[1::2], ["data"])
    StripePaymentMethod.objects.bulk_create(known)


def _card(scope: Scope, customer: str, card: str) -> StoredObject:
    """One that is refused today was fine when it was saved."""
    last4 = {"declined": "0341", "3DS": "3184", "lost": "9987"}.get(CARDS[card], "4242")
    shape = parties.card("visa", last4, 12, scope.now.year + 1, f"fingerprint-{last4}")
    if card == "expired":
        shape |= EXPIRED
    data = {**parties.payment_method(scope.timestamp, False, shape), "customer": customer}
    return build(scope, data, hidden={"test_id": "pm_card_visa" if card == "expired" else card})


def _usage(world: World, people: Sequence[Customer], drawn: Sequence[DrawnCustomer], begin: datetime) -> None:
    meter, used = world.meter(), []
    for number, (customer, one) in enumerate(zip(people, drawn, strict=True)):
        components = [(meter, "Calls", one.unit_price)] if one.usage else []
        plan = world.plan(*components, base_price=one.base_price, name=f"plan-{number}")
        world.subscribe(customer, plan, effective_at=begin)
        for day, amount in enumerate(one.usage, start=1):
            at = begin + timedelta(days=day)
            used.append(
                Measurement(vendor=world.vendor, customer=customer, meter=meter, value=amount, time=at, received_at=at)
            )
    Measurement.objects.bulk_create(used)
