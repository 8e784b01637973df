"""Creating a customer, which may put it on a plan and make its counterpart in Stripe; and listing them."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing_portal.customer_status import customer_status
from customers.api.base import VendorView, done
from customers.api.serializers import CustomerInput, MetadataInput, customer_shape, metadata_values
from customers.customer import Customer
from customers.directory import NewCustomer, create_customer


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


class CustomersView(VendorView):
    def get(self, request: Request) -> Response:
        rows = Customer.objects.of(self.vendor).prefetch_related("measurement_mappings")
        return done([customer_shape(customer) for customer in rows])

    def post(self, request: Request) -> Response:
        given = self.read(CreateCustomerInput)
        with transaction.atomic():
            customer = create_customer(
                self.vendor, _new_customer(given), actor=self.actor, now=self.now, real_now=self.real_now
            )
            self._subscribe(customer, given)
        if given["autogenerate_payment_gateway_customer"]:
            self._make_counterpart(customer)
        return done(customer_shape(customer))

    def _subscribe(self, customer: Customer, given: dict[str, Any]) -> None:
        if "price_plan_name" not in given:
            return
        from invoicing.subscriptions.verbs import subscribe

        subscribe(
            customer,
            price_plan_name=given["price_plan_name"],
            price_plan_tag=given.get("price_plan_tag", ""),
            actor=self.actor,
            now=self.now,
            real_now=self.real_now,
        )

    def _make_counterpart(self, customer: Customer) -> None:
        """After the customer is committed: where Stripe is out of reach the schedule makes it later."""
        from payments.stripe.customers import generate

        generate(customer, actor=self.actor, real_now=self.real_now)


def _new_customer(given: dict[str, Any]) -> NewCustomer:
    return NewCustomer(
        name=given["name"],
        display_name=given.get("display_name", ""),
        contact=given.get("contact_info") or {},
        tags=given.get("tags") or (),
        mappings=given.get("measurement_mappings", ()),
        metadata=metadata_values(given.get("customer_metadata", [])),
        created_at=given.get("created_at"),
    )


class CustomerStatusView(VendorView):
    def get(self, request: Request, name: str) -> Response:
        return done({"status": customer_status(self.customer(name), self.now)})
