"""One customer, its measurement mappings and its metadata. (The list and creation need several rooms:
``billing_portal/api/customers.py``.)"""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from customers.api.base import VendorView, done
from customers.api.paging import listed
from customers.api.schema import documented
from customers.api.serializers import (
    CustomerAnswer,
    MappingAnswer,
    MappingInput,
    MappingQuery,
    MetadataAnswer,
    MetadataInput,
    MetadataQuery,
    UpdateCustomerInput,
    customer_shape,
    mapping_shape,
    metadata_shape,
    metadata_values,
)
from customers.directory import add_mapping, delete_customer, delete_mapping, set_metadata, update_customer
from customers.errors import Missing


class CustomerView(VendorView):
    @documented("get_customer", answer=CustomerAnswer)
    def get(self, request: Request, name: str) -> Response:
        return done(customer_shape(self.customer(name)))

    @documented("update_customer", body=UpdateCustomerInput, answer=CustomerAnswer)
    def put(self, request: Request, name: str) -> Response:
        """Only the fields given change."""
        customer = self.customer(name)
        given = self.read(UpdateCustomerInput)
        changed = update_customer(
            customer,
            _changes(given),
            mappings=given.get("measurement_mappings"),
            actor=self.actor,
            now=self.now,
            real_now=self.real_now,
        )
        return done(customer_shape(changed))

    @documented("delete_customer")
    def delete(self, request: Request, name: str) -> Response:
        delete_customer(self.customer(name), actor=self.actor, now=self.now, real_now=self.real_now)
        return done()


_PLAIN = ("name", "display_name", "created_at", "tax_exempt", "review_reason")


def _changes(given: dict[str, Any]) -> dict[str, Any]:
    """Columns to write. An emptied display name is made the name again."""
    changes: dict[str, Any] = {name: given[name] for name in _PLAIN if name in given}
    if "tags" in given:
        changes["tags"] = given["tags"] or []
    return {**changes, **(given.get("contact_info") or {})}


class MappingsView(VendorView):
    @documented("list_measurement_mappings", query=MappingQuery, answer=list[MappingAnswer])
    def get(self, request: Request, name: str) -> Response:
        """Oldest first."""
        rows = self.customer(name).measurement_mappings.all()
        return listed(self, rows, mapping_shape, order=("pk",), query=MappingQuery)

    @documented("create_measurement_mapping", body=MappingInput, answer=MappingAnswer)
    def post(self, request: Request, name: str) -> Response:
        customer = self.customer(name)
        rule = self.read(MappingInput)
        mapping = add_mapping(customer, rule, actor=self.actor, now=self.now, real_now=self.real_now)
        return done(mapping_shape(mapping))


class MappingView(VendorView):
    @documented("delete_measurement_mapping")
    def delete(self, request: Request, name: str, mapping_id: str) -> Response:
        customer = self.customer(name)
        if not (mapping_id.isascii() and mapping_id.isdecimal() and len(mapping_id) < 19):
            raise Missing(f"{customer.name} has no measurement mapping {mapping_id}.")
        delete_mapping(customer, int(mapping_id), actor=self.actor, now=self.now, real_now=self.real_now)
        return done()


class MetadataView(VendorView):
    @documented("list_customer_metadata", query=MetadataQuery, answer=list[MetadataAnswer])
    def get(self, request: Request, name: str) -> Response:
        """Oldest first."""
        return listed(self, self.customer(name).metadata.all(), metadata_shape, order=("pk",), query=MetadataQuery)

    @documented("set_customer_metadata", body=MetadataInput(many=True))
    def post(self, request: Request, name: str) -> Response:
        customer = self.customer(name)
        values = metadata_values(self.read(MetadataInput, many=True))
        set_metadata(customer, values, actor=self.actor, now=self.now, real_now=self.real_now)
        return done()
