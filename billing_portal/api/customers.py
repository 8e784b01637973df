"""Creating a customer, which may put it on a plan and make its counterpart in Stripe; and listing them."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired, TypedDict

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing_portal.api.idempotency import once
from billing_portal.customer_status import CustomerStatus, customer_status
from customers.api.base import VendorView, done
from customers.api.paging import CursorQuery, listed, names_field
from customers.api.schema import documented
from customers.api.serializers import (
    CustomerAnswer,
    CustomerInput,
    MetadataInput,
    customer_shape,
    metadata_values,
)
from customers.customer import Customer, TaxExempt
from customers.directory import NewCustomer, create_customer
from customers.errors import Invalid, Missing
from invoicing.catalog.verbs import find_plan
from invoicing.subscriptions.verbs import subscribe
from payments.stripe.connect import connection_of
from payments.stripe.customers import credential, generate
from payments.stripe.models import StripeCustomer


class CreateCustomerInput(CustomerInput):
    name = serializers.CharField(max_length=128, help_text="Unique code name, for example your own customer id.")
    customer_metadata = MetadataInput(many=True, required=False)
    price_plan_name = serializers.CharField(required=False, help_text="Subscribe to this plan, effective at once.")
    price_plan_tag = serializers.CharField(required=False, help_text="The plan's version with this tag.")
    autogenerate_payment_gateway_customer = serializers.BooleanField(
        default=False, help_text="Make the customer's counterpart in Stripe too."
    )
    autogenerate_accounting_customer = serializers.BooleanField(default=False)

    def validate_autogenerate_accounting_customer(self, wanted: bool) -> bool:
        if wanted:
            raise serializers.ValidationError("No accounting system can be connected. Leave this field out.")
        return wanted

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if given.get("price_plan_tag") and not given.get("price_plan_name"):
            raise serializers.ValidationError({"price_plan_name": "Needed beside price_plan_tag."})
        return given


class GatewayCustomerAnswer(TypedDict):
    """How it went in Stripe."""

    account_id: Annotated[str | None, "The Stripe customer's id; null until it exists."]
    state: StripeCustomer.State
    problem: str | None


class NewCustomerAnswer(CustomerAnswer):
    payment_gateway_customer: NotRequired[Annotated[GatewayCustomerAnswer, "Where its making was asked for."]]


class CustomerStatusAnswer(TypedDict):
    status: CustomerStatus


class CustomerQuery(CursorQuery):
    filters = {"names": "name__in", "created_since": "created_at__gte"}

    names = names_field()
    created_since = serializers.DateTimeField(required=False)


class CustomersView(VendorView):
    calls_out = frozenset({"POST"})

    @documented("list_customers", query=CustomerQuery, answer=list[CustomerAnswer])
    def get(self, request: Request) -> Response:
        """By name."""
        rows = Customer.objects.of(self.vendor).prefetch_related("measurement_mappings")
        return listed(self, rows, customer_shape, order=("name",), query=CustomerQuery)

    @documented("create_customer", body=CreateCustomerInput, answer=NewCustomerAnswer)
    def post(self, request: Request) -> Response:
        given = self.read(CreateCustomerInput)
        wants_counterpart = given["autogenerate_payment_gateway_customer"]
        if wants_counterpart:
            self._check_gateway()
        created = once("customer", lambda: self._create(given))
        customer = self.find(Customer.objects.of(self.vendor), "customer", pk=created)
        # The customer is committed before Stripe is asked; out of reach, the schedule makes the counterpart later.
        return done(_new_customer_shape(customer, self._counterpart(customer) if wants_counterpart else None))

    def _create(self, given: dict[str, Any]) -> int:
        customer = create_customer(
            self.vendor, _new_customer(given), actor=self.actor, now=self.now, real_now=self.real_now
        )
        if "price_plan_name" in given:
            self._subscribe(customer, given["price_plan_name"], given.get("price_plan_tag", ""))
        return customer.pk

    def _counterpart(self, customer: Customer) -> StripeCustomer:
        """After a crash it may be there already, or be under way: then the schedule brings it to its end."""
        return credential(customer) or generate(customer, actor=self.actor, real_now=self.real_now)

    def _check_gateway(self) -> None:
        if connection_of(self.vendor) is None:
            refusal = "No Stripe account is connected. Connect one, or leave this field out."
            raise Invalid({"autogenerate_payment_gateway_customer": refusal})

    def _subscribe(self, customer: Customer, plan_name: str, tag: str) -> None:
        try:
            plan = find_plan(self.vendor, plan_name, tag)
        except Missing as error:
            raise Invalid({"price_plan_tag" if tag else "price_plan_name": error.message}) from None
        subscribe(customer, plan, actor=self.actor, now=self.now, real_now=self.real_now)


def _new_customer(given: dict[str, Any]) -> NewCustomer:
    return NewCustomer(
        name=given["name"],
        display_name=given.get("display_name", ""),
        contact=given.get("contact_info") or {},
        tags=given.get("tags") or (),
        mappings=given.get("measurement_mappings", ()),
        metadata=metadata_values(given.get("customer_metadata", [])),
        created_at=given.get("created_at"),
        tax_exempt=given.get("tax_exempt", TaxExempt.NONE),
        review_reason=given.get("review_reason", ""),
    )


def _new_customer_shape(customer: Customer, counterpart: StripeCustomer | None) -> CustomerAnswer | NewCustomerAnswer:
    shape = customer_shape(customer)
    if counterpart is None:
        return shape
    made: GatewayCustomerAnswer = {
        "account_id": counterpart.external_id or None,
        "state": StripeCustomer.State(counterpart.state),
        "problem": counterpart.last_error or None,
    }
    return {**shape, "payment_gateway_customer": made}


class CustomerStatusView(VendorView):
    @documented("get_customer_status", answer=CustomerStatusAnswer)
    def get(self, request: Request, name: str) -> Response:
        return done({"status": customer_status(self.customer(name), self.now)})
