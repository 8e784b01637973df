"""/measurements and /live_measurements."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from customers.api.base import VendorView, done
from customers.api.schema import documented
from invoicing.usage.api.serializers import (
    LiveMeasurementAnswer,
    LiveQuery,
    MeasurementAnswer,
    MeasurementInput,
    measurement_shape,
    reading_shape,
)
from invoicing.usage.intake import take_in, take_in_one
from invoicing.usage.models import Measurement


class MeasurementView(VendorView):
    """One measurement. The same meter, customer, time, primary labels and id replaces the earlier one."""

    @documented("send_measurement", body=MeasurementInput, answer=MeasurementAnswer)
    def post(self, request: Request) -> Response:
        reading = take_in_one(self.vendor, request.data, now=self.now, real_now=self.real_now)
        return done(reading_shape(reading))


class MeasurementsView(VendorView):
    """A list of measurements: all of them are taken, or none."""

    @documented("send_measurements", body=MeasurementInput(many=True), answer=list[MeasurementAnswer])
    def post(self, request: Request) -> Response:
        readings = take_in(self.vendor, request.data, now=self.now, real_now=self.real_now)
        return done([reading_shape(reading) for reading in readings])


class LiveMeasurementsView(VendorView):
    """The newest measurements, by when they arrived."""

    @documented("list_live_measurements", query=LiveQuery, answer=list[LiveMeasurementAnswer])
    def get(self, request: Request) -> Response:
        asked = self.read_query(LiveQuery)
        rows = Measurement.objects.of(self.vendor).filter(**_filters(asked)).select_related("meter", "customer")
        newest = rows.order_by("-received_at", "-pk")[: asked["limit"]]
        return done([measurement_shape(row) for row in newest])


def _filters(asked: dict[str, Any]) -> dict[str, Any]:
    columns = {"customer_name": "customer__name", "meter_name": "meter__name"}
    return {column: asked[name] for name, column in columns.items() if name in asked}
