"""A customer is erased: the link to Stripe, the payment methods, and the news that Stripe sent. What Stripe itself
holds is the vendor's to delete there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db.models import Q

from customers.customer import Customer
from customers.errors import Busy
from invoicing.invoices.models import Invoice
from payments.reconcile.models import Difference, ImportedInvoice
from payments.stripe.models import StripeCustomer, StripeEvent


def forget(customer: Customer, was: str, *, real_now: datetime) -> Sequence[str]:
    vendor = customer.vendor
    linked = hold(customer)
    if any(_is_being_made(row, real_now) for row in linked):
        raise Busy("The customer's Stripe customer is being made at this moment. Try again in a minute.")
    _forget_news(customer, [row.external_id for row in linked if row.external_id])
    imported = ImportedInvoice.objects.of(vendor).filter(customer=customer)
    for invoice in imported:
        invoice.description, invoice.lines = "", [{**line, "description": ""} for line in invoice.lines]
        invoice.hosted_url = ""
        invoice.save(update_fields=["description", "lines", "hosted_url"])
    Difference.objects.of(vendor).filter(Q(customer=customer) | Q(invoice__customer=customer)).delete()
    StripeCustomer.objects.of(vendor).filter(pk__in=[row.pk for row in linked]).delete()
    return [
        f"Stripe still holds {row.external_id} in {row.connection.account_id}: delete it in Stripe's dashboard."
        for row in linked
        if row.external_id and row.state != StripeCustomer.State.DELETED
    ]


def hold(customer: Customer) -> list[StripeCustomer]:
    """Its counterparts, locked before their payment methods go, as by those who refresh these."""
    rows = StripeCustomer.objects.of(customer.vendor).filter(customer=customer).order_by("pk")
    return list(rows.select_for_update(of=("self",)).select_related("connection"))


def _is_being_made(row: StripeCustomer, real_now: datetime) -> bool:
    """Forgotten now, it would come to be afterwards, and nobody would know of it."""
    is_claimed = row.claim_token is not None and (row.claimed_until or real_now) > real_now
    return row.state == StripeCustomer.State.PENDING and is_claimed


def _forget_news(customer: Customer, counterparts: list[str]) -> None:
    """Of each event its type, its object and its times stay; they say nothing without Stripe."""
    invoices = Invoice.objects.of(customer.vendor).filter(customer=customer)
    ids = {*counterparts, *invoices.exclude(external_invoice_id="").values_list("external_invoice_id", flat=True)}
    theirs = Q(object_id__in=ids) | Q(body__data__object__customer__in=counterparts)
    StripeEvent.objects.of(customer.vendor).filter(theirs).update(body={}, reason="")
