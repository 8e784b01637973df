"""The checklist of a new installation: it ticks itself, and goes away when its reader says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet, Subquery
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from billing_portal.accounts.models import Membership
from billing_portal.portal.access import OperatorRequest, open_verb
from customers.customer import Customer
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
    """The first row in the order of an index: beside a vendor of many rows, one of few has no table read for it."""
    questions: dict[str, QuerySet[Any]] = {
        "meter": Meter.objects.of(vendor),
        "plan": PricePlan.objects.of(vendor),
        "customer": Customer.objects.of(vendor).order_by("name"),
        "subscription": Subscription.objects.of(vendor).order_by("-effective_at", "-pk"),
        "usage": Measurement.objects.of(vendor).order_by("-received_at", "-pk"),
        "stripe": StripeConnection.objects.of(vendor).filter(is_active=True),
    }
    wanted = [Subquery(rows.values("pk")[:1]) for rows in questions.values()]
    found = Vendor.objects.filter(pk=vendor.pk).values_list(*wanted).get()
    return {key: first is not None for key, first in zip(questions, found, strict=True)}


@open_verb
def dismiss(request: OperatorRequest) -> HttpResponse:
    """For this operator alone, once all is done."""
    if all(step.is_done for step in first_steps(request)):
        mine = Membership.objects.of(request.vendor).filter(operator=request.user)
        mine.update(first_steps_done_at=request.real_now)
    return redirect("portal:dashboard")
