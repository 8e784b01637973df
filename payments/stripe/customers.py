"""A customer's counterpart in Stripe: generated here, or one that exists there and is linked.

Generating follows claim, commit, call, record: the row with its idempotency key and the exact request
is committed before Stripe is called, so that a lost answer is asked for again in the same words.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from contextlib import suppress
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from babel import Locale
from django.conf import settings
from django.db import IntegrityError, transaction

from customers.actors import SCHEDULE, Actor
from customers.claims import claim, unclaimed
from customers.contact import ContactFields
from customers.customer import Customer
from customers.errors import Busy, Conflict, Invalid
from customers.events.models import EventKind, SubjectKind
from customers.events.record import Fact, record
from invoicing.gateways import GatewayError, GatewayRejected, GatewayUnavailable
from payments.stripe import methods
from payments.stripe.client import client_for
from payments.stripe.connect import connection_of, required_connection
from payments.stripe.models import StripeConnection, StripeCustomer

logger = logging.getLogger(__name__)

State = StripeCustomer.State

FIRST_PAUSE = timedelta(seconds=10)
LONGEST_PAUSE = timedelta(hours=1)


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
    return StripeCustomer.objects.filter(customer=customer, connection=connection).first()


def payment_method_status(customer: Customer, *, real_now: datetime) -> PaymentMethodStatus:
    """From what was last seen in Stripe. Makes no call."""
    counterpart = credential(customer)
    if counterpart is None or counterpart.state != State.LINKED:
        return PaymentMethodStatus.NO_PAYMENT_GATEWAY_CREDENTIAL
    kept = list(counterpart.payment_methods.all())
    if not kept:
        return PaymentMethodStatus.NO_PAYMENT_METHOD
    today = _today(customer, real_now)
    if all(method.is_expired(today) for method in kept):
        return PaymentMethodStatus.EXPIRED_PAYMENT_METHOD
    return PaymentMethodStatus.VALID_PAYMENT_METHOD


def _today(customer: Customer, real_now: datetime) -> date:
    return customer.vendor.now(real_now).astimezone(customer.vendor.zone).date()


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
            _begin(row, customer)
        row.claim_token, row.claimed_until = uuid.uuid4(), real_now + settings.CLAIM_LEASE
        row.save()
    return row


def _is_free(row: StripeCustomer, real_now: datetime) -> bool:
    return StripeCustomer.objects.filter(unclaimed(real_now), pk=row.pk).exists()


def _begin(row: StripeCustomer, customer: Customer) -> None:
    row.state, row.external_id, row.attempts = State.PENDING, "", 0
    row.idempotency_key = f"customer-{customer.pk}-{uuid.uuid4().hex}"
    row.request = request_for(customer)


def _make(row: StripeCustomer, *, actor: Actor, real_now: datetime) -> StripeCustomer:
    try:
        made = client_for(row.connection).create_customer(row.request, key=row.idempotency_key)
    except GatewayUnavailable as error:
        return _keep_for_later(row, error, real_now)
    except GatewayRejected as error:
        return _record_failure(row, error, actor=actor, real_now=real_now)
    return _record_link(row, made["id"], actor=actor, real_now=real_now)


def _keep_for_later(row: StripeCustomer, error: GatewayError, real_now: datetime) -> StripeCustomer:
    row.last_error, row.attempts = error.message, row.attempts + 1
    row.claim_token, row.claimed_until = None, real_now + pause(row.attempts)
    row.save(update_fields=["last_error", "attempts", "claim_token", "claimed_until"])
    return row


def _record_failure(row: StripeCustomer, error: GatewayError, *, actor: Actor, real_now: datetime) -> StripeCustomer:
    row.state, row.last_error, row.attempts = State.FAILED, error.message, row.attempts + 1
    row.claim_token = row.claimed_until = None
    with transaction.atomic():
        row.save()
        details = {"error": error.message, "code": error.code}
        _tell(row, EventKind.GATEWAY_CUSTOMER_FAILED, details, actor=actor, real_now=real_now)
    return row


def pause(attempts: int) -> timedelta:
    """How long to wait after the nth failure in a row."""
    return min(FIRST_PAUSE * (1 << min(attempts - 1, 20)), LONGEST_PAUSE)


def _record_link(row: StripeCustomer, external_id: str, *, actor: Actor, real_now: datetime) -> StripeCustomer:
    row.state, row.external_id, row.last_error = State.LINKED, external_id, ""
    row.linked_at, row.claim_token, row.claimed_until = row.customer.vendor.now(real_now), None, None
    with transaction.atomic():
        row.save()
        details = {"stripe_customer": external_id}
        _tell(row, EventKind.GATEWAY_CUSTOMER_CREATED, details, actor=actor, real_now=real_now)
    return row


def _tell(
    row: StripeCustomer, kind: EventKind, details: Mapping[str, Any], *, actor: Actor, real_now: datetime
) -> None:
    vendor, customer = row.customer.vendor, row.customer
    fact = Fact(
        kind,
        SubjectKind.CUSTOMER,
        customer.pk,
        customer_id=customer.pk,
        payload={"customer_name": customer.name},
        details=details,
    )
    record(vendor, fact, actor=actor, now=vendor.now(real_now), real_now=real_now)


# Linking


def link(customer: Customer, external_id: str, *, actor: Actor, real_now: datetime) -> StripeCustomer:
    """Link a customer that exists in the connected account and mode.

    Raises ``Invalid`` on ``account_id`` when it does not exist there, was deleted, or is linked elsewhere;
    ``Conflict`` when this customer has a counterpart already or Stripe is out of reach.
    """
    connection = required_connection(customer.vendor)
    _check_linkable(customer, connection, external_id)
    _verify(connection, external_id)
    row = _link_row(customer, connection, external_id, actor=actor, real_now=real_now)
    # Linked is linked: without an answer now, the next webhook of this customer brings its methods.
    with suppress(GatewayError):
        methods.refresh(row, actor=actor, real_now=real_now)
    return row


def _check_linkable(customer: Customer, connection: StripeConnection, external_id: str) -> None:
    if not external_id.startswith("cus_") or len(external_id) > 255:
        raise Invalid({"account_id": f"{external_id!r} is not the id of a Stripe customer. It starts with cus_."})
    mine = StripeCustomer.objects.filter(customer=customer, connection=connection).first()
    if mine is not None and mine.state == State.LINKED and mine.external_id != external_id:
        raise Conflict(f"The customer is linked to {mine.external_id} in Stripe already.")
    if mine is not None and mine.state == State.PENDING:
        raise Busy("A Stripe customer is being made for this customer. Look again in a minute.")
    others = StripeCustomer.objects.filter(connection=connection, external_id=external_id).exclude(customer=customer)
    if others.exists():
        raise Invalid({"account_id": f"{external_id} is linked to another customer."})


def _verify(connection: StripeConnection, external_id: str) -> None:
    try:
        found = client_for(connection).retrieve_customer(external_id)
    except GatewayUnavailable as error:
        raise Busy(f"{error.message} Try again in a minute.", code="stripe_unavailable") from error
    except GatewayRejected as error:
        raise Invalid({"account_id": _why_not(connection, external_id, error)}) from error
    if found.get("deleted"):
        raise Invalid({"account_id": f"{external_id} was deleted in Stripe."})


def _why_not(connection: StripeConnection, external_id: str, error: GatewayRejected) -> str:
    if error.code != "resource_missing":
        return error.message
    where = f"the Stripe account {connection.account_id} in {connection.mode} mode"
    return f"There is no customer {external_id} in {where}."


def _link_row(
    customer: Customer, connection: StripeConnection, external_id: str, *, actor: Actor, real_now: datetime
) -> StripeCustomer:
    try:
        with transaction.atomic():
            row, _ = StripeCustomer.objects.select_for_update(of=("self",)).get_or_create(
                customer=customer,
                connection=connection,
                defaults={"vendor": customer.vendor, "state": State.FAILED},
            )
            if row.state == State.LINKED and row.external_id == external_id:
                return row
            if row.state in (State.LINKED, State.PENDING):
                raise Conflict("The customer got another Stripe customer at this moment. Look at it first.")
            row.idempotency_key, row.request, row.attempts = "", {}, 0
            return _record_link(row, external_id, actor=actor, real_now=real_now)
    except IntegrityError as error:
        raise Invalid({"account_id": f"{external_id} is linked to another customer."}) from error


# What Stripe is told of a customer


def request_for(customer: Customer) -> dict[str, Any]:
    """The parameters of a new Stripe customer. What is not known is left out."""
    said = {
        "name": customer.display_name[:256],
        "email": customer.email,
        "phone": customer.phone if len(customer.phone) <= 20 else "",
        "address": _filled(_address(customer)),
    }
    marks = {"portal_customer": str(customer.pk), "portal_customer_name": customer.name}
    return {**_filled(said), "metadata": marks}


def _address(contact: ContactFields) -> dict[str, str]:
    return {
        "line1": contact.address_line_1,
        "line2": contact.address_line_2,
        "city": contact.city,
        "state": contact.state,
        "postal_code": contact.zipcode,
        "country": country_code(contact.country),
    }


def country_code(country: str) -> str:
    """Stripe takes two letters; people also write the name. Empty when neither is recognized."""
    names: dict[str, str] = {n.casefold(): code for code, n in Locale("en").territories.items() if len(code) == 2}
    wanted = country.strip()
    if wanted.upper() in names.values():
        return wanted.upper()
    return names.get(wanted.casefold(), "")


def _filled(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}
