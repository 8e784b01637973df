"""Invoices that Stripe has collected and that we have not heard of yet: what a burst of webhooks is about.

One invoice goes the whole way, from our issue step to the sandbox's charge. The others are copies of it by bare SQL, on
both sides: open here, paid there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.utils import timezone

from tests.bench.installation import wait_for
from tests.bench.many_rows import copy_row
from tests.bench.pace import make_customers, make_invoices

CUSTOMERS = 100
COPIED = ("invoice", "invoiceitem", "payment_intent", "charge", "invoice_payment")


@dataclass(frozen=True)
class Paid:
    """The ids at Stripe of the one that went the whole way; those of copy 7 end with ``_7``."""

    account: str
    invoice: str
    intent: str
    charge: str
    uuid: str


def make(vendor_name: str, account: str, copies: int) -> Paid:
    """Django is set up, on the database of an installation that runs."""
    from customers.models import Vendor

    vendor = Vendor.objects.get(name=vendor_name)
    invoice = _collected(vendor, account)
    there = _at_stripe(account, invoice.external_invoice_id)
    ids = [row.stripe_id for row in there]
    for row in there:
        columns = ("stripe_id", "invoice", "payment_intent", "charge")
        changed = {name: _renamed(name, ids) for name in columns}
        changed |= {name: f"{_renamed(name, ids)}::jsonb" for name in ("data", "hidden")}
        copy_row(row, str(copies), changed)
    _open_copies(invoice, copies)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    [intent], [charge] = (
        [row.stripe_id for row in there if row.object == kind] for kind in ("payment_intent", "charge")
    )
    return Paid(account, invoice.external_invoice_id, intent, charge, str(invoice.uuid))


def _collected(vendor: Any, account: str) -> Any:
    """Issued and charged at once, by the workers that run; Stripe's webhooks of it were processed."""
    from customers.models import BillingSettings
    from invoicing.models import Invoice
    from payments.models import StripeEvent

    settings = {"should_send_invoice_to_customers": True, "invoice_via_octane": False, "charges_enabled": True}
    defaults = {"updated_at": timezone.now(), "stripe_immediate_finalization": True, **settings}
    BillingSettings.objects.update_or_create(vendor=vendor, defaults=defaults)
    people = make_customers(vendor, account, CUSTOMERS)
    make_invoices(vendor, people[:1], 1)
    mine = Invoice.objects.filter(vendor=vendor)
    mine.update(next_action_at=timezone.now())
    wait_for(lambda: mine.filter(status="INVOICE_PAID").exists())
    wait_for(lambda: not StripeEvent.objects.filter(state="pending").exists())
    return mine.get()


def _at_stripe(account: str, invoice: str) -> Sequence[Any]:
    """The invoice there, and what hangs on it."""
    from django.db.models import Q

    from payments.sandbox.models import StoredObject

    mine = StoredObject.objects.filter(account=account, object__in=COPIED)
    intents = list(mine.filter(invoice=invoice).exclude(payment_intent="").values_list("payment_intent", flat=True))
    hangs = Q(stripe_id=invoice) | Q(invoice=invoice) | Q(payment_intent__in=intents) | Q(stripe_id__in=intents)
    return list(mine.filter(hangs).order_by("pk"))


def _renamed(column: str, ids: Sequence[str]) -> str:
    """Every id in it, with the copy's number behind."""
    text = f"t.{column}::text"
    for one in ids:
        text = f"replace({text}, '{one}', '{one}_' || n)"
    return text


def _open_copies(invoice: Any, copies: int) -> None:
    changed = {
        "uuid": "gen_random_uuid()", "number": "'BURST-' || n", "status": "'INVOICE_ISSUED'", "paid_at": "NULL",
        "external_invoice_id": f"'{invoice.external_invoice_id}_' || n", "amount_paid": "0", "gateway_status": "'open'",
        "gateway_seen_at": "NULL", "watched_status": "'INVOICE_ISSUED'",
        "customer_id": f"(SELECT min(id) FROM customers_customer) + n % {CUSTOMERS}",  # noqa: S608
    }  # fmt: skip
    copy_row(invoice, str(copies), changed)


def events(paid: Paid, copies: int) -> Iterator[dict[str, Any]]:
    """What Stripe tells of each: five events, about three objects."""
    for n in range(copies):
        invoice, intent, charge = (f"{one}_{n}" for one in (paid.invoice, paid.intent, paid.charge))
        told = (
            ("invoice.finalized", "invoice", invoice), ("charge.succeeded", "charge", charge),
            ("payment_intent.succeeded", "payment_intent", intent), ("invoice.paid", "invoice", invoice),
            ("invoice.payment_succeeded", "invoice", invoice),
        )  # fmt: skip
        for place, (kind, thing, id_) in enumerate(told):
            yield _event(paid.account, f"evt_burst_{n}_{place}", kind, {"id": id_, "object": thing})


def _event(account: str, id_: str, kind: str, subject: dict[str, Any]) -> dict[str, Any]:
    """About as large as Stripe's."""
    from payments.stripe.client import API_VERSION

    filler = {f"field_{n}": "x" * 40 for n in range(60)}
    event = {"id": id_, "object": "event", "type": kind, "livemode": False, "account": account}
    return {**event, "api_version": API_VERSION, "data": {"object": {**subject, **filler}}}
