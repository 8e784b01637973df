"""What a comparison goes through, one page after the other. Each phase answers a page and where to go on.

A page holds at most a hundred objects and costs the same number of queries, however many there are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.db.models import Exists, OuterRef, Q

from invoicing.gateways import GatewayRejected
from invoicing.invoices.models import Invoice, Refund
from invoicing.invoices.states import OPEN, InvoiceStatus
from payments.reconcile import disputes, invoices, parties, payments
from payments.reconcile.findings import Bucket, Findings
from payments.reconcile.models import ReconciliationRun, SeenInvoice
from payments.stripe.client import client_for
from payments.stripe.models import StripeCustomer

JSON = dict[str, Any]
# What is found, and the cursor of the next page; empty at the end.
Step = tuple[Findings, str]

# Asked for one by one.
SINGLY = 25
GONE_BACK = (Refund.State.SUCCEEDED, Refund.State.PENDING)
UNFINISHED = sorted({*OPEN, InvoiceStatus.UNCOLLECTIBLE})


def stripe_invoices(run: ReconciliationRun) -> Step:
    page = _page(run, "invoices", {"expand": ["data.payments"]})
    return invoices.compare(run.connection, page["data"]), _next(page)


def our_invoices(run: ReconciliationRun) -> Step:
    """What Stripe did not list although it should hold it: unfinished, or issued in the period."""
    rows = list(_unlisted(run).filter(pk__gt=int(run.cursor or 0)).order_by("pk")[:SINGLY])
    client, result, there = client_for(run.connection), Findings(objects=len(rows)), []
    for row in rows:
        try:
            there.append(client.retrieve_invoice(row.external_invoice_id, expand=["payments"]))
        except GatewayRejected as error:
            if error.code != "resource_missing":
                raise
            result.looked.append(row.external_invoice_id)
            if row.state in OPEN:
                result.found.append(invoices.missing(row))
    compared = invoices.compare(run.connection, there)
    result.found += compared.found
    result.looked += compared.looked
    result.seen = compared.seen
    return result, str(rows[-1].pk) if len(rows) == SINGLY else ""


def _unlisted(run: ReconciliationRun) -> Any:
    listed = SeenInvoice.objects.filter(run=run, external_id=OuterRef("external_invoice_id"))
    mine = Invoice.objects.of(run.vendor).filter(gateway="stripe", gateway_account=run.connection.reference)
    wanted = Q(status__in=UNFINISHED) | Q(issued_at__gte=run.since)
    return mine.filter(wanted, ~Exists(listed)).exclude(external_invoice_id="").select_related("customer")


def stripe_charges(run: ReconciliationRun) -> Step:
    page = _page(run, "charges", {})
    return payments.compare_charges(run.connection, page["data"], run), _next(page)


def stripe_refunds(run: ReconciliationRun) -> Step:
    page = _page(run, "refunds", {})
    return payments.compare_refunds(run.connection, page["data"], run), _next(page)


def our_refunds(run: ReconciliationRun) -> Step:
    """What should have gone back through the account and Stripe did not list."""
    listed = SeenInvoice.objects.filter(run=run, external_id=OuterRef("external_id"))
    mine = Refund.objects.filter(invoice__vendor=run.vendor, invoice__gateway_account=run.connection.reference)
    gone_back = mine.filter(state__in=GONE_BACK, created_at__gte=run.since, pk__gt=int(run.cursor or 0))
    unlisted = gone_back.filter(~Exists(listed)).exclude(external_id=None).select_related("invoice")
    rows = list(unlisted.order_by("pk")[:SINGLY])
    client, result, there = client_for(run.connection), Findings(objects=len(rows)), []
    for row in rows:
        try:
            there.append(client.retrieve_refund(row.external_id or ""))
        except GatewayRejected as error:
            if error.code != "resource_missing":
                raise
            result.looked.append(row.external_id or "")
            result.found.append(payments.missing_refund(row))
    compared = payments.compare_refunds(run.connection, there, run)
    result.found += compared.found
    result.looked += compared.looked
    return result, str(rows[-1].pk) if len(rows) == SINGLY else ""


def stripe_disputes(run: ReconciliationRun) -> Step:
    page = _page(run, "disputes", {})
    return disputes.compare(run.connection, page["data"]), _next(page)


def our_customers(run: ReconciliationRun) -> Step:
    linked = StripeCustomer.objects.of(run.vendor).filter(
        connection=run.connection, state=StripeCustomer.State.LINKED, pk__gt=int(run.cursor or 0)
    )
    rows = list(linked.prefetch_related("payment_methods").order_by("pk")[:SINGLY])
    found = parties.compare_customers(client_for(run.connection), rows)
    return found, str(rows[-1].pk) if len(rows) == SINGLY else ""


def _page(run: ReconciliationRun, what: str, params: JSON) -> JSON:
    created = {"created": {"gte": int(run.since.timestamp())}}
    after = {"starting_after": run.cursor} if run.cursor else {}
    return client_for(run.connection).list_page(what, {**created, **after, **params})


def _next(page: JSON) -> str:
    return str(page["data"][-1]["id"]) if page["has_more"] and page["data"] else ""


PHASES: Mapping[str, Callable[[ReconciliationRun], Step]] = {
    "invoices": stripe_invoices,
    "our invoices": our_invoices,
    "payments": stripe_charges,
    "refunds": stripe_refunds,
    "our refunds": our_refunds,
    "disputes": stripe_disputes,
    "customers": our_customers,
}
NAMES = tuple(PHASES)
# What a phase adds up: it begins from nothing when the phase has to.
SUMS: Mapping[str, Bucket] = {"invoices": Bucket.OPEN, "payments": Bucket.PAID, "refunds": Bucket.REFUNDED}


def after(phase: str) -> str:
    place = NAMES.index(phase) + 1
    return NAMES[place] if place < len(NAMES) else ""
