"""The whole coming run: every bill, against the last one, the outliers first."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from invoicing.invoices.coming import ComingBill, Run, coming_bills, run_totals, work_out
from tests.factories import CustomerFactory
from tests.invoicing.invoices.billing import APRIL, FEBRUARY, JANUARY, Shop, component
from tests.world import utc

pytestmark = pytest.mark.django_db


def test_every_bill_against_the_last_one_the_outliers_first():
    shop = Shop(invoice_grace_period_length=2, tax_rate=10)
    calls = shop.meter("calls")
    plan = shop.plan(base_price=1_000, metered_components=[component(calls, 100)])
    for name, january, february in (("acme", 5, 6), ("globex", 50, 2), ("initech", 0, 0)):
        shop.customer = CustomerFactory.create(vendor=shop.vendor, name=name) if name != "acme" else shop.customer
        shop.subscribe(plan)
        shop.use(calls, january, utc(2026, 1, 9))
        shop.use(calls, february, utc(2026, 2, 9))
    shop.customer = CustomerFactory.create(vendor=shop.vendor, name="newcomer")
    shop.subscribe(plan, at=utc(2026, 2, 10))
    shop.customer = CustomerFactory.create(vendor=shop.vendor, name="on trial")
    shop.subscribe(shop.plan("free", base_price=1, trial={"time_length": 3, "time_unit_name": "month"}))
    now = utc(2026, 2, 20)
    shop.until(now)
    last = work_out(shop.vendor, limit=3, real_now=now)
    assert last is not None
    assert work_out(shop.vendor, after=last, limit=3, real_now=now) is not None
    rows = coming_bills(shop.vendor).order_by("-deviation", "-pk")
    assert [(bill.customer.name, bill.amount_due, bill.last_amount, bill.change_percent) for bill in rows] == [
        ("globex", 1_320, 6_600, -80.0),
        ("newcomer", 1_100, None, None),
        ("acme", 1_760, 1_650, 6.7),
        ("initech", 1_100, 1_100, 0.0),
    ]
    assert rows[2].generate_at == utc(2026, 3, 3)
    assert run_totals(shop.vendor) == [Run("USD", 4, 5_280, 4_180, 9_350)]


def test_it_is_worked_out_anew_and_what_was_invoiced_is_forgotten():
    shop = Shop()
    shop.subscribe(shop.plan(base_price=1_000))
    for now in (JANUARY, utc(2026, 1, 20), FEBRUARY, APRIL):
        shop.until(now)
        work_out(shop.vendor, real_now=now)
        [bill] = coming_bills(shop.vendor)
        assert (bill.amount_due, bill.worked_out_at) == (1_000, now)
    assert ComingBill.objects.count() == 3
    assert work_out(shop.vendor, after=bill.cycle_id, real_now=APRIL) is None
    assert ComingBill.objects.count() == 1


def test_the_number_of_queries_does_not_grow():
    def count(customers: int) -> int:
        shop = Shop(invoice_fixed_components_at_start=True)
        calls = shop.meter("calls")
        plan = shop.plan(base_price=9_900, metered_components=[component(calls, 10)])
        for _ in range(customers):
            shop.customer = CustomerFactory.create(vendor=shop.vendor)
            shop.subscribe(plan)
        shop.until(JANUARY)
        with CaptureQueriesContext(connection) as captured:
            work_out(shop.vendor, real_now=JANUARY)
        assert coming_bills(shop.vendor).count() == customers
        return len(captured)

    assert count(2) == count(9)
