"""Creating and editing a customer, and trying its mappings."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from billing_portal.accounts.roles import Permission
from billing_portal.portal.access import OperatorRequest, form_screen, may, open_verb
from billing_portal.portal.forms import CODE, TEXT, WordsField, refuse
from billing_portal.portal.navigation import show
from customers import directory
from customers.contact import CONTACT_FIELDS
from customers.customer import Customer, TaxExempt
from customers.directory import NewCustomer, Rule
from customers.errors import Invalid
from invoicing.usage.attribution import customers_matching

MATCHES_SHOWN = 20


class RulesField(forms.CharField):
    """Measurement mappings, one a line: ``label = pattern``. A label alone matches every value."""

    widget = forms.Textarea

    def clean(self, value: object) -> list[Rule]:
        return [_rule(line) for line in super().clean(value).splitlines() if line.strip()]


def _rule(line: str) -> Rule:
    label, equals, pattern = (part.strip() for part in line.partition("="))
    return Rule(label, pattern) if equals else Rule(label)


class PropertiesField(forms.CharField):
    """One a line: ``property = value``."""

    widget = forms.Textarea

    def clean(self, value: object) -> dict[str, str]:
        lines = [line.partition("=") for line in super().clean(value).splitlines() if line.strip()]
        found = {name.strip(): text.strip() for name, _, text in lines}
        if "" in found or len(found) < len(lines):
            raise forms.ValidationError("Give each property once, with a name: property = value.")
        return found


def _line(**attributes: Any) -> dict[str, Any]:
    return {"required": False, "widget": forms.TextInput({**TEXT, **attributes})}


TERMS = ("tax_exempt", "review_reason")


def _help(name: str) -> str:
    """As the model says it."""
    return str(getattr(Customer._meta.get_field(name), "help_text", ""))


class CustomerForm(forms.Form):
    display_name = forms.CharField(max_length=256, help_text="As people read it, also on invoices.", **_line())
    email = forms.EmailField(
        label="E-mail address", required=False, max_length=512, help_text="Invoices and reminders are sent here."
    )
    secondary_emails = WordsField(label="Copies to", help_text="More addresses, with commas between them.", **_line())
    legal_name = forms.CharField(max_length=256, help_text="Printed on invoices.", **_line())
    address_line_1 = forms.CharField(max_length=256, **_line())
    address_line_2 = forms.CharField(max_length=256, **_line())
    city = forms.CharField(max_length=128, **_line())
    state = forms.CharField(max_length=128, **_line())
    zipcode = forms.CharField(label="Postal code", max_length=32, **_line())
    country = forms.CharField(max_length=64, **_line())
    vat_id = forms.CharField(
        label="VAT id", max_length=64, help_text="Printed on invoices. Begin with the country: DE123456789.", **_line()
    )
    tax_exempt = forms.ChoiceField(
        label="Tax", required=False, choices=TaxExempt.choices, help_text=_help("tax_exempt")
    )
    phone = forms.CharField(max_length=40, **_line())
    review_reason = forms.CharField(
        label="Hold invoices for review", max_length=256, help_text=_help("review_reason"), **_line()
    )
    tags = WordsField(help_text="With commas between them.", **_line())
    measurement_mappings = RulesField(
        required=False,
        widget=forms.Textarea(CODE | {"rows": 3, "placeholder": "account = acme-.*"}),
        help_text="Measurements with these labels belong to this customer. One a line: label = pattern, where the "
        "pattern is a regular expression for the whole value.",
    )

    metadata = PropertiesField(
        required=False,
        widget=forms.Textarea(CODE | {"rows": 3, "placeholder": "region = US"}),
        help_text="Whatever you want to keep with the customer. One a line: property = value.",
    )

    def contact(self) -> dict[str, Any]:
        return {name: value for name, value in self.cleaned_data.items() if name in CONTACT_FIELDS}

    def terms(self) -> dict[str, Any]:
        """What was left out of the form stays as it is."""
        return {name: self.cleaned_data[name] for name in TERMS if name in self.data}


class NewCustomerForm(CustomerForm):
    name = forms.CharField(
        label="Code name",
        max_length=128,
        widget=forms.TextInput(CODE),
        help_text="Unique, for example your own customer id. Measurements may name it.",
    )
    field_order = ("name",)


@form_screen(Permission.CHANGE_CUSTOMER)
def new_customer(request: OperatorRequest) -> HttpResponse:
    form = NewCustomerForm(request.POST or None, initial={"name": request.GET.get("name", "")})
    if request.method == "POST" and form.is_valid():
        try:
            customer = directory.create_customer(request.vendor, _new(form), **_moment(request))
        except Invalid as refusal:
            refuse(form, refusal)
        else:
            messages.success(request, f"{customer} is created. Subscribe it to a price plan to bill it.")
            return redirect("portal:customer", name=customer.name)
    return _show_form(request, form, "New customer")


def _new(form: NewCustomerForm) -> NewCustomer:
    given = form.cleaned_data
    return NewCustomer(
        given["name"],
        given["display_name"],
        form.contact(),
        given["tags"],
        given["measurement_mappings"],
        given["metadata"],
        **form.terms(),
    )


@form_screen(Permission.CHANGE_CUSTOMER)
def edit_customer(request: OperatorRequest, name: str) -> HttpResponse:
    customer = _get(request, name)
    form = CustomerForm(request.POST or None, initial=_initial(customer))
    if request.method == "POST" and form.is_valid():
        changes = {"display_name": form.cleaned_data["display_name"], "tags": list(form.cleaned_data["tags"])}
        rules: Sequence[Rule] = form.cleaned_data["measurement_mappings"]
        try:
            changes |= form.contact() | form.terms()
            with transaction.atomic():
                saved = directory.update_customer(customer, changes, mappings=rules, **_moment(request))
                if "metadata" in form.data:
                    directory.replace_metadata(saved, form.cleaned_data["metadata"], **_moment(request))
        except Invalid as refusal:
            refuse(form, refusal)
        else:
            messages.success(request, f"{changes['display_name'] or name} is saved.")
            return redirect("portal:customer", name=name)
    return _show_form(request, form, "Edit customer", customer)


def _initial(customer: Customer) -> dict[str, Any]:
    rules = customer.measurement_mappings.order_by("pk")
    return {
        **{name: getattr(customer, name) for name in (*CONTACT_FIELDS, *TERMS)},
        "display_name": customer.display_name,
        "secondary_emails": ", ".join(customer.secondary_emails),
        "tags": ", ".join(customer.tags),
        "metadata": "\n".join(f"{one.property} = {one.value}" for one in customer.metadata.order_by("property")),
        "measurement_mappings": "\n".join(f"{rule.label} = {rule.value_regex}" for rule in rules),
    }


def _show_form(
    request: OperatorRequest, form: CustomerForm, title: str, customer: Customer | None = None
) -> HttpResponse:
    context = {"form": form, "customer": customer, "editable": may(request, Permission.CHANGE_CUSTOMER)}
    return show(request, "portal/customers/edit.html", context, title=title, area="customers")


def _get(request: OperatorRequest, name: str) -> Customer:
    return get_object_or_404(Customer.objects.of(request.vendor).select_related("vendor"), name=name)


def _moment(request: OperatorRequest) -> dict[str, Any]:
    return {"actor": request.actor, "now": request.now, "real_now": request.real_now}


@open_verb
def try_mappings(request: OperatorRequest) -> HttpResponse:
    context: dict[str, Any] = {"matches": [], "problem": ""}
    try:
        found = customers_matching(request.vendor, _labels(request.POST.get("labels", "")), now=request.now)
    except Invalid as refusal:
        context["problem"] = " ".join(refusal.errors["labels"])
    else:
        matching = Customer.objects.of(request.vendor).filter(pk__in=found).order_by("display_name", "pk")
        context["matches"] = list(matching[:MATCHES_SHOWN])
    return render(request, "portal/customers/_matches.html", context)


def _labels(text: str) -> Mapping[str, str]:
    try:
        labels = json.loads(text)
    except (ValueError, RecursionError):
        labels = None
    if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
        raise Invalid({"labels": 'Give labels and their values as JSON, for example {"account": "acme"}.'})
    if "\x00" in json.dumps(labels, ensure_ascii=False) or "\\u0000" in json.dumps(labels):
        raise Invalid({"labels": "Leave out the character of code zero: labels cannot hold it."})
    return labels
