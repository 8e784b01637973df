"""Usage limits, changed where usage is held against them: beside a customer's subscription."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect

from billing_portal.accounts.roles import Permission
from billing_portal.portal.access import OperatorRequest, verb
from billing_portal.portal.customer_subscription import show_subscription
from billing_portal.portal.customers import find
from billing_portal.portal.forms import refuse
from billing_portal.portal.limit_forms import LimitsForm
from customers.errors import Missing, Refused
from invoicing.catalog.limits import find_component, update_limits


@verb(Permission.CHANGE_CATALOG)
def change_limits(request: OperatorRequest, name: str, uuid: UUID) -> HttpResponse:
    """Of a metered component, for all subscribers of its version of the plan."""
    customer = find(request, name)
    try:
        component = find_component(request.vendor, str(uuid))
    except Missing as missing:
        raise Http404(missing.message) from None
    form = LimitsForm(component, request.POST)
    if form.is_valid():
        try:
            update_limits(component, form.values(), actor=request.actor, now=request.now, real_now=request.real_now)
        except Refused as refusal:
            refuse(form, refusal)
        else:
            messages.success(request, f"The usage limits of {component.label} are changed.")
            return redirect("portal:customer_subscription", name=customer.name)
    return show_subscription(request, customer, **{form.place: form})
