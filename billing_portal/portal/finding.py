"""Search, on every screen by Ctrl+K: whatever a customer might quote, within the vendor. What an id looks like decides
where it is looked for, each by an index: few queries, whatever is typed and however much there is.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse

from billing_portal.portal.access import OperatorRequest, screen
from billing_portal.portal.navigation import items_for, show
from billing_portal.portal.searching import customers_meant, invoices_meant
from customers.customer import Customer
from customers.events.models import WebhookEndpoint
from customers.money import format_money
from customers.vendor import Vendor
from invoicing.catalog.models import Meter, PricePlan
from invoicing.invoices.models import Invoice
from invoicing.subscriptions.models import Subscription
from payments.stripe.models import StripeConnection, StripeEvent

SHOWN = 6
LONGEST = 200

# Whose ids these are at Stripe, and what of an invoice they name.
OF_AN_INVOICE: Mapping[str, str] = {
    "in_": "external_invoice_id",
    "ch_": "payments__external_id",
    "py_": "payments__external_id",
    "pi_": "payments__external_id",
    "re_": "refunds__external_id",
    "pyr_": "refunds__external_id",
    "du_": "disputes__external_id",
    "dp_": "disputes__external_id",
}


@dataclass(frozen=True)
class Found:
    icon: str
    title: str
    detail: str
    link: str


@dataclass(frozen=True)
class Group:
    title: str
    rows: Sequence[Found]


@screen
def find(request: OperatorRequest) -> HttpResponse:
    """As a part of the page for the palette, and as a page of its own without scripts."""
    text = request.GET.get("q", "").replace("\0", "").strip()[:LONGEST]
    context = {"text": text, "groups": groups_for(request, text) if text else []}
    if request.headers.get("HX-Request"):
        return render(request, "portal/desk/_found.html", context)
    return show(request, "portal/desk/find.html", context, title="Search", area="find")


def groups_for(request: OperatorRequest, text: str) -> list[Group]:
    vendor = request.vendor
    if (given := _as_uuid(text)) is not None:
        found = _by_uuid(vendor, given)
    elif text.startswith("evt_"):
        found = [Group("Stripe events", _events(vendor, text))]
    elif field := next((field for prefix, field in OF_AN_INVOICE.items() if text.startswith(prefix)), ""):
        found = [Group("Invoices", _invoices(Invoice.objects.of(vendor).filter(**{field: text})))]
    else:
        found = [*_by_words(vendor, text), Group("Screens", _screens(request, text))]
    return [group for group in found if group.rows]


def _as_uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _by_uuid(vendor: Vendor, given: uuid.UUID) -> list[Group]:
    subscribed = Subscription.objects.of(vendor).filter(uuid=given).values("customer_id")
    lines = Invoice.objects.of(vendor).filter(line_items__uuid=given)
    endpoints = WebhookEndpoint.objects.of(vendor).filter(uuid=given)
    return [
        Group("Invoices", _invoices(Invoice.objects.of(vendor).filter(uuid=given))),
        Group("Invoices with this line", _invoices(lines)),
        Group("Customers with this subscription", _customers(Customer.objects.of(vendor).filter(pk__in=subscribed))),
        Group("Webhooks", [_endpoint(row) for row in endpoints]),
    ]


def _by_words(vendor: Vendor, text: str) -> list[Group]:
    begins = Q(name__istartswith=text) | Q(display_name__istartswith=text)
    plans = PricePlan.objects.of(vendor).filter(begins).order_by("name", "-version").distinct("name")
    meters = Meter.objects.of(vendor).filter(begins).order_by("name")
    return [
        Group("Customers", _customers(customers_meant(vendor, text).order_by("-created_at", "-pk"))),
        Group("Invoices", _invoices(invoices_meant(vendor, text).order_by("-generated_at", "-pk"))),
        Group("Price plans", [_plan(row) for row in plans[:SHOWN]]),
        Group("Meters", [_meter(row) for row in meters[:SHOWN]]),
    ]


def _plan(plan: PricePlan) -> Found:
    return Found("sell", plan.label, plan.name, reverse("portal:price_plan", args=[plan.name]))


def _meter(meter: Meter) -> Found:
    return Found("speed", str(meter), meter.name, reverse("portal:meter", args=[meter.name]))


def _endpoint(endpoint: WebhookEndpoint) -> Found:
    return Found("webhook", endpoint.url, endpoint.description, reverse("portal:webhook", args=[endpoint.uuid]))


def _invoices(rows: QuerySet[Invoice]) -> list[Found]:
    found = list(rows.select_related("customer")[:SHOWN])
    return [
        Found(
            "receipt_long",
            str(invoice),
            f"{invoice.customer} · {format_money(invoice.amount_due, invoice.currency)} · {invoice.state.label}",
            reverse("portal:invoice", args=[invoice.uuid]),
        )
        for invoice in found
    ]


def _customers(rows: QuerySet[Customer]) -> list[Found]:
    found = list(rows[:SHOWN])
    return [
        Found(
            "groups", person.display_name, f"{person.name} · {person.email or 'no e-mail address'}",
            reverse("portal:customer", args=[person.name]),
        )
        for person in found
    ]  # fmt: skip


def _events(vendor: Vendor, text: str) -> list[Found]:
    accounts = StripeConnection.objects.of(vendor).values("account_id")
    rows = StripeEvent.objects.of(vendor).filter(account_id__in=accounts, event_id=text)
    return [_event(row) for row in rows[:SHOWN]]


def _event(event: StripeEvent) -> Found:
    detail = f"{event.event_id} · {event.get_state_display()}"
    return Found("move_to_inbox", event.type, detail, reverse("portal:stripe_event", args=[event.pk]))


def _screens(request: OperatorRequest, text: str) -> list[Found]:
    wanted = text.casefold()
    return [
        Found(item.icon, item.title, group, item.link)
        for group, items in items_for(request.vendor)
        for item in items
        if any(word.startswith(wanted) for word in (item.title.casefold(), *item.title.casefold().split()))
    ]
