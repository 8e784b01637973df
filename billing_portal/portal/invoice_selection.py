"""Which invoices are meant: the tab, the search and the filters of the list, as its address, the actions on many and
the export all give them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import QueryDict
from django.utils import timezone

from billing_portal.portal.access import OperatorRequest
from billing_portal.portal.forms import CODE, TEXT
from billing_portal.portal.invoice_filters import Tab, chosen, matching
from customers.customer import Customer
from customers.money import MoneyError, to_minor, validate_currency
from customers.settings.models import BillingSettingsOverride
from customers.vendor import Vendor
from invoicing.invoices.models import Invoice

DAY = {"type": "date"}
NUMBER = TEXT | {"inputmode": "decimal"}
PROVIDERS = (("", "Any"), ("stripe", "Stripe"), ("none", "Our e-mail, or kept here"))
YES_OR_NO = (("", "Any"), ("yes", "With overrides"), ("no", "Without"))


class InvoiceFilters(forms.Form):
    customer = forms.CharField(
        required=False, label="Customer", widget=forms.TextInput(CODE), help_text="The code name, in full."
    )
    due_from = forms.DateField(required=False, label="Due from", widget=forms.DateInput(DAY))
    due_to = forms.DateField(required=False, label="Due until", widget=forms.DateInput(DAY))
    paid_from = forms.DateField(required=False, label="Paid from", widget=forms.DateInput(DAY))
    amount_from = forms.DecimalField(required=False, label="Amount from", widget=forms.TextInput(NUMBER))
    amount_to = forms.DecimalField(required=False, label="Amount up to", widget=forms.TextInput(NUMBER))
    currency = forms.CharField(required=False, label="Currency", max_length=3, widget=forms.TextInput(TEXT))
    provider = forms.ChoiceField(required=False, label="Collected by", choices=PROVIDERS)
    overrides = forms.ChoiceField(required=False, label="Billing settings", choices=YES_OR_NO)

    def __init__(self, vendor: Vendor, data: Mapping[str, Any]) -> None:
        super().__init__(data)
        self.vendor = vendor
        self.fields["currency"].widget.attrs["placeholder"] = vendor.currency

    def clean_currency(self) -> str:
        text: str = self.cleaned_data["currency"]
        if not text:
            return ""
        try:
            return validate_currency(text)
        except MoneyError as error:
            raise forms.ValidationError(str(error)) from None

    def condition(self) -> Q:
        """Of the filters that make sense; the others say what is wrong with them."""
        self.full_clean()
        given = {name: value for name, value in self.cleaned_data.items() if value not in ("", None)}
        return self._party(given) & _due(given) & self._amount(given)

    def _party(self, given: Mapping[str, Any]) -> Q:
        found = Q()
        if "customer" in given:
            people = Customer.objects.of(self.vendor).filter(name=given["customer"])
            found &= Q(customer_id=people.values_list("pk", flat=True).first() or 0)
        if "provider" in given:
            found &= Q(gateway="" if given["provider"] == "none" else given["provider"])
        if "overrides" in given:
            mine = BillingSettingsOverride.objects.of(self.vendor).filter(customer=OuterRef("customer"))
            found &= Q(Exists(mine)) if given["overrides"] == "yes" else ~Q(Exists(mine))
        return found

    def _amount(self, given: Mapping[str, Any]) -> Q:
        found = Q(currency=given["currency"]) if "currency" in given else Q()
        currency = given.get("currency", self.vendor.currency)
        for name, lookup in (("amount_from", "amount_due__gte"), ("amount_to", "amount_due__lte")):
            if name in given:
                found &= Q(currency=currency, **{lookup: _minor(given[name], currency)})
        return found


def _due(given: Mapping[str, Any]) -> Q:
    """The days are those of the zone that is active, the vendor's; the last one is meant whole."""
    found = Q()
    if "due_from" in given:
        found &= Q(due_date__gte=_midnight(given["due_from"]))
    if "due_to" in given:
        found &= Q(due_date__lt=_midnight(given["due_to"] + timedelta(days=1)))
    if "paid_from" in given:
        found &= Q(paid_at__gte=_midnight(given["paid_from"]))
    return found


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time()))


def _minor(amount: Decimal, currency: str) -> int:
    largest = 10**15
    return max(-largest, min(largest, to_minor(max(min(amount, Decimal(largest)), Decimal(-largest)), currency)))


@dataclass(frozen=True)
class Selection:
    tab: Tab
    search: str
    filters: InvoiceFilters
    found: QuerySet[Invoice]
    """Of all tabs."""
    query: str
    """As an address says it, without the place in the list."""

    @property
    def rows(self) -> QuerySet[Invoice]:
        return self.found.filter(self.tab.condition)

    @property
    def is_filtered(self) -> bool:
        return any(self.filters.cleaned_data.values())

    @property
    def hidden(self) -> list[tuple[str, str]]:
        """For a form that means the same invoices."""
        return [(name, value) for name, value in QueryDict(self.query).items() if isinstance(value, str)]


NAMES = ("status", "q", *InvoiceFilters.base_fields)


def selection(request: OperatorRequest, asked: QueryDict) -> Selection:
    search = asked.get("q", "").strip()
    filters = InvoiceFilters(request.vendor, asked)
    found = matching(request.vendor, search).filter(filters.condition())
    kept = QueryDict(mutable=True)
    for name in NAMES:
        if value := asked.get(name, "").strip():
            kept[name] = value
    return Selection(chosen(request.now, asked.get("status", "")), search, filters, found, kept.urlencode())
