"""What a person may have meant by a few letters. Beginnings and whole ids only: these an index finds."""

from __future__ import annotations

import re

from django.contrib.postgres.search import SearchQuery, SearchVectorExact
from django.db.models import Q, QuerySet

from customers.customer import NAME_WORDS, Customer
from customers.vendor import Vendor
from invoicing.invoices.models import Invoice
from payments.stripe.models import StripeCustomer

# An invoice is found by its customer among so many; who types more letters finds the others.
MOST_CUSTOMERS = MOST_INVOICES = 200
WORD = re.compile(r"[^\W_]+")


def customers_meant(vendor: Vendor, text: str) -> QuerySet[Customer]:
    """By the beginning of the code name, of the e-mail address or of words of the display name, or by the Stripe id."""
    rows, text = Customer.objects.of(vendor), text.strip()
    return rows.filter(_customer(vendor, text)) if text else rows


def some_customers(vendor: Vendor, text: str) -> list[int]:
    """The ids of the newest that are meant, to find what is theirs by."""
    people = customers_meant(vendor, text).order_by("-created_at", "-pk").values_list("pk", flat=True)
    return list(people[:MOST_CUSTOMERS])


def _customer(vendor: Vendor, text: str) -> Q:
    if text.startswith("cus_"):
        linked = StripeCustomer.objects.of(vendor).filter(external_id=text).values_list("customer_id", flat=True)
        return Q(pk__in=list(linked[:MOST_CUSTOMERS])) | Q(name__istartswith=text)
    found = Q(name__istartswith=text) | Q(email__istartswith=text)
    if words := WORD.findall(text):
        query = SearchQuery(" & ".join(f"{word}:*" for word in words), config="simple", search_type="raw")
        found |= Q(SearchVectorExact(NAME_WORDS, query))
    return found


def invoices_meant(vendor: Vendor, text: str) -> QuerySet[Invoice]:
    """By the beginning of the number, here or in Stripe, by the Stripe id, or by the customer."""
    rows, text = Invoice.objects.of(vendor), text.strip()
    if not text:
        return rows
    if text.startswith("in_"):
        return rows.filter(external_invoice_id=text)
    number_there = ~Q(external_invoice_number="") & Q(external_invoice_number__istartswith=text)
    by_customer = Q(customer_id__in=some_customers(vendor, text))
    return rows.filter(Q(number__istartswith=text) | number_there | by_customer)


def some_invoices(vendor: Vendor, text: str) -> list[int]:
    """The ids of the newest that are meant, to find what is theirs by."""
    found = invoices_meant(vendor, text).order_by("-generated_at", "-pk").values_list("pk", flat=True)
    return list(found[:MOST_INVOICES])
