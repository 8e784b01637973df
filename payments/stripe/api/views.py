"""A customer's counterpart in Stripe, whether it can be charged, and the vendor's own account."""

from __future__ import annotations

from typing import Literal, TypedDict

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api.base import StrictSerializer, VendorView, done
from customers.api.schema import documented
from customers.errors import Missing
from payments.stripe import customers
from payments.stripe.connect import connection_of
from payments.stripe.customers import PaymentMethodStatus
from payments.stripe.models import StripeCustomer

GATEWAY: Literal["STRIPE"] = "STRIPE"

NOT_MADE = "The customer has no Stripe customer. POST its account_id, or generate one under Integrations -> Payments."


class CredentialAnswer(TypedDict):
    """No secret of ours is ever handed out, so there is no token."""

    payment_gateway: Literal["STRIPE"]
    account_id: str
    auth_token: None


class PaymentMethodStatusAnswer(TypedDict):
    status: PaymentMethodStatus


class CredentialInput(StrictSerializer):
    ignored = frozenset({"vendor_id"})

    payment_gateway = serializers.CharField(default=GATEWAY, help_text="STRIPE.")
    account_id = serializers.CharField(max_length=255, help_text="The id of an existing Stripe customer: cus_...")
    auth_token = serializers.CharField(
        required=False, allow_null=True, allow_blank=True, help_text="Not used for Stripe. Leave it out."
    )

    def validate_payment_gateway(self, given: str) -> str:
        if given.upper() != GATEWAY:
            raise serializers.ValidationError(f"{given!r} is not a payment gateway here. Use {GATEWAY}.")
        return GATEWAY


class CustomerCredentialView(VendorView):
    calls_out = frozenset({"POST"})

    @documented("get_customer_payment_gateway_credential", answer=CredentialAnswer)
    def get(self, request: Request, name: str) -> Response:
        found = customers.credential(self.customer(name))
        if found is None or found.state != StripeCustomer.State.LINKED:
            raise Missing(_why_none(found))
        return done(_shape(found.external_id))

    @documented("link_customer_payment_gateway_credential", body=CredentialInput, answer=CredentialAnswer)
    def post(self, request: Request, name: str) -> Response:
        """Links a customer that exists in Stripe."""
        customer = self.customer(name)
        given = self.read(CredentialInput)
        linked = customers.link(customer, given["account_id"], actor=self.actor, real_now=self.real_now)
        return done(_shape(linked.external_id))


class PaymentMethodStatusView(VendorView):
    @documented("get_customer_payment_method_status", answer=PaymentMethodStatusAnswer)
    def get(self, request: Request, name: str) -> Response:
        return done({"status": customers.payment_method_status(self.customer(name), real_now=self.real_now)})


class VendorCredentialView(VendorView):
    @documented("get_payment_gateway_credential", answer=CredentialAnswer, refusals=(404,))
    def get(self, request: Request) -> Response:
        connection = connection_of(self.vendor)
        if connection is None:
            raise Missing("No Stripe account is connected. Connect one under Settings -> Invoicing & Payments.")
        return done(_shape(connection.account_id))


def _why_none(found: StripeCustomer | None) -> str:
    if found is not None and found.state == StripeCustomer.State.PENDING:
        return "The Stripe customer is being made. Ask again in a minute."
    return f"{NOT_MADE} {found.last_error}".strip() if found is not None else NOT_MADE


def _shape(account_id: str) -> CredentialAnswer:
    return {"payment_gateway": GATEWAY, "account_id": account_id, "auth_token": None}
