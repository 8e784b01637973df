"""Edits of a customer flow to Stripe, where the settings say so: once each, in order, the newest state only.

An edit raises the number of the state that Stripe is to have (``sync_wanted``), in its own transaction. A worker
claims the row, freezes what will be sent together with a key of that number, commits, calls, and records. One claim
at a time keeps the order; edits made meanwhile are one more number, sent next. Turning the setting on sends nothing
by itself: what differs stays until the next edit, or until somebody sends it from the customer's page.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from kombu.exceptions import OperationalError

from customers.actors import SCHEDULE
from customers.claims import any_of, claim, unclaimed
from customers.customer import Customer
from customers.errors import Conflict
from customers.events.models import EventKind
from customers.settings.policy import policy_for
from invoicing.gateways import GatewayError, GatewayRejected, GatewayUnavailable
from payments.stripe import methods
from payments.stripe.client import AccountClient, client_for
from payments.stripe.customer_fields import FIELDS, tax_id_of, update_for
from payments.stripe.customers import pause
from payments.stripe.models import StripeCustomer

logger = logging.getLogger(__name__)

State = StripeCustomer.State
# Stripe forgets keys after a day; the same words sent once more change nothing then either.
KEY = "customer-sync-{row.pk}-{row.sync_wanted}"
# Kept with the frozen request; sent by calls of its own.
TAX_ID = "tax_id"


@dataclass(frozen=True)
class Standing:
    """How a counterpart stands, for people. ``waiting_for`` and ``refused`` say why it is not in step."""

    in_step_since: datetime | None
    waits: bool
    problem: str


def standing(row: StripeCustomer) -> Standing:
    waits = row.sync_wanted > row.sync_settled
    in_step = row.synced_at if not waits and not row.sync_error else None
    return Standing(in_step, waits, row.sync_error)


# Wanting


def customer_changed(customer: Customer, changed: Collection[str], *, real_now: datetime) -> None:
    """In the transaction of the edit: from now on Stripe is to have this state."""
    if FIELDS & set(changed) and policy_for(customer).sync_customer_data_to_payment_gateway:
        want(customer)


def want(customer: Customer) -> int:
    """How many counterparts are to follow. Those that are being made follow once they exist."""
    rows = StripeCustomer.objects.of(customer.vendor).filter(
        customer=customer, state__in=(State.LINKED, State.PENDING), connection__disconnected_at__isnull=True
    )
    found = rows.update(sync_wanted=F("sync_wanted") + 1)
    # The new state need not sit out the pause of an older one that could not be sent.
    rows.filter(state=State.LINKED, claim_token__isnull=True).update(claimed_until=None)
    if found:
        transaction.on_commit(_nudge)
    return found


def send_now(customer: Customer) -> None:
    """Somebody wants Stripe to have the present state, whatever the settings say. Raises ``Conflict``."""
    with transaction.atomic():
        if not want(customer):
            raise Conflict("The customer has no Stripe customer to send to. Generate or link one first.")


def _nudge() -> None:
    from payments.tasks import sync_customers

    try:
        sync_customers.delay()
    except OperationalError as error:
        logger.warning("The broker is out of reach, edits of customers wait for the next sweep: %s", error)


# Sending


def send_waiting(*, real_now: datetime, limit: int = 50) -> int:
    """Send what waits. How many counterparts were tried; edits that come meanwhile are found by the next round."""
    token, ids = claim(_waiting().order_by("pk"), real_now=real_now, lease=settings.CLAIM_LEASE, limit=limit)
    for pk in ids:
        try:
            _send(pk, token, real_now)
        except Exception:
            # Its lease runs out and it is tried again; the others must not wait for it.
            logger.exception("Stripe customer %s could not be brought in step", pk)
    return len(ids)


def anything_to_send(real_now: datetime) -> bool:
    return any_of(_waiting().filter(unclaimed(real_now)).order_by("pk"))


def _waiting() -> QuerySet[StripeCustomer]:
    return StripeCustomer.objects.filter(
        sync_wanted__gt=F("sync_settled"),
        state=State.LINKED,
        connection__is_active=True,
        connection__disconnected_at__isnull=True,
    )


def _send(pk: int, token: uuid.UUID, real_now: datetime) -> None:
    row = _freeze(pk, token, real_now)
    if row is None:
        return
    try:
        _tell(row)
    except GatewayUnavailable as error:
        _record(row, token, sync_error=error.message, attempts=row.attempts + 1,
                claimed_until=real_now + pause(row.attempts + 1))  # fmt: skip
    except GatewayRejected as error:
        _refused(row, token, error, real_now)
    else:
        _taken(row, token, real_now)


def _tell(row: StripeCustomer) -> None:
    """The customer, and its VAT id, which is an object of its own there: only where it is another than before."""
    client, wanted = client_for(row.connection), row.request.get(TAX_ID, row.tax_id)
    params = {name: value for name, value in row.request.items() if name != TAX_ID}
    client.update_customer(row.external_id, params, key=row.idempotency_key)
    if wanted != row.tax_id:
        _replace_tax_id(client, row, wanted)


def _replace_tax_id(client: AccountClient, row: StripeCustomer, wanted: dict[str, str]) -> None:
    """What somebody added in Stripe stays; ours goes."""
    found = {(known["type"], known["value"]): known["id"] for known in client.list_tax_ids(row.external_id)}
    ours = (row.tax_id.get("type"), row.tax_id.get("value"))
    if wanted and (wanted["type"], wanted["value"]) not in found:
        client.create_tax_id(row.external_id, wanted, key=f"{row.idempotency_key}-tax-id")
    if ours in found:
        _delete_tax_id(client, row, found[ours])
    row.tax_id = wanted


def _delete_tax_id(client: AccountClient, row: StripeCustomer, tax_id: str) -> None:
    """Gone already is success: the answer to an earlier call may have been lost."""
    try:
        client.delete_tax_id(row.external_id, tax_id)
    except GatewayRejected as refusal:
        if refusal.code != "resource_missing":
            raise


def _freeze(pk: int, token: uuid.UUID, real_now: datetime) -> StripeCustomer | None:
    """Write down what is going to be sent, in the state of this moment. None when the claim is lost."""
    with transaction.atomic(durable=True):
        rows = StripeCustomer.objects.select_for_update(of=("self",)).select_related("connection", "customer__vendor")
        row = rows.filter(pk=pk, claim_token=token).first()
        if row is None:
            return None
        key = KEY.format(row=row)
        if row.idempotency_key != key:
            row.request = {**update_for(row.customer), TAX_ID: tax_id_of(row.customer)}
            row.idempotency_key, row.attempts = key, 0
        row.claimed_until = real_now + settings.CLAIM_LEASE
        row.save(update_fields=["idempotency_key", "request", "attempts", "claimed_until"])
    return row


def _taken(row: StripeCustomer, token: uuid.UUID, real_now: datetime) -> None:
    synced_at = row.customer.vendor.now(real_now)
    settled = {"sync_settled": row.sync_wanted, "sync_error": "", "synced_at": synced_at, "tax_id": row.tax_id}
    _record(row, token, **settled, attempts=0, claimed_until=None)


def _refused(row: StripeCustomer, token: uuid.UUID, error: GatewayRejected, real_now: datetime) -> None:
    """Stripe does not take this state, so it is not sent again: the next edit is a new one."""
    with suppress(GatewayError):
        methods.look_after(error, row, actor=SCHEDULE, real_now=real_now)
    with transaction.atomic():
        _record(row, token, sync_settled=row.sync_wanted, sync_error=error.message, attempts=0, claimed_until=None)
        details = {"error": error.message, "code": error.code}
        methods.tell(row, EventKind.GATEWAY_SYNC_REFUSED, details, actor=SCHEDULE, real_now=real_now)


def _record(row: StripeCustomer, token: uuid.UUID, **fields: object) -> None:
    mine = StripeCustomer.objects.filter(pk=row.pk, claim_token=token)
    if not mine.update(claim_token=None, **fields):
        # Somebody took over while this call was out. It may have come in last: the newest state goes once more.
        StripeCustomer.objects.filter(pk=row.pk).update(sync_wanted=F("sync_wanted") + 1)
