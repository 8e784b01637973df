"""The checklist of a new installation: it ticks itself, and goes away when its reader says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Exists, QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from billing_portal.accounts.models import Membership
from billing_portal.portal.access import OperatorRequest, open_verb
from customers.customer import Customer
from customers.scoping import VendorOwned
from customers.vendor import Vendor
from invoicing.models import Measurement, Meter, PricePlan, Subscription
from payments.stripe.models import StripeConnection


@dataclass(frozen=True)
class FirstStep:
    title: str
    why: str
    link: str
    is_done: bool


def first_steps(request: OperatorRequest) -> Sequence[FirstStep]:
    """Empty for who has sent the list away. One query, whatever the vendor holds."""
    mine = next(one for one in request.memberships if one.vendor_id == request.vendor.pk)
    if mine.first_steps_done_at is not None:
        return []
    done = _done(request.vendor)
    someone = reverse("portal:customers")
    return [
        FirstStep(
            "Connect Stripe", "So that invoices can be charged.",
            reverse("portal:billing_settings") + "#stripe", done["stripe"],
        ),
        FirstStep(
            "Create a meter", "What you measure: requests, gigabytes, seats.",
            reverse("portal:new_meter"), done["meter"],
        ),
        FirstStep("Create a price plan", "What it costs.", reverse("portal:new_price_plan"), done["plan"]),
        FirstStep("Create a customer", "Whom you bill.", reverse("portal:new_customer"), done["customer"]),
        FirstStep("Subscribe the customer", "From then on its billing cycles run.", someone, done["subscription"]),
        FirstStep("Send usage", "By the API, or on the customer's page.", someone, done["usage"]),
    ]  # fmt: skip


def _done(vendor: Vendor) -> dict[str, bool]:
    questions: dict[str, type[VendorOwned]] = {
        "meter": Meter,
        "plan": PricePlan,
        "customer": Customer,
        "subscription": Subscription,
        "usage": Measurement,
    }
    asked: dict[str, QuerySet[VendorOwned]] = {key: model.objects.of(vendor) for key, model in questions.items()}
    acting = StripeConnection.objects.of(vendor).filter(is_active=True)
    wanted = {key: Exists(rows) for key, rows in asked.items()} | {"stripe": Exists(acting)}
    found = Vendor.objects.filter(pk=vendor.pk).values_list(*wanted.values()).get()
    return dict(zip(wanted, found, strict=True))


@open_verb
def dismiss(request: OperatorRequest) -> HttpResponse:
    """For this operator alone, once all is done."""
    if all(step.is_done for step in first_steps(request)):
        mine = Membership.objects.of(request.vendor).filter(operator=request.user)
        mine.update(first_steps_done_at=request.real_now)
    return redirect("portal:dashboard")
