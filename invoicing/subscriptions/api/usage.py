"""What a customer used of every meter."""

from __future__ import annotations

from typing import Annotated, TypedDict

from rest_framework.request import Request
from rest_framework.response import Response

from customers.api.paging import CursorQuery, listed
from customers.api.schema import documented
from invoicing.catalog.api.wire import number
from invoicing.catalog.models import Meter
from invoicing.subscriptions.api.serializers import usage_times
from invoicing.subscriptions.api.views import UsageWindowView
from invoicing.usage.aggregation import usage_of
from invoicing.usage.values import Usage


class MeterUsageAnswer(TypedDict):
    meter_name: str
    display_name: str
    unit_name: str
    usage: Annotated[float, "Of a level that is weighted by time on invoices, the latest."]


class AcrossQuery(CursorQuery):
    start_time, end_time = usage_times()


class UsageAcrossMetersView(UsageWindowView):
    @documented("get_usage_across_meters", query=AcrossQuery, answer=list[MeterUsageAnswer])
    def get(self, request: Request, name: str, token: str) -> Response:
        """By the meters' names. The ``token``, which stood for a key in Octane's links, is not looked at."""
        customer = self.customer(name)
        start, end = self.window(customer, self.read_query(AcrossQuery))
        meters = Meter.objects.of(self.vendor)
        response = listed(self, meters, lambda meter: meter, order=("name", "pk"), query=AcrossQuery)
        usage = usage_of([self.asked(customer, meter, start, end) for meter in response.data])
        response.data = [meter_usage_shape(meter, usage[meter.pk]) for meter in response.data]
        return response


def meter_usage_shape(meter: Meter, usage: Usage) -> MeterUsageAnswer:
    return {
        "meter_name": meter.name,
        "display_name": meter.display_name,
        "unit_name": meter.unit_name,
        "usage": number(usage.quantity),
    }
