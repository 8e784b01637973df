"""The paths that a vendor's own pages for its customers call, with the vendor's key and a ``customer_name``."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api.base import StrictSerializer, VendorView, done
from customers.api.schema import documented
from customers.customer import Customer
from customers.errors import Invalid, Missing
from payments.stripe import customer_links, methods
from payments.stripe.api.shapes import (
    MethodAnswer,
    PaymentMethodStatusAnswer,
    SetupIntentAnswer,
    method_shape,
    secret_shape,
)
from payments.stripe.methods import PaymentMethodStatus


class WhoseInput(StrictSerializer):
    customer_name = serializers.CharField(max_length=128, help_text="The customer's code name.")


class CustomerPortalView(VendorView):
    """The customer is named in the query or, where there is one, in the body: older clients do either."""

    def whose(self) -> Customer:
        in_query = "customer_name" in self.request.query_params
        given = self.read_query(WhoseInput) if in_query or self.request.method == "GET" else self.read(WhoseInput)
        return self.customer(given["customer_name"])


class PortalMethodStatusView(CustomerPortalView):
    @documented(
        "get_customer_portal_payment_method_status", query=WhoseInput, answer=PaymentMethodStatusAnswer, refusals=(404,)
    )
    def get(self, request: Request) -> Response:
        status = methods.payment_method_status(self.whose(), real_now=self.real_now)
        if status == PaymentMethodStatus.NO_PAYMENT_GATEWAY_CREDENTIAL:
            raise Invalid({"customer_name": customer_links.NO_COUNTERPART})
        return done({"status": status})


class PortalMethodView(CustomerPortalView):
    @documented("get_customer_portal_payment_method", query=WhoseInput, answer=MethodAnswer, refusals=(404,))
    def get(self, request: Request) -> Response:
        """What is charged: the default, else the newest."""
        found = methods.credential(self.whose())
        known = methods.in_order(found) if found else []
        if not known:
            raise Missing("The customer has no payment method.")
        return done(method_shape(known[0]))


class PortalSetupIntentView(CustomerPortalView):
    calls_out = frozenset({"POST"})

    @documented("create_customer_portal_setup_intent", body=WhoseInput, answer=SetupIntentAnswer, refusals=(404,))
    def post(self, request: Request) -> Response:
        """For Stripe.js. What the customer saves becomes the default."""
        return done(secret_shape(customer_links.setup_secret(self.whose(), actor=self.actor, real_now=self.real_now)))
