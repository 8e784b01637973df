"""Vendors with as many customers as one likes, and nothing that is due.

Everything that beat's tasks look for is there, and done or yet to come: running billing cycles, invoices that are paid,
open (past their due date and told, or due later, with reminders ahead) and waiting to be issued, what is watched at
Stripe, e-mails that were sent, events that were delivered, Stripe's news that was processed. One customer in ten is a
vendor's in test mode whose clock was moved.

One row of each is made by Django, the others are copies of it by bare SQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, models

from tests.bench.many_rows import copy_row

DAY = timedelta(days=1)
# Further than anything of the other vendor is ahead: what is not due there would be due here.
MOVED_BY = 60 * DAY
PEOPLE = "quiet_people"


@dataclass(frozen=True)
class Quiet:
    """A vendor with the first of its customers, who has one of each."""

    vendor: Any
    plan: Any
    customer: Any
    connection: Any
    now: datetime
    real_now: datetime


def make(customers: int, real_now: datetime) -> None:
    """So many in all, of both vendors. Django is set up, and the database empty."""
    from invoicing.usage.partitions import make_ahead

    make_ahead(real_now)
    in_test = customers // 10
    for count, is_test in ((customers - in_test, False), (in_test, True)):
        quiet = _vendor(is_test, real_now)
        _multiply(quiet, count, {**_party(quiet), **_bills(quiet)})
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE" if connection.in_atomic_block else "VACUUM ANALYZE")


def _vendor(is_test: bool, real_now: datetime) -> Quiet:
    from payments.models import EventCursor, ReconciliationRun, StripeConnection
    from tests.factories import CustomerFactory, MeteredComponentFactory, PricePlanFactory, VendorFactory

    offset = MOVED_BY if is_test else timedelta(0)
    vendor = VendorFactory(name=f"quiet-{is_test}".lower(), is_test=is_test, clock_offset=offset)
    plan = PricePlanFactory(vendor=vendor)
    MeteredComponentFactory(price_plan=plan)
    account = StripeConnection.objects.create(
        vendor=vendor, account_id=f"acct_{vendor.name}", connected_at=real_now, probed_at=real_now
    )
    EventCursor.objects.create(connection=account)
    # The nightly comparison has begun, and somebody is at it.
    ReconciliationRun.objects.create(
        vendor=vendor, connection=account, state="running", since=real_now, started_by="Schedule", phase="invoices",
        started_at=real_now, moved_at=real_now, claimed_until=real_now + 365 * DAY,
    )  # fmt: skip
    return Quiet(vendor, plan, CustomerFactory(vendor=vendor), account, real_now + offset, real_now)


# A row, what differs in each copy of it, and what it is a copy for: a customer (p), a subscription (s), or an invoice
# (i) of the name.
Kind = tuple[models.Model, Mapping[str, str], str]
_UUID = {"uuid": "gen_random_uuid()"}
_OF_CUSTOMER = f"JOIN {PEOPLE} p ON p.place = n"


def _multiply(quiet: Quiet, customers: int, kinds: Mapping[str, Kind]) -> None:
    vendor = quiet.vendor
    name = f"'{vendor.name}-' || n"
    copy_row(quiet.customer, str(customers - 1), {"name": name, "email": f"{name} || '@example.com'", **_UUID})
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {PEOPLE}")
        cursor.execute(
            f"CREATE TEMPORARY TABLE {PEOPLE} AS SELECT id, row_number() OVER (ORDER BY id) - 1 AS place"  # noqa: S608
            f" FROM customers_customer WHERE vendor_id = {vendor.pk} AND id <> {quiet.customer.pk}"
        )
        cursor.execute(f"ANALYZE {PEOPLE}")
    for row, changed, join in kinds.values():
        times = customers - 1 if join.startswith(_OF_CUSTOMER) else 1
        copy_row(row, str(times), changed, join=join)


def _party(quiet: Quiet) -> dict[str, Kind]:
    from invoicing.models import BillingCycle
    from payments.models import StripeCustomer, StripeEvent
    from tests.factories import MappingFactory, SubscriptionFactory

    vendor, customer, now = quiet.vendor, quiet.customer, quiet.now
    person = {"customer_id": "p.id"}
    subscription = SubscriptionFactory(customer=customer, price_plan=quiet.plan, effective_at=now - 40 * DAY)
    cycle = {"vendor": vendor, "customer": customer, "subscription": subscription}
    ended = BillingCycle.objects.create(
        **cycle, index=0, start=now - 40 * DAY, end=now - 10 * DAY, ended_at=now - 10 * DAY
    )
    running = BillingCycle.objects.create(
        **cycle, index=1, start=now - 10 * DAY, end=now + 20 * DAY, next_action="end", next_action_at=now + 20 * DAY
    )
    counterpart = StripeCustomer.objects.create(
        vendor=vendor, customer=customer, connection=quiet.connection, external_id="cus_first", state="linked"
    )
    account = quiet.connection.account_id
    news = StripeEvent.objects.create(
        vendor=vendor, event_id="evt_first", account_id=account, livemode=False, type="invoice.paid", body={},
        object_id="in_first", state="processed", received_at=quiet.real_now, processed_at=quiet.real_now,
    )  # fmt: skip
    own = {**person, "subscription_id": "s.id"}
    subscribed = f"{_OF_CUSTOMER} JOIN invoicing_subscription s ON s.customer_id = p.id"
    return {
        "mapping": (MappingFactory(customer=customer), {**person, "value_regex": "'value-' || n"}, _OF_CUSTOMER),
        "subscription": (subscription, {**person, **_UUID}, _OF_CUSTOMER),
        "ended": (ended, own, subscribed),
        "running": (running, own, subscribed),
        "counterpart": (counterpart, {**person, "external_id": "'cus_' || p.id"}, _OF_CUSTOMER),
        "news": (news, {"event_id": "'evt_' || p.id", "object_id": "'in_' || p.id"}, _OF_CUSTOMER),
    }


def _bills(quiet: Quiet) -> dict[str, Kind]:
    """Four invoices of each customer; the rest hangs on one that is paid and one that is open."""
    from tests.factories import InvoiceFactory

    now, found = quiet.now, dict[str, Kind]()
    stripe = {"gateway": "stripe", "next_action": "", "next_action_at": None, "amount_paid": 0}
    open_there = {**stripe, "status": "INVOICE_ISSUED", "watched_status": "INVOICE_ISSUED"}
    states: dict[str, dict[str, Any]] = {
        "paid": {**stripe, "status": "INVOICE_PAID", "amount_paid": 1000},
        "late": {**open_there, "due_date": now - 5 * DAY, "past_due_at": now - 5 * DAY},
        "open": {**open_there, "due_date": now + 20 * DAY, "next_reminder_at": now + 15 * DAY},
        "next": {"next_action_at": now + 2 * DAY, "issue_date": now + 2 * DAY, "number": ""},
    }
    dates = {"period_start": now - 40 * DAY, "period_end": now - 10 * DAY, "generated_at": now - 10 * DAY}
    for state, columns in states.items():
        external = f"in_{state}_{quiet.vendor.pk}" if "gateway" in columns else ""
        given = {"issue_date": now - 9 * DAY, **dates, **columns, "external_invoice_id": external, "memo": state}
        invoice = InvoiceFactory(customer=quiet.customer, vendor=quiet.vendor, **given)
        changed = {**_UUID, "customer_id": "p.id", "number": f"'{state}-' || n" if invoice.number else "''"}
        changed["external_invoice_id"] = f"'{external}_' || n" if external else "''"
        found[state] = (invoice, changed, _OF_CUSTOMER)
    paid, late, still = (found[state][0] for state in ("paid", "late", "open"))
    return found | _of_paid(quiet, paid) | _watched(quiet, late, "late", None) | _watched(quiet, still, "open", DAY)


def _copied_with(quiet: Quiet, state: str, invoice: Any) -> str:
    """Each copy of that invoice."""
    return (
        f"JOIN invoicing_invoice i ON i.vendor_id = {quiet.vendor.pk} AND i.memo = '{state}' AND i.id <> {invoice.pk}"
    )


def _watched(quiet: Quiet, invoice: Any, state: str, asked_in: timedelta | None) -> dict[str, Kind]:
    from payments.models import Watch

    watch = Watch.objects.create(
        vendor=quiet.vendor, kind="invoice", subject_id=invoice.pk, state=invoice.status, since=quiet.real_now,
        external_id=invoice.external_invoice_id, next_at=asked_in and quiet.real_now + asked_in,
    )  # fmt: skip
    changed = {"subject_id": "i.id", "external_id": "i.external_invoice_id"}
    return {f"watch of {state}": (watch, changed, _copied_with(quiet, state, invoice))}


def _of_paid(quiet: Quiet, paid: Any) -> dict[str, Kind]:
    """What has happened to it: a line, its money, an e-mail, and an event that was delivered."""
    from invoicing.invoices.ledger import Payment, Refund
    from invoicing.invoices.models import OutgoingEmail
    from tests.factories import LineItemFactory

    join, own = _copied_with(quiet, "paid", paid), {"invoice_id": "i.id", **_UUID}
    key = quiet.vendor.pk
    payment = Payment.objects.create(
        invoice=paid, state="succeeded", amount=1000, external_id=f"ch_{key}", occurred_at=quiet.now
    )
    refund = Refund.objects.create(
        invoice=paid, state="succeeded", amount=10, external_id=f"re_{key}", actor_kind="operator",
        actor_label="Olivia", created_at=quiet.now,
    )  # fmt: skip
    email = OutgoingEmail.objects.create(
        vendor=quiet.vendor, invoice=paid, kind="receipt", occasion="paid", recipients=["a@example.com"],
        subject="Paid", message_id=f"<{key}@quiet>", state="succeeded", created_at=quiet.now, sent_at=quiet.now,
    )  # fmt: skip
    return {
        "line": (LineItemFactory(invoice=paid), own, join),
        "payment": (payment, {**own, "external_id": "'ch_' || i.id || '_'"}, join),
        "refund": (refund, {**own, "external_id": "'re_' || i.id || '_'"}, join),
        "email": (email, {**own, "message_id": "'<' || i.id || '@copied>'"}, join),
        **_told(quiet, paid, join),
    }


def _told(quiet: Quiet, paid: Any, join: str) -> dict[str, Kind]:
    from customers.actors import SCHEDULE
    from customers.events.models import EventKind, WebhookDelivery, WebhookEndpoint
    from customers.events.record import build_event
    from invoicing.invoices.lifecycle import invoice_fact

    fact, times = invoice_fact(paid, EventKind.INVOICE_PAID), {"now": quiet.now, "real_now": quiet.real_now}
    event = build_event(quiet.vendor, fact, actor=SCHEDULE, **times)
    event.dispatched_at, event.sequence = quiet.real_now, 1
    models.Model.save(event, force_insert=True)  # there is nobody to be told of it
    endpoint = WebhookEndpoint.objects.create(
        vendor=quiet.vendor, url="http://127.0.0.1:9/hook", created_at=quiet.real_now
    )
    delivery = WebhookDelivery.objects.create(
        vendor=quiet.vendor, endpoint=endpoint, event=event, state="delivered", attempts=1,
        created_at=quiet.real_now, delivered_at=quiet.real_now,
    )  # fmt: skip
    own = {"subject_id": "i.id", "customer_id": "i.customer_id", **_UUID}
    told = f"JOIN customers_event e ON e.vendor_id = {quiet.vendor.pk} AND e.id <> {event.pk}"
    return {"event": (event, own, join), "delivery": (delivery, {"event_id": "e.id"}, told)}
