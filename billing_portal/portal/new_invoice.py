"""A one-off invoice, typed by hand; and the invoice of a billing cycle that lost its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from django import forms
from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect

from billing_portal.accounts.roles import Permission
from billing_portal.portal.access import OperatorRequest, form_screen, may, verb
from billing_portal.portal.forms import TEXT, refuse
from billing_portal.portal.navigation import show
from customers.customer import Customer
from customers.errors import Conflict, Invalid
from customers.money import MoneyError, parse_money
from invoicing.invoices.one_off import OneOff, OneOffLine, create_one_off
from invoicing.invoices.regeneration import generate_deleted
from invoicing.subscriptions.models import BillingCycle

ROWS = 8


class OneOffForm(forms.Form):
    memo = forms.CharField(required=False, widget=forms.Textarea({"rows": 2}), help_text="Printed on the invoice.")
    due_date = forms.DateField(
        required=False,
        widget=forms.DateInput({"type": "date"}),
        help_text="The last day to pay. Empty: as the billing settings say when it is issued.",
    )
    currency = forms.CharField(required=False, max_length=3, widget=forms.TextInput(TEXT | {"size": 4}))
    issue_now = forms.BooleanField(
        required=False,
        label="Issue at once",
        help_text="Approved and issued now, without the payment grace period. This can charge the customer.",
    )


@dataclass(frozen=True)
class Row:
    """A line as it was typed."""

    name: str
    quantity: str
    price: str

    @property
    def is_empty(self) -> bool:
        return not (self.name or self.price)


@form_screen(Permission.CREATE_INVOICE)
def new_invoice(request: OperatorRequest, name: str) -> HttpResponse:
    customer = get_object_or_404(Customer.objects.of(request.vendor).select_related("vendor"), name=name)
    currency = customer.currency or customer.vendor.currency
    form = OneOffForm(request.POST or None, initial={"currency": currency})
    rows = _typed(request.POST)
    if request.method == "POST" and form.is_valid():
        try:
            given = form.cleaned_data | {"currency": form.cleaned_data["currency"].strip().upper()}
            wanted = OneOff(lines=_lines(rows, given["currency"] or currency), **given)
            moment = {"now": request.now, "real_now": request.real_now}
            invoice = create_one_off(customer, wanted, actor=request.actor, **moment)
        except Invalid as refusal:
            refuse(form, refusal)
        else:
            messages.success(request, f"{invoice} is made for {customer}.")
            return redirect("portal:invoice", uuid=invoice.uuid)
    context = {
        "form": form,
        "customer": customer,
        "rows": [*rows, *[Row("", "1", "")] * (ROWS - len(rows))],
        "editable": may(request, Permission.CREATE_INVOICE),
    }
    return show(request, "portal/invoices/new.html", context, title="New invoice", area="customers")


def _typed(data: QueryDict) -> Sequence[Row]:
    columns = (data.getlist(column) for column in ("line_name", "line_quantity", "line_price"))
    rows = [Row(*(text.strip() for text in parts)) for parts in zip(*columns, strict=False)]
    return [row for row in rows if not row.is_empty]


def _lines(rows: Sequence[Row], currency: str) -> list[OneOffLine]:
    return [_line(place, row, currency) for place, row in enumerate(rows, start=1)]


def _line(place: int, row: Row, currency: str) -> OneOffLine:
    try:
        return OneOffLine(row.name, Decimal(parse_money(row.price, currency)), Decimal(row.quantity or "1"))
    except MoneyError as error:
        raise Invalid({"lines": f"Line {place}: {error}"}) from error
    except InvalidOperation as error:
        raise Invalid({"lines": f"Line {place}: {row.quantity!r} is not a quantity."}) from error


@verb(Permission.REGENERATE_INVOICE)
def generate(request: OperatorRequest, name: str, pk: int) -> HttpResponse:
    """The invoice of a billing cycle whose own was deleted."""
    rows = BillingCycle.objects.of(request.vendor).select_related("vendor")
    cycle = get_object_or_404(rows, pk=pk, customer__name=name)
    try:
        invoice = generate_deleted(cycle, actor=request.actor, now=request.now, real_now=request.real_now)
    except Conflict as refusal:
        messages.error(request, refusal.message)
        return redirect("portal:customer_invoices", name=name)
    messages.success(request, f"{invoice} is generated.")
    return redirect("portal:invoice", uuid=invoice.uuid)
