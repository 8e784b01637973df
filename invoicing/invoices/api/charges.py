"""A customer's ad-hoc charges."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, TypedDict

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api.base import StrictSerializer, VendorView, done
from customers.api.paging import CursorQuery, listed
from customers.api.schema import documented
from invoicing.catalog.api.wire import number
from invoicing.invoices.charges import ChargeDraft, add_charge, remove_charge
from invoicing.subscriptions.models import AdhocCharge


class AdhocChargeInput(StrictSerializer):
    charge_time = serializers.DateTimeField(help_text="Within a billing cycle that has no invoice yet.")
    item_name = serializers.CharField(max_length=256)
    quantity = serializers.DecimalField(max_digits=30, decimal_places=12)
    total_price = serializers.IntegerField(help_text="Cents (minor units), for all of the quantity.")
    item_display_name = serializers.CharField(max_length=256, required=False, allow_blank=True)
    item_description = serializers.CharField(required=False, allow_blank=True)


class AdhocChargeQuery(CursorQuery):
    filters = {"start_time": "charge_time__gte", "end_time": "charge_time__lt"}

    start_time = serializers.DateTimeField(required=False, help_text="Only charges of this time or later.")
    end_time = serializers.DateTimeField(required=False, help_text="Only charges before this time.")


class AdhocChargeAnswer(TypedDict):
    uuid: str
    charge_time: datetime
    item_name: str
    item_display_name: str | None
    item_description: str | None
    quantity: float
    total_price: int
    charged: Annotated[Literal["true", "false"], "Whether it is on an invoice. A text: clients expect one."]


class AdhocChargesView(VendorView):
    @documented("list_adhoc_charges", query=AdhocChargeQuery, answer=list[AdhocChargeAnswer])
    def get(self, request: Request, name: str) -> Response:
        """Newest first."""
        rows = AdhocCharge.objects.of(self.vendor).filter(customer=self.customer(name)).select_related("line_item")
        return listed(self, rows, _shape, order=("-charge_time", "-pk"), query=AdhocChargeQuery)

    @documented("create_adhoc_charge", body=AdhocChargeInput, answer=AdhocChargeAnswer)
    def post(self, request: Request, name: str) -> Response:
        customer, given = self.customer(name), self.read(AdhocChargeInput)
        charge = add_charge(customer, ChargeDraft(**given), actor=self.actor, now=self.now, real_now=self.real_now)
        return done(_shape(charge))


class AdhocChargeView(VendorView):
    @documented("get_adhoc_charge", answer=AdhocChargeAnswer)
    def get(self, request: Request, name: str, uuid: str) -> Response:
        return done(_shape(self.charge(name, uuid)))

    @documented("delete_adhoc_charge")
    def delete(self, request: Request, name: str, uuid: str) -> Response:
        """Only before it is on an invoice."""
        remove_charge(self.charge(name, uuid), actor=self.actor, now=self.now, real_now=self.real_now)
        return done()

    def charge(self, name: str, uuid: str) -> AdhocCharge:
        rows = AdhocCharge.objects.of(self.vendor).filter(customer=self.customer(name)).select_related("line_item")
        return self.find_uuid(rows, "ad-hoc charge", uuid)


def _shape(charge: AdhocCharge) -> AdhocChargeAnswer:
    return {
        "uuid": str(charge.uuid),
        "charge_time": charge.charge_time,
        "item_name": charge.item_name,
        "item_display_name": charge.item_display_name or None,
        "item_description": charge.item_description or None,
        "quantity": number(charge.quantity),
        "total_price": charge.total_price,
        "charged": "true" if hasattr(charge, "line_item") else "false",
    }
