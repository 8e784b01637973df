"""Which customers are meant: the search and the filters of the list, as its address and the export give them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django import forms
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import QueryDict

from billing_portal.portal.access import OperatorRequest
from billing_portal.portal.forms import TEXT
from billing_portal.portal.searching import customers_meant
from customers.customer import Customer
from customers.settings.models import BillingSettingsOverride
from customers.vendor import Vendor
from invoicing.invoices.models import Invoice
from invoicing.invoices.states import InvoiceStatus
from invoicing.subscriptions.models import Subscription
from payments.stripe.models import StripeCustomer

MINE = OuterRef("pk")


def _invoice(status: InvoiceStatus) -> Callable[[Vendor, datetime], Q]:
    return lambda vendor, now: Q(Exists(Invoice.objects.of(vendor).filter(customer=MINE, status=status)))


def _subscribed(vendor: Vendor, now: datetime, lasting: Q) -> Q:
    return Q(Exists(Subscription.objects.of(vendor).filter(lasting, customer=MINE)))


def _unsubscribed(vendor: Vendor, now: datetime) -> Q:
    return ~_subscribed(vendor, now, Q(expired_at__isnull=True) | Q(expired_at__gt=now))


def _ending(vendor: Vendor, now: datetime) -> Q:
    return _subscribed(vendor, now, Q(expired_at__gt=now)) & ~_subscribed(vendor, now, Q(expired_at__isnull=True))


def _not_linked(vendor: Vendor, now: datetime) -> Q:
    linked = StripeCustomer.objects.of(vendor).filter(customer=MINE, connection__is_active=True, state="linked")
    return ~Q(Exists(linked))


def _override(vendor: Vendor, now: datetime) -> Q:
    return Q(Exists(BillingSettingsOverride.objects.of(vendor).filter(customer=MINE)))


@dataclass(frozen=True)
class Standing:
    label: str
    condition: Callable[[Vendor, datetime], Q]


STANDINGS: Mapping[str, Standing] = {
    "invoicing-failed": Standing("An invoice could not be issued", _invoice(InvoiceStatus.INVOICING_FAILED)),
    "payment-failed": Standing("A payment failed", _invoice(InvoiceStatus.PAYMENT_FAILED)),
    "no-subscription": Standing("No subscription", _unsubscribed),
    "ending": Standing("Subscription ending", _ending),
    "not-linked": Standing("Payments not set up", _not_linked),
    "overrides": Standing("Overrides the billing settings", _override),
}


class CustomerFilters(forms.Form):
    standing = forms.ChoiceField(
        required=False, label="Where", choices=[("", "Any"), *((key, one.label) for key, one in STANDINGS.items())]
    )
    tag = forms.CharField(required=False, label="Tag", max_length=128, widget=forms.TextInput(TEXT))
    country = forms.CharField(required=False, label="Country", max_length=64, widget=forms.TextInput(TEXT))

    def condition(self, vendor: Vendor, now: datetime) -> Q:
        self.full_clean()
        given = self.cleaned_data
        found = Q()
        if tag := given.get("tag"):
            found &= Q(tags__contains=[tag])
        if country := given.get("country"):
            found &= Q(country=country)
        if standing := given.get("standing"):
            found &= STANDINGS[standing].condition(vendor, now)
        return found


@dataclass(frozen=True)
class CustomerSelection:
    search: str
    filters: CustomerFilters
    rows: QuerySet[Customer]
    query: str

    @property
    def is_filtered(self) -> bool:
        return any(self.filters.cleaned_data.values())

    @property
    def hidden(self) -> list[tuple[str, str]]:
        return [(name, value) for name, value in QueryDict(self.query).items() if isinstance(value, str)]


NAMES = ("q", *CustomerFilters.base_fields)


def selection(request: OperatorRequest, asked: QueryDict) -> CustomerSelection:
    search = asked.get("q", "").strip()
    filters = CustomerFilters(asked)
    rows = customers_meant(request.vendor, search).filter(filters.condition(request.vendor, request.now))
    kept = QueryDict(mutable=True)
    for name in NAMES:
        if value := asked.get(name, "").strip():
            kept[name] = value
    return CustomerSelection(search, filters, rows, kept.urlencode())
