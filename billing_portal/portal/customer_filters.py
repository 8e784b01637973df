"""Which customers are meant: the search and the filters of the list, as its address and the export give them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import BooleanField, Exists, F, Func, OuterRef, Q, QuerySet
from django.http import QueryDict

from billing_portal.portal import overriding
from billing_portal.portal.access import OperatorRequest
from billing_portal.portal.forms import TEXT
from billing_portal.portal.searching import customers_meant
from customers.customer import Customer
from customers.settings.models import BillingSettingsOverride
from customers.vendor import Vendor
from invoicing.invoices.models import Invoice
from invoicing.invoices.states import InvoiceStatus
from invoicing.subscriptions.models import Subscription

MINE = OuterRef("pk")


class OneOf(Func):
    """The few are looked up first, and then their rows by their ids. As a condition that the database may turn round,
    it would at times rather read the whole table that the few are sought in."""

    output_field = BooleanField()
    template = "(%(expressions)s))"
    arg_joiner = " = ANY("


def _among(rows: QuerySet[Any]) -> Q:
    return Q(OneOf(F("pk"), ArraySubquery(rows.order_by().values("customer_id"))))


def _invoice(status: InvoiceStatus) -> Callable[[Vendor, datetime], Q]:
    return lambda vendor, now: _among(Invoice.objects.of(vendor).filter(status=status))


def _ending(vendor: Vendor, now: datetime) -> Q:
    subscriptions = Subscription.objects.of(vendor)
    goes_on = subscriptions.filter(customer=MINE, expired_at__isnull=True)
    return _among(subscriptions.filter(expired_at__gt=now)) & ~Q(Exists(goes_on))


def _override(vendor: Vendor, now: datetime) -> Q:
    return _among(BillingSettingsOverride.objects.of(vendor))


@dataclass(frozen=True)
class Standing:
    label: str
    condition: Callable[[Vendor, datetime], Q]


STANDINGS: Mapping[str, Standing] = {
    "invoicing-failed": Standing("An invoice could not be issued", _invoice(InvoiceStatus.INVOICING_FAILED)),
    "payment-failed": Standing("A payment failed", _invoice(InvoiceStatus.PAYMENT_FAILED)),
    "ending": Standing("Subscription ending", _ending),
    "overrides": Standing("Overrides the billing settings", _override),
}


class CustomerFilters(forms.Form):
    standing = forms.ChoiceField(
        required=False, label="Where", choices=[("", "Any"), *((key, one.label) for key, one in STANDINGS.items())]
    )
    overrides = forms.ChoiceField(required=False, label="Own value for", choices=[("", "Any"), *overriding.CHOICES])
    tag = forms.CharField(required=False, label="Tag", max_length=128, widget=forms.TextInput(TEXT))

    def condition(self, vendor: Vendor, now: datetime) -> Q:
        self.full_clean()
        given = self.cleaned_data
        found = Q()
        if tag := given.get("tag"):
            found &= Q(tags__contains=[tag])
        if key := given.get("overrides"):
            found &= _among(BillingSettingsOverride.objects.of(vendor).filter(overriding.has_own(overriding.ROWS[key])))
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
