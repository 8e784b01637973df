"""Linking a customer with one that exists in Stripe, and letting go of it again."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from customers.actors import Actor
from customers.customer import Customer
from customers.directory import lock_customer
from customers.errors import Busy, Conflict, Invalid, Missing
from customers.events.models import EventKind
from invoicing.gateways import GatewayError
from invoicing.invoices.models import AttemptState, Channel, Invoice, IssueAttempt
from invoicing.invoices.states import OPEN, InvoiceAction
from payments.stripe import methods
from payments.stripe.client import client_for
from payments.stripe.connect import required_connection
from payments.stripe.customers import record_link
from payments.stripe.methods import tell
from payments.stripe.models import StripeConnection, StripeCustomer
from payments.stripe.refusals import in_words

State = StripeCustomer.State


def link(customer: Customer, external_id: str, *, actor: Actor, real_now: datetime) -> StripeCustomer:
    """Link a customer that exists in the connected account and mode.

    Raises ``Invalid`` on ``account_id`` when it does not exist there, was deleted, or is linked elsewhere;
    ``Conflict`` when this customer has a counterpart already or Stripe is out of reach.
    """
    connection = required_connection(customer.vendor)
    _check_linkable(customer, connection, external_id)
    _verify(connection, external_id)
    row = link_row(customer, connection, external_id, actor=actor, real_now=real_now)
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
        with in_words():
            found = client_for(connection).retrieve_customer(external_id)
    except Busy:
        raise
    except Conflict as refusal:
        raise Invalid({"account_id": _why_not(connection, external_id, refusal)}) from refusal
    if found.get("deleted"):
        raise Invalid({"account_id": f"{external_id} was deleted in Stripe."})


def _why_not(connection: StripeConnection, external_id: str, refusal: Conflict) -> str:
    if refusal.code != "resource_missing":
        return refusal.message
    where = f"the Stripe account {connection.account_id} in {connection.mode} mode"
    return f"There is no customer {external_id} in {where}."


def link_row(
    customer: Customer, connection: StripeConnection, external_id: str, *, actor: Actor, real_now: datetime
) -> StripeCustomer:
    """For a Stripe customer that was just seen in this account. Makes no call."""
    try:
        with transaction.atomic():
            lock_customer(customer)
            row, _ = StripeCustomer.objects.select_for_update(of=("self",)).get_or_create(
                customer=customer,
                connection=connection,
                defaults={"vendor": customer.vendor, "state": State.FAILED},
            )
            if row.state == State.LINKED and row.external_id == external_id:
                return row
            if row.state in (State.LINKED, State.PENDING):
                raise Conflict("The customer got another Stripe customer at this moment. Look at it first.")
            row.idempotency_key, row.request, row.attempts, row.tax_id = "", {}, 0, {}
            return record_link(row, external_id, actor=actor, real_now=real_now)
    except IntegrityError as error:
        raise Invalid({"account_id": f"{external_id} is linked to another customer."}) from error


# Letting go


def unlink(customer: Customer, *, actor: Actor, real_now: datetime) -> None:
    """Forget the counterpart. The Stripe customer itself stays as it is, with its payment methods.

    Raises ``Missing`` where there is none, and ``Conflict`` while it is being made or an invoice of the
    customer is in flight through Stripe. A counterpart that was deleted in Stripe or never came to be can
    be let go of too.
    """
    connection = required_connection(customer.vendor)
    with transaction.atomic():
        rows = StripeCustomer.objects.select_for_update(of=("self",)).select_related("connection", "customer__vendor")
        row = rows.filter(customer=customer, connection=connection).first()
        if row is None:
            raise Missing(f"{customer} has no Stripe customer in the account {connection.account_id}.")
        if row.state == State.PENDING:
            raise Busy("The Stripe customer is being made. Unlink it when it is there.")
        _refuse_in_flight(customer, connection)
        tell(row, EventKind.GATEWAY_CUSTOMER_UNLINKED, {"stripe_customer": row.external_id},
             actor=actor, real_now=real_now)  # fmt: skip
        row.delete()


def _refuse_in_flight(customer: Customer, connection: StripeConnection) -> None:
    numbers = list(in_flight(customer, connection).order_by("pk").values_list("number", flat=True)[:4])
    if not numbers:
        return
    named = ", ".join(number or "one without a number" for number in numbers[:3]) + (" and more" if numbers[3:] else "")
    raise Conflict(
        f"Invoices of this customer are in flight through Stripe: {named}. Wait until they are paid, mark them as "
        "paid, or void them.",
        code="invoices_in_flight",
    )


def in_flight(customer: Customer, connection: StripeConnection) -> QuerySet[Invoice]:
    """Those that Stripe still collects, is asked to change, or may just be getting."""
    attempts = IssueAttempt.objects.filter(
        channel=Channel.GATEWAY, state__in=(AttemptState.SENDING, AttemptState.UNKNOWN)
    )
    here = Q(gateway="stripe", gateway_account__in=("", connection.reference))
    at_stripe = here & (Q(status__in=OPEN) | Q(next_action__in=AT_GATEWAY))
    mine = Invoice.objects.of(customer.vendor).filter(customer=customer)
    return mine.filter(at_stripe | Q(pk__in=attempts.values("invoice")))


AT_GATEWAY = (
    InvoiceAction.COLLECT,
    InvoiceAction.VOID_AT_GATEWAY,
    InvoiceAction.MARK_PAID_AT_GATEWAY,
    InvoiceAction.REFUND,
)
