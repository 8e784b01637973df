"""A customer's Integrations -> Payments: its Stripe customer, its payment methods, and what it is handed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect

from billing_portal.accounts.roles import Permission
from billing_portal.portal import customer_facts
from billing_portal.portal.access import OperatorRequest, screen, verb
from billing_portal.portal.customers import find, show_tab
from customers.customer import Customer
from customers.errors import Invalid, Refused
from customers.settings.policy import policy_for
from payments.stripe import customer_links, customer_sync, customers, linking, methods
from payments.stripe.connect import connection_of
from payments.stripe.customer_fields import not_sent
from payments.stripe.customer_links import Link
from payments.stripe.models import StripeCustomer

UNLINKING = (
    "Invoices can then not be issued through Stripe until another is generated or linked. The Stripe customer itself "
    "stays as it is, with its payment methods."
)


@screen
def payments(request: OperatorRequest, name: str) -> HttpResponse:
    return _page(request, find(request, name))


def _page(request: OperatorRequest, customer: Customer, **more: Any) -> HttpResponse:
    stripe = customer_facts.acting_stripe(customer)
    context = {
        "connection": connection_of(request.vendor),
        "stripe": stripe,
        "methods": _methods(stripe, customer, request),
        "sync": customer_sync.standing(stripe) if stripe else None,
        "syncs": policy_for(customer).sync_customer_data_to_payment_gateway,
        "not_sent": not_sent(customer),
        "unlinking": UNLINKING,
        **more,
    }
    return show_tab(request, customer, "customer_payments", context)


def _methods(stripe: StripeCustomer | None, customer: Customer, request: OperatorRequest) -> list[dict[str, Any]]:
    if stripe is None:
        return []
    today = customer.vendor.today(request.real_now)
    return [{"method": method, "expired": method.is_expired(today)} for method in methods.in_order(stripe)]


# The Stripe customer


@verb(Permission.LINK_CUSTOMER)
def generate(request: OperatorRequest, name: str) -> HttpResponse:
    customer = find(request, name)
    try:
        customers.generate(customer, actor=request.actor, real_now=request.real_now)
    except Refused as refusal:
        messages.error(request, refusal.message)
    return _tell_counterpart(request, customer)


@verb(Permission.LINK_CUSTOMER)
def link(request: OperatorRequest, name: str) -> HttpResponse:
    customer = find(request, name)
    external_id = request.POST.get("external_id", "").strip()
    try:
        linking.link(customer, external_id, actor=request.actor, real_now=request.real_now)
    except Refused as refusal:
        return _refuse(request, customer, refusal)
    return _tell_counterpart(request, customer)


@verb(Permission.LINK_CUSTOMER)
def unlink(request: OperatorRequest, name: str) -> HttpResponse:
    return _do(
        request,
        name,
        lambda customer: linking.unlink(customer, actor=request.actor, real_now=request.real_now),
        "{} is not linked with a Stripe customer any more.",
    )


@verb(Permission.LINK_CUSTOMER)
def send(request: OperatorRequest, name: str) -> HttpResponse:
    return _do(request, name, customer_sync.send_now, "The name, e-mail, phone and address of {} go to Stripe now.")


def _tell_counterpart(request: OperatorRequest, customer: Customer) -> HttpResponse:
    """Say in words what Stripe answered, as it was written down."""
    stripe = customer_facts.acting_stripe(find(request, customer.name))
    if stripe and stripe.external_id and stripe.state == StripeCustomer.State.LINKED:
        messages.success(request, f"{customer} is linked with the Stripe customer {stripe.external_id}.")
    elif stripe:
        messages.warning(request, f"Stripe has not made a customer for {customer} yet. {stripe.last_error}".strip())
    return _back(customer)


# Its payment methods


@verb(Permission.LINK_CUSTOMER)
def choose_default(request: OperatorRequest, name: str, method: str) -> HttpResponse:
    def choose(customer: Customer) -> None:
        methods.choose_default(_linked(customer), method, actor=request.actor, real_now=request.real_now)

    return _do(request, name, choose, "Stripe charges {} with another payment method from now on.")


@verb(Permission.LINK_CUSTOMER)
def remove(request: OperatorRequest, name: str, method: str) -> HttpResponse:
    def detach(customer: Customer) -> None:
        methods.remove(_linked(customer), method, actor=request.actor, real_now=request.real_now)

    return _do(request, name, detach, "The payment method of {} is removed.")


def _linked(customer: Customer) -> StripeCustomer:
    found = methods.credential(customer)
    if found is None or found.state != StripeCustomer.State.LINKED:
        raise Refused(customer_links.NO_COUNTERPART)
    return found


# What the customer is handed. The page that answers shows it once; it is kept nowhere.


@verb(Permission.LINK_CUSTOMER)
def make_card_link(request: OperatorRequest, name: str) -> HttpResponse:
    return _show_link(request, name, customer_links.card_link, "save a payment method, which becomes the default")


@verb(Permission.LINK_CUSTOMER)
def make_portal_link(request: OperatorRequest, name: str) -> HttpResponse:
    return _show_link(request, name, customer_links.portal_link, "look after its payment methods in Stripe")


def _show_link(request: OperatorRequest, name: str, make: Callable[..., Link], purpose: str) -> HttpResponse:
    customer = find(request, name)
    try:
        made = make(customer, actor=request.actor, real_now=request.real_now)
    except Refused as refusal:
        return _refuse(request, customer, refusal)
    return _page(request, customer, link=made, purpose=purpose)


# What they share


def _do(request: OperatorRequest, name: str, act: Callable[[Customer], object], done: str) -> HttpResponse:
    customer = find(request, name)
    try:
        act(customer)
    except Refused as refusal:
        return _refuse(request, customer, refusal)
    messages.success(request, done.format(customer))
    return _back(customer)


def _refuse(request: OperatorRequest, customer: Customer, refusal: Refused) -> HttpResponse:
    words = refusal.message
    if isinstance(refusal, Invalid):  # without the names of fields that the screen does not show
        words = " ".join(problem for problems in refusal.errors.values() for problem in problems)
    messages.error(request, words)
    return _back(customer)


def _back(customer: Customer) -> HttpResponse:
    return redirect("portal:customer_payments", name=customer.name)
