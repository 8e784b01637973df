"""What can this customer be charged with? Payment methods as last seen in Stripe, refreshed by its webhooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from customers.actors import Actor
from customers.events.models import EventKind, SubjectKind
from customers.events.record import Fact, record
from payments.stripe import mapping
from payments.stripe.client import client_for
from payments.stripe.models import StripeCustomer, StripePaymentMethod

JSON = dict[str, Any]


def refresh(counterpart: StripeCustomer, *, actor: Actor, real_now: datetime) -> bool:
    """Ask Stripe for the customer's methods and keep them. True when something has changed."""
    client = client_for(counterpart.connection)
    customer = client.retrieve_customer(counterpart.external_id)
    if customer.get("deleted"):
        return mark_deleted(counterpart, actor=actor, real_now=real_now)
    found = client.list_payment_methods(counterpart.external_id)
    return _keep(counterpart, found, default_of(customer), actor=actor, real_now=real_now)


def make_default(counterpart: StripeCustomer, method: str, *, key: str) -> None:
    """Let Stripe charge this method from now on."""
    changes = {"invoice_settings": {"default_payment_method": method}}
    client_for(counterpart.connection).update_customer(counterpart.external_id, changes, key=key)


def mark_deleted(counterpart: StripeCustomer, *, actor: Actor, real_now: datetime) -> bool:
    """The customer was deleted in Stripe, which cannot be undone there."""
    gone = {
        "state": StripeCustomer.State.DELETED,
        "last_error": f"The customer {counterpart.external_id} was deleted in Stripe.",
    }
    with transaction.atomic():
        linked = StripeCustomer.objects.filter(pk=counterpart.pk, state=StripeCustomer.State.LINKED)
        if not linked.update(**gone):
            return False
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
        locked = StripeCustomer.objects.select_for_update(of=("self",)).select_related("vendor", "customer")
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
    fact = Fact(
        EventKind.PAYMENT_METHOD_UPDATED,
        SubjectKind.CUSTOMER,
        row.customer_id,
        customer_id=row.customer_id,
        payload={"customer_name": row.customer.name, "payment_provider": "STRIPE"},
    )
    record(row.vendor, fact, actor=actor, now=row.vendor.now(real_now), real_now=real_now)
