"""A customer's payment methods, and what the customer is handed to save one."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from customers.api.base import VendorView, done
from customers.api.schema import documented
from customers.customer import Customer
from customers.errors import Conflict
from payments.stripe import customer_links, methods
from payments.stripe.api.shapes import (
    LinkAnswer,
    ListedMethodAnswer,
    SetupIntentAnswer,
    link_shape,
    listed_method_shape,
    secret_shape,
)
from payments.stripe.models import StripeCustomer


def linked(customer: Customer) -> StripeCustomer:
    found = methods.credential(customer)
    if found is None or found.state != StripeCustomer.State.LINKED:
        raise Conflict(customer_links.NO_COUNTERPART, code="no_stripe_customer")
    return found


def _listed(row: StripeCustomer) -> Response:
    return done([listed_method_shape(method) for method in methods.in_order(row)])


class PaymentMethodsView(VendorView):
    @documented("list_customer_payment_methods", answer=list[ListedMethodAnswer])
    def get(self, request: Request, name: str) -> Response:
        """As last seen in Stripe, whose webhooks keep it up to date; the default first."""
        found = methods.credential(self.customer(name))
        return done([]) if found is None else _listed(found)


class PaymentMethodView(VendorView):
    calls_out = frozenset({"DELETE"})

    @documented("remove_customer_payment_method", answer=list[ListedMethodAnswer])
    def delete(self, request: Request, name: str, method: str) -> Response:
        """Detaches it in Stripe, for good. Answers what is left."""
        row = linked(self.customer(name))
        methods.remove(row, method, actor=self.actor, real_now=self.real_now)
        return _listed(row)


class DefaultPaymentMethodView(VendorView):
    calls_out = frozenset({"POST"})

    @documented("make_customer_payment_method_default", answer=list[ListedMethodAnswer])
    def post(self, request: Request, name: str, method: str) -> Response:
        """Lets Stripe charge it by itself from now on. Answers all methods."""
        row = linked(self.customer(name))
        methods.choose_default(row, method, actor=self.actor, real_now=self.real_now)
        return _listed(row)


class SetupIntentView(VendorView):
    calls_out = frozenset({"POST"})

    @documented("create_customer_setup_intent", answer=SetupIntentAnswer)
    def post(self, request: Request, name: str) -> Response:
        """For a page of your own, with Stripe.js. What the customer saves there becomes the default."""
        return done(
            secret_shape(customer_links.setup_secret(self.customer(name), actor=self.actor, real_now=self.real_now))
        )


class CardLinkView(VendorView):
    calls_out = frozenset({"POST"})

    @documented("create_customer_payment_method_link", answer=LinkAnswer)
    def post(self, request: Request, name: str) -> Response:
        """A page of Stripe's on which the customer saves a payment method, which becomes the default."""
        return done(link_shape(customer_links.card_link(self.customer(name), actor=self.actor, real_now=self.real_now)))


class PortalLinkView(VendorView):
    calls_out = frozenset({"POST"})

    @documented("create_customer_billing_portal_link", answer=LinkAnswer)
    def post(self, request: Request, name: str) -> Response:
        """Stripe's billing portal, signed in as the customer. Hand it on at once: it lasts minutes."""
        return done(
            link_shape(customer_links.portal_link(self.customer(name), actor=self.actor, real_now=self.real_now))
        )
