"""A customer's counterpart in Stripe, whether it can be charged, and the vendor's own account."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api.base import StrictSerializer, VendorView, done
from customers.api.schema import Empty, documented
from customers.errors import Conflict, Invalid, Missing
from payments.stripe import customer_sync, customers, linking, methods, own_keys
from payments.stripe.api.shapes import (
    GATEWAY,
    CounterpartAnswer,
    CredentialAnswer,
    PaymentMethodStatusAnswer,
    counterpart_shape,
    credential_shape,
)
from payments.stripe.connect import connection_of
from payments.stripe.models import StripeConnection, StripeCustomer
from payments.stripe.own_keys import Entered

NOT_MADE = "The customer has no Stripe customer. POST its account_id, or generate one."


class CredentialInput(StrictSerializer):
    ignored = frozenset({"vendor_id"})

    payment_gateway = serializers.CharField(default=GATEWAY, help_text="STRIPE.")
    account_id = serializers.CharField(max_length=255, help_text="The id of an existing Stripe customer: cus_...")
    auth_token = serializers.CharField(
        required=False, allow_null=True, allow_blank=True, help_text="Not used for Stripe. Leave it out."
    )

    def validate_payment_gateway(self, given: str) -> str:
        return known_gateway(given)


class CustomerCredentialView(VendorView):
    calls_out = frozenset({"POST"})

    @documented("get_customer_payment_gateway_credential", answer=CredentialAnswer)
    def get(self, request: Request, name: str) -> Response:
        found = methods.credential(self.customer(name))
        if found is None or found.state != StripeCustomer.State.LINKED:
            raise Missing(_why_none(found))
        return done(credential_shape(found.external_id))

    @documented("link_customer_payment_gateway_credential", body=CredentialInput, answer=CredentialAnswer)
    def post(self, request: Request, name: str) -> Response:
        """Links a customer that exists in Stripe. Nothing is changed there."""
        customer = self.customer(name)
        given = self.read(CredentialInput)
        linked = linking.link(customer, given["account_id"], actor=self.actor, real_now=self.real_now)
        return done(credential_shape(linked.external_id))

    @documented("unlink_customer_payment_gateway_credential", answer=Empty, refusals=(409,))
    def delete(self, request: Request, name: str) -> Response:
        """Forgets the Stripe customer, which stays as it is. Refused while invoices are in flight through Stripe."""
        linking.unlink(self.customer(name), actor=self.actor, real_now=self.real_now)
        return done()


class GenerateCounterpartView(VendorView):
    calls_out = frozenset({"POST"})

    @documented("generate_customer_payment_gateway_credential", answer=CounterpartAnswer)
    def post(self, request: Request, name: str) -> Response:
        """Makes the customer in Stripe. Where Stripe is out of reach the state is pending: it is made later."""
        customer = self.customer(name)
        made = customers.generate(customer, actor=self.actor, real_now=self.real_now)
        if made.state == StripeCustomer.State.FAILED:
            raise Conflict(made.last_error, code="stripe_refused")
        return done(counterpart_shape(made))


class SyncView(VendorView):
    @documented("get_customer_payment_gateway_sync", answer=CounterpartAnswer)
    def get(self, request: Request, name: str) -> Response:
        """The counterpart's state, and whether Stripe has the customer's newest data."""
        return done(counterpart_shape(self._counterpart(name)))

    @documented("send_customer_to_payment_gateway", answer=CounterpartAnswer)
    def post(self, request: Request, name: str) -> Response:
        """Sends the customer's name, e-mail, phone and address, whatever the settings say. A worker does it."""
        customer_sync.send_now(self.customer(name))
        return done(counterpart_shape(self._counterpart(name)))

    def _counterpart(self, name: str) -> StripeCustomer:
        found = methods.credential(self.customer(name))
        if found is None:
            raise Missing(NOT_MADE)
        return found


class PaymentMethodStatusView(VendorView):
    @documented("get_customer_payment_method_status", answer=PaymentMethodStatusAnswer)
    def get(self, request: Request, name: str) -> Response:
        return done({"status": methods.payment_method_status(self.customer(name), real_now=self.real_now)})


class VendorCredentialInput(StrictSerializer):
    ignored = frozenset({"vendor_id"})

    payment_gateway = serializers.CharField(default=GATEWAY, help_text="STRIPE.")
    auth_token = serializers.CharField(
        max_length=255, help_text="A secret or restricted key of the account: sk_... or rk_... It is never shown again."
    )
    account_id = serializers.CharField(
        max_length=64, required=False, allow_blank=True, help_text="Checked where given: the account the key is of."
    )
    publishable_key = serializers.CharField(
        max_length=255, required=False, allow_blank=True, help_text="pk_... Needed for setup intents only."
    )
    webhook_secret = serializers.CharField(
        max_length=255,
        required=False,
        allow_blank=True,
        help_text="whsec_... of an endpoint made in Stripe's dashboard. One can be registered in the portal instead.",
    )

    def validate_payment_gateway(self, given: str) -> str:
        return known_gateway(given)


class VendorCredentialView(VendorView):
    calls_out = frozenset({"POST"})

    @documented("get_payment_gateway_credential", answer=CredentialAnswer, refusals=(404,))
    def get(self, request: Request) -> Response:
        connection = connection_of(self.vendor)
        if connection is None:
            raise Missing("No Stripe account is connected. Connect one under Settings -> Invoicing & Payments.")
        return done(credential_shape(connection.account_id))

    @documented("set_payment_gateway_credential", body=VendorCredentialInput, answer=CredentialAnswer, refusals=(409,))
    def post(self, request: Request) -> Response:
        """Connects the account a key of your own belongs to, in the key's mode, or changes that key. It acts at once
        where no other account acts. An installation that is a Connect platform connects accounts in the portal."""
        given = self.read(VendorCredentialInput)
        livemode = own_keys.mode_of(given["auth_token"])
        if livemode is None:
            raise Invalid({"auth_token": "A secret key starts with sk_test_, sk_live_, rk_test_ or rk_live_."})
        entered = Entered(given["auth_token"], given.get("publishable_key", ""), given.get("webhook_secret", ""))
        made = self._connected(entered, livemode, given.get("account_id", ""))
        return done(credential_shape(made.account_id))

    def _connected(self, entered: Entered, livemode: bool, account_id: str) -> StripeConnection:
        try:
            return own_keys.connect_with(
                self.vendor, entered, livemode=livemode, actor=self.actor, real_now=self.real_now, account_id=account_id
            )
        except Invalid as refusal:
            raise Invalid({NAMED.get(name, name): said for name, said in refusal.errors.items()}) from refusal


# What existing clients call the secret key.
NAMED = {"secret_key": "auth_token"}


def known_gateway(given: str) -> str:
    if given.upper() != GATEWAY:
        raise serializers.ValidationError(f"{given!r} is not a payment gateway here. Use {GATEWAY}.")
    return GATEWAY


def _why_none(found: StripeCustomer | None) -> str:
    if found is not None and found.state == StripeCustomer.State.PENDING:
        return "The Stripe customer is being made. Ask again in a minute."
    return f"{NOT_MADE} {found.last_error}".strip() if found is not None else NOT_MADE
