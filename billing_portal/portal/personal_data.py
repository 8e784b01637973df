"""A customer's personal data: handed out as a file, or erased for good. For owners."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect

from billing_portal.accounts.roles import Permission
from billing_portal.personal_data import export_of
from billing_portal.portal.access import OperatorRequest, form_screen, may, verb
from billing_portal.portal.forms import CODE, refuse
from billing_portal.portal.navigation import show
from customers.customer import Customer
from customers.erasing import erase_customer
from customers.errors import Refused
from customers.events.models import EventKind, SubjectKind
from customers.events.record import Fact, record


class EraseForm(forms.Form):
    name = forms.CharField(
        label="The customer's code name",
        widget=forms.TextInput(CODE),
        help_text="Type it to confirm: nobody undoes this.",
    )

    def __init__(self, customer: Customer, data: object = None) -> None:
        super().__init__(data)  # type: ignore[arg-type]
        self.customer = customer

    def clean_name(self) -> None:
        if self.cleaned_data["name"] != self.customer.name:
            raise forms.ValidationError(f"This is not {self.customer.name}. Nothing was erased.")


@form_screen(Permission.MANAGE_PERSONAL_DATA)
def personal_data(request: OperatorRequest, name: str) -> HttpResponse:
    customer = _get(request, name)
    form = EraseForm(customer, request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            left = erase_customer(customer, actor=request.actor, now=request.now, real_now=request.real_now)
        except Refused as refusal:
            refuse(form, refusal)
        else:
            messages.success(request, "Who this was is erased. " + " ".join(left))
            return redirect("portal:customer", f"erased-{customer.pk}")
    context = {"form": form, "customer": customer, "editable": may(request, Permission.MANAGE_PERSONAL_DATA)}
    return show(request, "portal/customers/personal_data.html", context, title="Personal data", area="customers")


@verb(Permission.MANAGE_PERSONAL_DATA)
def export(request: OperatorRequest, name: str) -> HttpResponse:
    customer = _get(request, name)
    fact = Fact(EventKind.CUSTOMER_EXPORTED, SubjectKind.CUSTOMER, customer.pk, customer.pk)
    record(request.vendor, fact, actor=request.actor, now=request.now, real_now=request.real_now)
    answer = JsonResponse(export_of(customer), json_dumps_params={"indent": 2, "ensure_ascii": False})
    answer["Content-Disposition"] = f'attachment; filename="customer-{customer.pk}.json"'
    return answer


def _get(request: OperatorRequest, name: str) -> Customer:
    return get_object_or_404(Customer.objects.of(request.vendor).select_related("vendor"), name=name)
