"""A customer's counterpart in Stripe, generated here.

Generating follows claim, commit, call, record: the row with its idempotency key and the exact request
is committed before Stripe is called, so that a lost answer is asked for again in the same words.
"""

from __future__ import annotations

import logging
import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from customers.actors import SCHEDULE, Actor
from customers.claims import claim, unclaimed
from customers.customer import Customer
from customers.directory import lock_customer
from customers.errors import Busy, Conflict, Missing
from customers.events.models import EventKind
from invoicing.gateways import GatewayError, GatewayRejected, GatewayUnavailable
from payments.stripe.client import JSON, KEYS_LAST, client_for
from payments.stripe.connect import required_connection
from payments.stripe.customer_fields import request_for
from payments.stripe.methods import credential, tell
from payments.stripe.models import StripeConnection, StripeCustomer

__all__ = ["credential", "generate", "pause", "record_link", "retry_pending"]

logger = logging.getLogger(__name__)

State = StripeCustomer.State

FIRST_PAUSE = timedelta(seconds=10)


# Generating


def generate(customer: Customer, *, actor: Actor, real_now: datetime) -> StripeCustomer:
    """Make the customer's counterpart in Stripe.

    The answer's ``state`` says how it went: linked; pending when Stripe is out of reach (the schedule
    makes it later); failed with Stripe's reason. Raises ``Conflict`` when no account is connected, when
    there is a counterpart already, or when it is being made at this moment. Not for use in a transaction.
    """
    connection = required_connection(customer.vendor)
    row = _claim_row(customer, connection, real_now)
    return _make(row, actor=actor, real_now=real_now)


def retry_pending(*, real_now: datetime, limit: int = 50) -> int:
    """Make the counterparts that Stripe was out of reach for. How many were tried."""
    waiting = StripeCustomer.objects.filter(
        state=State.PENDING, connection__disconnected_at__isnull=True, connection__is_active=True
    )
    _, ids = claim(waiting.order_by("pk"), real_now=real_now, lease=settings.CLAIM_LEASE, limit=limit)
    for row in StripeCustomer.objects.filter(pk__in=ids).select_related("connection", "customer__vendor"):
        try:
            _make(row, actor=SCHEDULE, real_now=real_now)
        except Exception:
            # Its lease runs out and it is tried again; the others must not wait for it.
            logger.exception("The Stripe customer of %s could not be made", row.customer_id)
    return len(ids)


def _claim_row(customer: Customer, connection: StripeConnection, real_now: datetime) -> StripeCustomer:
    """The row, committed, that says what is about to be asked of Stripe."""
    with transaction.atomic(durable=True):
        lock_customer(customer)
        row, _ = StripeCustomer.objects.select_for_update(of=("self",)).get_or_create(
            customer=customer,
            connection=connection,
            defaults={"vendor": customer.vendor, "state": State.FAILED},
        )
        if row.state == State.LINKED:
            raise Conflict(f"The customer is linked to {row.external_id} in Stripe already.")
        if row.state == State.PENDING and row.claim_token and not _is_free(row, real_now):
            raise Busy("The Stripe customer is being made at this moment. Look again in a minute.")
        if row.state != State.PENDING:
            _begin(row, customer, real_now)
        row.claim_token, row.claimed_until = uuid.uuid4(), real_now + settings.CLAIM_LEASE
        row.save()
    return row


def _is_free(row: StripeCustomer, real_now: datetime) -> bool:
    return StripeCustomer.objects.filter(unclaimed(real_now), pk=row.pk).exists()


def _begin(row: StripeCustomer, customer: Customer, real_now: datetime) -> None:
    row.state, row.external_id, row.attempts = State.PENDING, "", 0
    row.idempotency_key = f"customer-{customer.pk}-{uuid.uuid4().hex}"
    row.request, row.requested_at = request_for(customer), real_now


def _make(row: StripeCustomer, *, actor: Actor, real_now: datetime) -> StripeCustomer:
    try:
        made = _earlier(row, real_now) or _create(row)
    except GatewayUnavailable as error:
        return _keep_for_later(row, error, real_now)
    except GatewayRejected as error:
        return _record_failure(row, error, actor=actor, real_now=real_now)
    row.tax_id = next(iter(row.request.get("tax_id_data", [])), {})
    with transaction.atomic():
        _check_there(row, made["id"])
        return record_link(row, made["id"], actor=actor, real_now=real_now)


def _check_there(row: StripeCustomer, made: str) -> None:
    """Nothing is written about a customer that is gone, and a row that is gone does not come back."""
    if not StripeCustomer.objects.select_for_update().filter(pk=row.pk).exists():
        raise Missing(f"The customer was deleted while its Stripe customer was made: {made} is left over in Stripe.")


def _create(row: StripeCustomer) -> JSON:
    return client_for(row.connection).create_customer(row.request, key=row.idempotency_key)


def _earlier(row: StripeCustomer, real_now: datetime) -> JSON | None:
    """What a call whose answer was lost has made, looked for only when Stripe may have forgotten its key."""
    if row.requested_at is None or row.requested_at > real_now - KEYS_LAST:
        return None
    said: JSON = {name: row.request[name] for name in ("email",) if name in row.request}
    since = int(row.requested_at.timestamp()) - 60
    made = client_for(row.connection).list_customers({**said, "created": {"gte": since}})
    mark = row.request["metadata"]["portal_customer"]
    return next((one for one in made if (one.get("metadata") or {}).get("portal_customer") == mark), None)


def _keep_for_later(row: StripeCustomer, error: GatewayError, real_now: datetime) -> StripeCustomer:
    row.last_error, row.attempts = error.message, row.attempts + 1
    row.claim_token, row.claimed_until = None, real_now + pause(row.attempts)
    kept = ("last_error", "attempts", "claim_token", "claimed_until")
    StripeCustomer.objects.filter(pk=row.pk).update(**{name: getattr(row, name) for name in kept})
    return row


def _record_failure(row: StripeCustomer, error: GatewayError, *, actor: Actor, real_now: datetime) -> StripeCustomer:
    row.state, row.last_error, row.attempts = State.FAILED, error.message, row.attempts + 1
    row.claim_token = row.claimed_until = None
    with transaction.atomic():
        _check_there(row, "nothing")
        row.save()
        details = {"error": error.message, "code": error.code}
        tell(row, EventKind.GATEWAY_CUSTOMER_FAILED, details, actor=actor, real_now=real_now)
    return row


def pause(attempts: int) -> timedelta:
    """How long to wait after the nth failure in a row."""
    return min(FIRST_PAUSE * (1 << min(attempts - 1, 20)), settings.GATEWAY_LONGEST_PAUSE)


def record_link(row: StripeCustomer, external_id: str, *, actor: Actor, real_now: datetime) -> StripeCustomer:
    row.state, row.external_id, row.last_error = State.LINKED, external_id, ""
    row.linked_at, row.claim_token, row.claimed_until = row.customer.vendor.now(real_now), None, None
    with transaction.atomic():
        row.save()
        details = {"stripe_customer": external_id}
        tell(row, EventKind.GATEWAY_CUSTOMER_CREATED, details, actor=actor, real_now=real_now)
    return row
