"""/measurements and /live_measurements."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import IO, Any

from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from customers.actors import Access
from customers.api.base import VendorView, done
from customers.api.paging import listed
from customers.api.schema import documented
from customers.customer import Customer
from invoicing.catalog.models import Aggregation, Meter
from invoicing.usage import by_time
from invoicing.usage.api.serializers import (
    CSV,
    LiveMeasurementAnswer,
    LiveQuery,
    MeasurementAnswer,
    MeasurementInput,
    TakenInAnswer,
    UsageByTimeAnswer,
    UsageByTimeInput,
    measurement_shape,
    reading_shape,
    taken_in_shape,
    usage_by_time_shape,
)
from invoicing.usage.buckets import Bucket, edges
from invoicing.usage.csv_files import CsvUpload
from invoicing.usage.intake import take_in, take_in_file, take_in_one
from invoicing.usage.models import Measurement


class MeasurementView(VendorView):
    """One measurement. The same meter, customer and primary labels with the same id, or without ids with the same
    time, replaces the earlier one."""

    access = {"POST": Access.MEASURE}

    @documented("send_measurement", body=MeasurementInput, answer=MeasurementAnswer)
    def post(self, request: Request) -> Response:
        reading = take_in_one(self.vendor, request.data, now=self.now, real_now=self.real_now)
        return done(reading_shape(reading))


class MeasurementsView(VendorView):
    """A list of measurements: all of them are taken, or none."""

    access = {"POST": Access.MEASURE}

    @documented("send_measurements", body=MeasurementInput(many=True), answer=list[MeasurementAnswer])
    def post(self, request: Request) -> Response:
        readings = take_in(self.vendor, request.data, now=self.now, real_now=self.real_now)
        return done([reading_shape(reading) for reading in readings])


class CsvParser(BaseParser):
    media_type = "text/csv"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        return CsvUpload(stream)


class MeasurementsFileView(VendorView):
    """A CSV file of measurements: all of its rows are taken, or none."""

    access = {"POST": Access.MEASURE}
    parser_classes = [CsvParser]

    @documented("send_measurements_file", body={"text/csv": CSV}, answer=TakenInAnswer)
    def post(self, request: Request) -> Response:
        """The first row names the columns: value, and either meter_name or event_name; where they are known
        customer_name, time, id, reset_total, and labels.KEY for each label. An empty cell counts as left out.
        64 MB at most. A row at fault is named as a spreadsheet numbers it, and nothing is taken."""
        # Of an empty body no parser is asked.
        upload = request.data if isinstance(request.data, CsvUpload) else CsvUpload(BytesIO())
        taken = take_in_file(self.vendor, upload, now=self.now, real_now=self.real_now)
        return done(taken_in_shape(taken))


class LiveMeasurementsView(VendorView):
    """The newest measurements, by when they arrived."""

    @documented("list_live_measurements", query=LiveQuery, answer=list[LiveMeasurementAnswer])
    def get(self, request: Request) -> Response:
        rows = Measurement.objects.of(self.vendor).select_related("meter", "customer")
        return listed(self, rows, measurement_shape, order=("-received_at", "-pk"), query=LiveQuery)


class UsageByTimeView(VendorView):
    """What was measured in each hour or day of the vendor's time zone. Each bucket is aggregated on its own."""

    access = {"POST": Access.READ}

    @documented("usage_by_time", body=UsageByTimeInput, answer=UsageByTimeAnswer)
    def post(self, request: Request, name: str) -> Response:
        customer, asked = self.customer(name), self.read(UsageByTimeInput)
        bucket = Bucket(asked["time_bucket"])
        edges(asked["start_time"], self.now, bucket, self.vendor.zone)
        question = self._question(customer, asked)
        by_time.check(question)
        found = by_time.usage_by_time(question, bucket)
        return done(usage_by_time_shape(question, by_time.total_usage(question), found))

    def _question(self, customer: Customer, asked: dict[str, Any]) -> by_time.Question:
        meter = self.find_named(Meter.objects.of(self.vendor), "meter", asked["meter_name"])
        return by_time.Question(
            customer=customer,
            meter=meter,
            start=asked["start_time"],
            end=self.now,
            aggregation=Aggregation(asked.get("aggregate") or meter.aggregation),
            label_filters={given["key"]: given["value"] for given in asked["label_filters"]},
            group_by=tuple(dict.fromkeys(asked["label_group_by_keys"])),
        )
