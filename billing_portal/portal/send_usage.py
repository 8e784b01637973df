"""Customer -> Subscription and usage: sending one measurement by hand."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect

from billing_portal.accounts.roles import Permission
from billing_portal.portal import words
from billing_portal.portal.access import OperatorRequest, verb
from billing_portal.portal.customer_subscription import show_subscription
from billing_portal.portal.customers import find
from billing_portal.portal.usage_form import UsageForm
from customers.errors import Invalid
from invoicing.usage.intake import take_in_one


@verb(Permission.CHANGE_SUBSCRIPTION)
def send_usage(request: OperatorRequest, name: str) -> HttpResponse:
    customer = find(request, name)
    form = UsageForm(request.vendor, request.POST, prefix="usage")
    if not form.is_valid():
        return show_subscription(request, customer, usage=form)
    try:
        sent = take_in_one(request.vendor, form.as_sent(customer.name), now=request.now, real_now=request.real_now)
    except Invalid as refusal:
        form.refuse(refusal)
        return show_subscription(request, customer, usage=form)
    quantity = f"{sent.value.normalize():,f}"
    messages.success(request, f"{quantity} on {sent.meter_name} at {words.moment(sent.time)} is sent for {customer}.")
    return redirect("portal:customer_subscription", name=customer.name)
