"""Whose measurement is it, and on which meters? Answered for a whole batch with three queries."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

import re2
from django.db.models import Q

from customers.customer import Customer, MeasurementMapping
from customers.errors import Invalid
from customers.vendor import Vendor
from invoicing.catalog.labels import passes
from invoicing.catalog.models import Meter
from invoicing.usage.models import UnattributedMeasurement
from invoicing.usage.readings import Reading

# They are part of the key of the table of measurements, whose entries the database limits.
MOST_STREAM_BYTES = 1500

Reason = UnattributedMeasurement.Reason

# A mapping without any of these characters is compared as it stands; vendors have one for each customer.
_SPECIAL = frozenset(r"\.^$*+?()[]{}|")
_HAS_SPECIAL = r"[\\.^$*+?()\[\]{}|]"


def literal(value: str) -> str:
    """The pattern that matches just this value."""
    return "".join(f"\\{one}" if one in _SPECIAL else one for one in value)


class Unattributed(Exception):
    """Nobody's yet. Not an error: it is kept until its customer or meter appears."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Attribution:
    """``meters`` is empty where the filters of all meters let the event pass by: it counts nowhere."""

    customer_id: int
    meters: Sequence[Meter]


class Directory:
    """The meters, customers and mappings that a batch may need, read once."""

    def __init__(self, vendor: Vendor, readings: Sequence[Reading]) -> None:
        self._by_name, self._by_event = _meters(vendor, readings)
        self._customers = _customers(vendor, readings)
        self._mappings = _Mappings(vendor, [reading for reading in readings if not reading.customer_name])

    def attribute(self, reading: Reading) -> Attribution:
        """Raises ``Unattributed``."""
        meters = self._meters_of(reading)
        return Attribution(self._customer_of(reading), meters)

    def _meters_of(self, reading: Reading) -> Sequence[Meter]:
        if reading.meter_name:
            named = self._by_name.get(reading.meter_name)
            found = [named] if named else []
        else:
            found = self._by_event.get(reading.event_name, [])
        if not found:
            raise Unattributed(Reason.NO_METER)
        if reading.meter_name:
            return found
        return [meter for meter in found if passes(meter.event_label_filter, reading.labels)]

    def _customer_of(self, reading: Reading) -> int:
        if reading.customer_name:
            customer = self._customers.get(reading.customer_name)
            if customer is None:
                raise Unattributed(Reason.NO_CUSTOMER)
            return customer
        return self._mappings.customer_of(reading.labels)


def _meters(vendor: Vendor, readings: Iterable[Reading]) -> tuple[dict[str, Meter], dict[str, list[Meter]]]:
    names = {reading.meter_name for reading in readings} - {""}
    events = {reading.event_name for reading in readings} - {""}
    taking = Meter.objects.of(vendor).filter(archived_at__isnull=True)
    by_name: dict[str, Meter] = {}
    by_event: dict[str, list[Meter]] = {}
    for meter in taking.filter(Q(name__in=names) | Q(event_name__in=events)):
        by_name[meter.name] = meter
        by_event.setdefault(meter.event_name, []).append(meter)
    return by_name, by_event


def _customers(vendor: Vendor, readings: Iterable[Reading]) -> dict[str, int]:
    names = {reading.customer_name for reading in readings} - {""}
    return dict(Customer.objects.of(vendor).filter(name__in=names).values_list("name", "pk"))


class _Mappings:
    """Mappings on the labels that the batch carries. Each distinct value is looked up once."""

    def __init__(self, vendor: Vendor, readings: Sequence[Reading]) -> None:
        pairs = {pair for reading in readings for pair in reading.labels.items()}
        self._literal: dict[tuple[str, str], set[int]] = {}
        self._patterns: dict[str, list[tuple[str, int]]] = {}
        self._found: dict[tuple[str, str], set[int]] = {}
        for label, pattern, customer_id in self._rows(vendor, pairs) if pairs else ():
            if _SPECIAL.isdisjoint(pattern):
                self._literal.setdefault((label, pattern), set()).add(customer_id)
            else:
                self._patterns.setdefault(label, []).append((pattern, customer_id))

    @staticmethod
    def _rows(vendor: Vendor, pairs: set[tuple[str, str]]) -> Iterable[tuple[str, str, int]]:
        rows = MeasurementMapping.objects.filter(
            Q(value_regex__in={value for _, value in pairs}) | Q(value_regex__regex=_HAS_SPECIAL),
            customer__vendor=vendor,
            label__in={label for label, _ in pairs},
        )
        return rows.values_list("label", "value_regex", "customer_id")

    def customer_of(self, labels: Mapping[str, str]) -> int:
        matching = self.customers_of(labels)
        if not matching:
            raise Unattributed(Reason.NO_CUSTOMER)
        if len(matching) > 1:
            raise Unattributed(Reason.SEVERAL_CUSTOMERS)
        return matching.pop()

    def customers_of(self, labels: Mapping[str, str]) -> set[int]:
        return {pk for pair in labels.items() for pk in self._matching(pair)}

    def _matching(self, pair: tuple[str, str]) -> set[int]:
        if pair not in self._found:
            label, value = pair
            by_pattern = {pk for pattern, pk in self._patterns.get(label, ()) if _compiled(pattern).fullmatch(value)}
            self._found[pair] = by_pattern | self._literal.get(pair, set())
        return self._found[pair]


def customers_matching(vendor: Vendor, labels: Mapping[str, str], *, now: datetime) -> set[int]:
    """Whose mappings a measurement with these labels would match. It is attributed only where there is just one."""
    reading = Reading(at="", value=Decimal(0), time=now, labels=labels)
    return _Mappings(vendor, [reading]).customers_of(labels)


@lru_cache(maxsize=10_000)
def _compiled(pattern: str) -> Any:
    return re2.compile(pattern)


def stream_of(meter: Meter, reading: Reading) -> str:
    """The values of the meter's primary labels as one text. Raises ``Invalid`` where one is missing, or
    they are too long."""
    if not meter.primary_labels:
        return ""
    for key in meter.primary_labels:
        if key not in reading.labels:
            why = f"The meter {meter.name!r} needs this label with every measurement."
            raise Invalid({f"{reading.at}labels.{key}": why})
    stream = json.dumps([reading.labels[key] for key in meter.primary_labels], ensure_ascii=False)
    if len(stream.encode()) > MOST_STREAM_BYTES:
        at = f"{reading.at}labels.{meter.primary_labels[0]}"
        raise Invalid({at: f"The primary labels of {meter.name!r} take at most {MOST_STREAM_BYTES} bytes together."})
    return stream
