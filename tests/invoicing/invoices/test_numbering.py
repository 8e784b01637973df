"""Invoice numbers by the vendor's own pattern: which series counts, no gaps, nothing twice."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from customers.errors import Invalid
from customers.models import Customer, Event, Vendor
from customers.settings.number_pattern import problem_with, series_of
from customers.settings.policy import vendor_policy
from customers.settings.verbs import save_override, save_vendor_settings
from invoicing.invoices.numbering import assign_numbers, next_number, start_at
from invoicing.models import Invoice, NumberSeries
from tests.factories import CustomerFactory, InvoiceFactory, VendorFactory
from tests.world import OPERATOR, utc

NEW_YEARS_EVE = utc(2026, 12, 31, 22, 59)
BY: dict[str, Any] = {"actor": OPERATOR, "now": NEW_YEARS_EVE, "real_now": NEW_YEARS_EVE}


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("INV-{year}-{number:06}", "INV-2027-000007"),
        ("{number}", "7"),
        ("{year}/{month}-{number:3}", "2027/01-007"),
        ("R.{number:02}_A", "R.07_A"),
    ],
)
def test_what_a_pattern_makes(pattern: str, said: str) -> None:
    assert problem_with(pattern) == ""
    assert series_of(pattern, datetime(2027, 1, 1, tzinfo=ZoneInfo("Europe/Berlin"))).number(7) == said


@pytest.mark.parametrize(
    ("pattern", "word"),
    [
        ("INV-{year}", "exactly once"),
        ("{number}-{number}", "exactly once"),
        ("", "exactly once"),
        ("INV-{numbr}", "{numbr} means nothing"),
        ("INV {number}", "characters"),
        ("INV-{number", "exactly once"),
        ("{number}}", "characters"),
        ("{number:99}", "digits"),
        ("X" * 30 + "{number}", "too long"),
    ],
)
def test_what_is_no_pattern_is_refused_with_the_remedy(pattern: str, word: str) -> None:
    assert word in problem_with(pattern)


@pytest.fixture
def vendor(db: None) -> Vendor:
    vendor: Vendor = VendorFactory(time_zone="Europe/Berlin")
    save_vendor_settings(vendor, {"invoice_number_pattern": "INV-{year}-{number:03}"}, **BY)
    return vendor


def numbered(vendor: Vendor, at: datetime, *customers: Customer) -> list[str]:
    ids = [InvoiceFactory(customer=customer, number="", issued_at=None).pk for customer in customers]
    assign_numbers(vendor, ids, real_now=at)
    return list(Invoice.objects.filter(pk__in=ids).order_by("pk").values_list("number", flat=True))


def test_a_new_series_each_year_in_the_vendors_zone(vendor: Vendor) -> None:
    acme = CustomerFactory(vendor=vendor)
    assert numbered(vendor, NEW_YEARS_EVE, acme, acme) == ["INV-2026-001", "INV-2026-002"]
    assert numbered(vendor, utc(2026, 12, 31, 23, 1), acme) == ["INV-2027-001"]  # past midnight in Berlin
    save_vendor_settings(vendor, {"invoice_number_pattern": "INV-{year}-{number:05}"}, **BY)
    assert numbered(vendor, NEW_YEARS_EVE, acme) == ["INV-2026-00003"]


def test_a_customer_with_a_pattern_of_its_own_counts_for_itself(vendor: Vendor) -> None:
    acme, globex = CustomerFactory(vendor=vendor), CustomerFactory(vendor=vendor)
    save_override(globex, {"invoice_number_pattern": "GX-{number}"}, **BY)
    assert numbered(vendor, NEW_YEARS_EVE, acme, globex, acme) == ["INV-2026-001", "GX-1", "INV-2026-002"]
    assert numbered(vendor, NEW_YEARS_EVE, globex) == ["GX-2"]


def test_a_number_that_another_pattern_has_made_is_passed_over(vendor: Vendor) -> None:
    acme, globex = CustomerFactory(vendor=vendor), CustomerFactory(vendor=vendor)
    save_override(globex, {"invoice_number_pattern": "INV-2026-0{number:02}"}, **BY)
    numbered(vendor, NEW_YEARS_EVE, acme, acme)
    assert numbered(vendor, NEW_YEARS_EVE, globex, globex) == ["INV-2026-003", "INV-2026-004"]
    assert numbered(vendor, NEW_YEARS_EVE, acme) == ["INV-2026-005"]


def test_going_on_where_another_system_stopped(vendor: Vendor) -> None:
    acme = CustomerFactory(vendor=vendor)
    assert start_at(vendor, 418, **BY).text == "INV-2026-418"
    assert numbered(vendor, NEW_YEARS_EVE, acme, acme) == ["INV-2026-418", "INV-2026-419"]
    for given in (419, 1):
        with pytest.raises(Invalid, match="INV-2026-420 is the next one. Give 420 or more"):
            start_at(vendor, given, **BY)
    assert next_number(vendor, vendor_policy(vendor), real_now=NEW_YEARS_EVE).value == 420
    [told] = Event.objects.of(vendor).filter(details__changes__has_key="Next invoice number")
    assert told.details["changes"] == {"Next invoice number": {"before": 1, "after": 418}}
    assert NumberSeries.objects.count() == 1


def test_the_counter_is_taken_once_for_many(vendor: Vendor, django_assert_num_queries: Any) -> None:
    acme = CustomerFactory(vendor=vendor)
    numbered(vendor, NEW_YEARS_EVE, acme)
    for count in (1, 20):
        ids = [InvoiceFactory(customer=acme, number="", issued_at=None).pk for _ in range(count)]
        with django_assert_num_queries(10):
            assign_numbers(vendor, ids, real_now=NEW_YEARS_EVE)
    assert NumberSeries.objects.get().next_value == 23
