"""What can this customer be charged with? Payment methods as last seen in Stripe, refreshed by its webhooks,
and what people do with them here: choose the default, remove one."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.db import transaction
from django.db.models import F

from customers.actors import Actor
from customers.customer import Customer
from customers.errors import Missing
from customers.events.models import EventKind, SubjectKind
from customers.events.record import Fact, record
from invoicing.gateways import GatewayRejected
from payments.stripe import mapping
from payments.stripe.client import AccountClient, client_for
from payments.stripe.connect import connection_of
from payments.stripe.models import StripeCustomer, StripePaymentMethod
from payments.stripe.refusals import in_words

logger = logging.getLogger(__name__)

JSON = dict[str, Any]
# Of the methods found and the default's id, the id that should be the default, and the key to make it so.
Choice = Callable[[Sequence[JSON], str], tuple[str, str] | None]

GONE = "The customer {} was deleted in Stripe. Generate a new one, or link another."


class PaymentMethodStatus(StrEnum):
    NO_PAYMENT_GATEWAY_CREDENTIAL = "NO_PAYMENT_GATEWAY_CREDENTIAL"
    NO_PAYMENT_METHOD = "NO_PAYMENT_METHOD"
    EXPIRED_PAYMENT_METHOD = "EXPIRED_PAYMENT_METHOD"
    VALID_PAYMENT_METHOD = "VALID_PAYMENT_METHOD"


# Reading


def credential(customer: Customer) -> StripeCustomer | None:
    """The counterpart under the account that acts now, whatever its state. Makes no call."""
    connection = connection_of(customer.vendor)
    if connection is None:
        return None
    rows = StripeCustomer.objects.filter(customer=customer, connection=connection)
    return rows.select_related("connection", "customer__vendor").first()


def payment_method_status(customer: Customer, *, real_now: datetime) -> PaymentMethodStatus:
    """From what was last seen in Stripe. Makes no call."""
    counterpart = credential(customer)
    if counterpart is None or counterpart.state != StripeCustomer.State.LINKED:
        return PaymentMethodStatus.NO_PAYMENT_GATEWAY_CREDENTIAL
    kept = list(counterpart.payment_methods.all())
    if not kept:
        return PaymentMethodStatus.NO_PAYMENT_METHOD
    today = customer.vendor.today(real_now)
    if all(method.is_expired(today) for method in kept):
        return PaymentMethodStatus.EXPIRED_PAYMENT_METHOD
    return PaymentMethodStatus.VALID_PAYMENT_METHOD


def in_order(counterpart: StripeCustomer) -> list[StripePaymentMethod]:
    """The default first, then the newest."""
    return sorted(counterpart.payment_methods.all(), key=lambda m: (not m.is_default, -m.attached_at.timestamp()))


# What people do


def choose_default(counterpart: StripeCustomer, method: str, *, actor: Actor, real_now: datetime) -> None:
    """Let Stripe charge this method from now on. Raises ``Missing``, ``Conflict``, ``Busy``."""
    _require(counterpart, method)
    with in_words():
        try:
            make_default(counterpart, method, key=f"default-{counterpart.pk}-{uuid.uuid4().hex}")
        except GatewayRejected as error:
            look_after(error, counterpart, actor=actor, real_now=real_now)
            raise
        refresh(counterpart, actor=actor, real_now=real_now)
    counterpart.payment_methods.update(had_its_turn=True)


def remove(counterpart: StripeCustomer, method: str, *, actor: Actor, real_now: datetime) -> None:
    """Detach it: nothing can be charged to it again. Raises ``Missing``, ``Conflict``, ``Busy``."""
    _require(counterpart, method)
    with in_words():
        try:
            _detach(counterpart, method)
        except GatewayRejected:
            # It may be gone already, which is what was wanted.
            refresh(counterpart, actor=actor, real_now=real_now)
            if counterpart.payment_methods.filter(external_id=method).exists():
                raise
        else:
            refresh(counterpart, actor=actor, real_now=real_now)


def make_default(counterpart: StripeCustomer, method: str, *, key: str) -> None:
    """A payment method wins over a source, so it has to step back where a source is chosen."""
    settings, changes = {"default_payment_method": method}, {}
    if mapping.is_source(method):
        settings, changes = {"default_payment_method": ""}, {"default_source": method}
    wanted = {**changes, "invoice_settings": settings}
    client_for(counterpart.connection).update_customer(counterpart.external_id, wanted, key=key)


def _require(counterpart: StripeCustomer, method: str) -> None:
    if not counterpart.payment_methods.filter(external_id=method).exists():
        raise Missing(f"{counterpart.customer} has no payment method {method!r}.")


def _detach(counterpart: StripeCustomer, method: str) -> None:
    client = client_for(counterpart.connection)
    if mapping.is_source(method):
        client.delete_source(counterpart.external_id, method)
    else:
        client.detach_payment_method(method, key=f"detach-{counterpart.pk}-{method}")


# Keeping in line with Stripe


def refresh(counterpart: StripeCustomer, *, actor: Actor, real_now: datetime, choice: Choice | None = None) -> bool:
    """Ask Stripe for the customer's methods and keep them. True when something has changed.

    ``choice`` may name another default, judged by what is there now and not by what some event told.
    """
    client = client_for(counterpart.connection)
    customer = _present(client, counterpart.external_id)
    if customer.get("deleted"):
        return mark_deleted(counterpart, actor=actor, real_now=real_now)
    found = [*client.list_payment_methods(counterpart.external_id), *_sources(customer)]
    found = list({method["id"]: method for method in reversed(found)}.values())[::-1]
    if choice and (chosen := choice(found, default_of(customer))) and chosen[0] != default_of(customer):
        customer = _prefer(counterpart, *chosen)
    return _keep(counterpart, found, default_of(customer), actor=actor, real_now=real_now)


def _present(client: AccountClient, external_id: str) -> JSON:
    """What Stripe does not know any more is as good as deleted."""
    try:
        return client.retrieve_customer(external_id, expand=["sources"])
    except GatewayRejected as error:
        if error.code != "resource_missing":
            raise
        return {"id": external_id, "deleted": True}


def _sources(customer: Mapping[str, Any]) -> list[JSON]:
    """Cards and bank accounts saved in the way Stripe had before payment methods."""
    return [mapping.source_as_method(source) for source in (customer.get("sources") or {}).get("data") or []]


def _prefer(counterpart: StripeCustomer, method: str, key: str) -> JSON:
    """The customer as it is afterwards: a key that was used before changes nothing a second time."""
    try:
        make_default(counterpart, method, key=key)
    except GatewayRejected as error:
        logger.warning("%s did not become the default of %s: %s", method, counterpart, error.message)
    return client_for(counterpart.connection).retrieve_customer(counterpart.external_id)


def look_after(error: GatewayRejected, counterpart: StripeCustomer, *, actor: Actor, real_now: datetime) -> None:
    """A call was refused. Was it because the customer, or one of its methods, is not there any more?"""
    if error.code not in ("resource_missing", "customer_deleted"):
        return
    refresh(counterpart, actor=actor, real_now=real_now)
    if not StripeCustomer.objects.filter(pk=counterpart.pk, state=StripeCustomer.State.LINKED).exists():
        raise GatewayRejected(GONE.format(counterpart.external_id), code="customer_deleted") from error


def mark_deleted(counterpart: StripeCustomer, *, actor: Actor, real_now: datetime) -> bool:
    """The customer was deleted in Stripe, which cannot be undone there."""
    gone = {
        "state": StripeCustomer.State.DELETED,
        "last_error": GONE.format(counterpart.external_id),
        "sync_settled": F("sync_wanted"),
        "sync_error": "",
    }
    with transaction.atomic():
        linked = StripeCustomer.objects.filter(pk=counterpart.pk, state=StripeCustomer.State.LINKED)
        if not linked.update(**gone):
            return False
        tell(counterpart, EventKind.GATEWAY_CUSTOMER_DELETED, {"stripe_customer": counterpart.external_id},
             actor=actor, real_now=real_now)  # fmt: skip
        _keep(counterpart, [], "", actor=actor, real_now=real_now)
    return True


def default_of(customer: Mapping[str, Any]) -> str:
    """What Stripe charges by itself, in its order of precedence."""
    chosen = (customer.get("invoice_settings") or {}).get("default_payment_method") or customer.get("default_source")
    return str(chosen["id"] if isinstance(chosen, Mapping) else chosen or "")


def _keep(
    counterpart: StripeCustomer, found: Sequence[JSON], default: str, *, actor: Actor, real_now: datetime
) -> bool:
    with transaction.atomic():
        locked = StripeCustomer.objects.select_for_update(of=("self",)).select_related("customer__vendor")
        row = locked.get(pk=counterpart.pk)
        if row.methods_as_of is not None and row.methods_as_of > real_now:
            return False  # somebody asked later than we did and has written already
        row.methods_as_of = real_now
        row.save(update_fields=["methods_as_of"])
        if not _replace(row, found, default, real_now):
            return False
        _tell(row, actor=actor, real_now=real_now)
    return True


def _replace(row: StripeCustomer, found: Sequence[JSON], default: str, real_now: datetime) -> bool:
    """Bring the rows in line with what was found. True when they were not."""
    kept = {method.external_id: method for method in row.payment_methods.all()}
    wanted = {m["id"]: {**mapping.method_fields(m), "is_default": m["id"] == default} for m in found}
    changed = {pk for pk, fields in wanted.items() if pk not in kept or _differs(kept[pk], fields)}
    gone = kept.keys() - wanted.keys()
    if not changed and not gone:
        return False
    # Removed first, so that at no moment two of them are the default.
    row.payment_methods.filter(external_id__in=gone | changed).delete()
    StripePaymentMethod.objects.bulk_create(
        StripePaymentMethod(
            stripe_customer=row,
            external_id=pk,
            attached_at=kept[pk].attached_at if pk in kept else _attached_at(method, real_now),
            had_its_turn=pk in kept and kept[pk].had_its_turn,
            **wanted[pk],
        )
        for method in found
        if (pk := method["id"]) in changed
    )
    return True


def _differs(kept: StripePaymentMethod, fields: Mapping[str, Any]) -> bool:
    return any(getattr(kept, name) != value for name, value in fields.items())


def _attached_at(method: JSON, real_now: datetime) -> datetime:
    return mapping.moment(method.get("created")) or real_now


def _tell(row: StripeCustomer, *, actor: Actor, real_now: datetime) -> None:
    payload = {"payment_provider": "STRIPE"}
    tell(row, EventKind.PAYMENT_METHOD_UPDATED, actor=actor, real_now=real_now, payload=payload)


def tell(
    row: StripeCustomer,
    kind: EventKind,
    details: Mapping[str, Any] | None = None,
    *,
    actor: Actor,
    real_now: datetime,
    payload: Mapping[str, Any] | None = None,
) -> None:
    """An event on the timeline of the customer whose counterpart ``row`` is."""
    vendor, customer = row.customer.vendor, row.customer
    fact = Fact(
        kind,
        SubjectKind.CUSTOMER,
        customer.pk,
        customer_id=customer.pk,
        payload={"customer_name": customer.name, **(payload or {})},
        details=details or {},
    )
    record(vendor, fact, actor=actor, now=vendor.now(real_now), real_now=real_now)
