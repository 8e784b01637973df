"""What is for several billing cycles, and the credit of a trial: docs/rating.md, lived through."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from customers.errors import Invalid
from invoicing.catalog.trials import Trial
from invoicing.catalog.verbs import update_price_plan
from invoicing.invoices.accrual import accrued
from invoicing.invoices.explain import explain
from invoicing.invoices.late_usage import late_usage
from invoicing.invoices.lifecycle import delete
from invoicing.invoices.preview import preview
from invoicing.models import Invoice, LineItem
from invoicing.rating.discounts import DiscountScope, DiscountType
from invoicing.subscriptions.add_ons import AddOnOrder
from invoicing.subscriptions.discounts import DiscountDraft
from tests.invoicing.invoices.billing import APRIL, FEBRUARY, JANUARY, MARCH, MAY, Shop, component
from tests.world import OPERATOR, utc

pytestmark = pytest.mark.django_db

TIERS = {"scheme_type": "TIERED", "prices": [{"price": 50, "cap": 100}, {"price": 40}], "frequency": 3}
STEPS = {"scheme_type": "STAIRSTEP", "prices": [{"price": 5_000, "cap": 100}, {"price": 9_000}], "frequency": 3}
MONTHS = (JANUARY, FEBRUARY, MARCH, APRIL)


def used(shop: Shop, meter, *quantities: int) -> None:
    """So much in each month from January on."""
    for month, quantity in zip(MONTHS, quantities, strict=False):
        shop.use(meter, quantity, month.replace(day=9))


@pytest.mark.parametrize(
    ("scheme", "amounts"), [(TIERS, [4_000, 2_200, 1_600, 500]), (STEPS, [5_000, 4_000, 0, 5_000])]
)
@pytest.mark.parametrize("at_once", [True, False], ids=["all at once", "month by month"])
def test_three_months_climb_the_tiers_together(scheme, amounts, at_once):
    shop = Shop()
    calls = shop.meter("calls", unit_name="calls")
    shop.subscribe(shop.plan(metered_components=[component(calls, 0, scheme=scheme)]))
    used(shop, calls, 80, 50, 40, 10)
    for moment in [MAY] if at_once else [FEBRUARY, MARCH, APRIL, MAY]:
        shop.until(moment)
    assert shop.bills() == [[("calls", amount)] for amount in amounts]
    lines = [invoice.line_items.get() for invoice in shop.invoices()]
    assert [line.quantity for line in lines] == [80, 50, 40, 10]
    assert (
        lines[1].description
        == {
            "TIERED": "20 calls x $0.50 + 30 calls x $0.40, after 80 in earlier billing cycles",
            "STAIRSTEP": "50 calls: $90.00 less $50.00, after 80 in earlier billing cycles",
        }[scheme["scheme_type"]]
    )
    told = explain(shop.invoices()[1], str(lines[1].uuid)).part
    assert (told.used_before, told.exact_amount) == (80, amounts[1])
    assert all(late_usage(invoice) == [] for invoice in shop.invoices())
    days = [MARCH + n * timedelta(days=1) for n in range(32)]
    assert sum(bucket.total for bucket in accrued(shop.customer, days)) == amounts[2]


def test_a_level_by_time_climbs_them_too_and_is_not_billed_in_advance():
    """10 GB all along: 10, 20 and 30 GB-months; the first 15 at $1, then 50 cents."""
    shop = Shop(invoice_fixed_components_at_start=True, invoice_metered_components_at_start=True)
    storage = shop.gauge()
    tiers = {"scheme_type": "TIERED", "prices": [{"price": 100, "cap": 15}, {"price": 50}]}
    tiers |= {"time_unit_name": "month", "frequency": 3}
    shop.subscribe(shop.plan(metered_components=[component(storage, 0, scheme=tiers)]))
    shop.use(storage, 10, JANUARY)
    shop.until(APRIL)
    assert [bill for bill in shop.bills() if bill] == [[("storage", n)] for n in (1_000, 750, 500)]


@pytest.mark.parametrize("of", ["plan", "component"])
@pytest.mark.parametrize("at_once", [True, False], ids=["all at once", "month by month"])
def test_a_minimum_charge_for_a_quarter_is_due_in_its_last_month(of, at_once):
    shop = Shop()
    calls = shop.meter("calls")
    least = {"minimum_charge": 30_000, "minimum_charge_frequency": 3}
    parts = [component(calls, 100, **(least if of == "component" else {}))]
    shop.subscribe(shop.plan(metered_components=parts, **(least if of == "plan" else {})))
    used(shop, calls, 50, 100, 20, 7)
    for moment in [MAY] if at_once else [FEBRUARY, MARCH, APRIL, MAY]:
        shop.until(moment)
    name = {"plan": "Pro Minimum Charge", "component": "calls Minimum Charge"}[of]
    assert shop.bills() == [
        [("calls", 5_000)], [("calls", 10_000)], [("calls", 2_000), (name, 13_000)], [("calls", 700)]
    ]  # fmt: skip
    line = LineItem.objects.get(name=name)
    told = explain(shop.invoices()[2], str(line.uuid))
    assert (told.minimum, told.reached, told.earlier) == (30_000, 17_000, 15_000)
    assert line.description == "Minimum of $300.00 for 3 billing cycles, less $150.00 of the cycles before"


def test_it_counts_what_the_cycles_came_to_whatever_became_of_their_invoices():
    """One was deleted, and the component's own minimum of each month counts."""
    shop = Shop(payment_grace_period_length=90)
    calls = shop.meter("calls")
    parts = [component(calls, 100, minimum_charge=1_000)]
    shop.subscribe(shop.plan(metered_components=parts, minimum_charge=10_000, minimum_charge_frequency=3))
    used(shop, calls, 5, 20, 30)
    shop.until(FEBRUARY)
    delete(shop.invoices()[0], actor=OPERATOR, now=FEBRUARY, real_now=FEBRUARY)
    shop.until(APRIL)
    assert shop.last() == [("calls", 3_000), ("Pro Minimum Charge", 10_000 - 1_000 - 2_000 - 3_000)]


def test_a_minimum_charge_for_a_quarter_that_ends_early():
    """$90 for 90 days, ended on 10 February: 40 days are $40; and it stands in place of the lines."""
    for settings, last in (
        ({}, [("calls", 500), ("Pro Minimum Charge", 2_500)]),
        ({"should_minimum_charge_override_line_items": True}, [("Pro Minimum Charge", 3_000)]),
    ):
        shop = Shop(**settings)
        calls = shop.meter("calls")
        plan = shop.plan(metered_components=[component(calls, 100)], minimum_charge=9_000, minimum_charge_frequency=3)
        shop.subscribe(plan)
        used(shop, calls, 10, 5)
        shop.end(utc(2026, 2, 10))
        shop.until(MAY)
        assert shop.bills() == [[("calls", 1_000)], last]


def test_what_months_can_climb_together():
    shop = Shop()
    calls, peak = shop.meter("calls"), shop.meter("peak", aggregation="MAX")
    for meter, scheme, period in (
        (peak, TIERS, "month"),
        (calls, {**TIERS, "scheme_type": "VOLUME"}, "month"),
        (calls, {**TIERS, "frequency": 4}, "quarter"),
        (calls, {**TIERS, "frequency": 121}, "month"),
    ):
        with pytest.raises(Invalid, match=r"metered_components\.0\.price_scheme\.frequency"):
            shop.plan(period=period, metered_components=[component(meter, 0, scheme=scheme)])
    plan = shop.plan(metered_components=[component(calls, 0, scheme=TIERS)], minimum_charge=5)
    with pytest.raises(Invalid, match="period|multiple of 12"):
        update_price_plan(shop.vendor, plan.name, {"period": "year"}, now=JANUARY)
    later = update_price_plan(shop.vendor, plan.name, {"minimum_charge_frequency": 6}, now=JANUARY)
    assert later.metered_components.get().price_scheme.frequency == 3
    assert (later.minimum_charge, later.minimum_charge_frequency) == (5, 6)


def test_the_credit_of_a_trial_pays_until_it_is_used_up():
    """$50 of a plan of $30, with calls at $1 each."""
    shop = Shop(payment_grace_period_length=90)
    calls = shop.meter("calls")
    subscription = shop.subscribe(
        shop.plan(base_price=3_000, trial={"credit": 5_000}, metered_components=[component(calls, 100)])
    )
    assert subscription.trial_ends_at is None
    used(shop, calls, 10)
    shop.until(FEBRUARY)
    assert shop.last() == [("Pro", 3_000), ("calls", 1_000), ("Trial credit", -4_000)]
    for _ in range(2):
        found = preview(subscription, now=FEBRUARY).lines
        assert [(line.name, line.amount) for line in found][-1] == ("Trial credit", -1_000)
    shop.until(APRIL)
    assert shop.bills()[1:] == [
        [("Pro", 3_000), ("calls", 0), ("Trial credit", -1_000)],
        [("Pro", 3_000), ("calls", 0)],
    ]
    descriptions = LineItem.objects.filter(name="Trial credit").order_by("pk").values_list("description", flat=True)
    assert list(descriptions) == ["$10.00 of the trial's credit is left", "the trial's credit is used up"]
    # What a deleted invoice took is there again.
    delete(shop.invoices()[0], actor=OPERATOR, now=APRIL, real_now=APRIL)
    shop.until(MAY)
    assert shop.last() == [("Pro", 3_000), ("calls", 0), ("Trial credit", -3_000)]


def test_a_credit_for_a_time_is_for_billing_cycles_that_begin_within_it():
    shop = Shop()
    plan = shop.plan(base_price=3_000, trial={"credit": 20_000, "time_length": 40, "time_unit_name": "day"})
    subscription = shop.subscribe(plan)
    assert (subscription.trial_credit, subscription.trial_credit_until) == (20_000, utc(2026, 2, 10))
    shop.until(APRIL)
    free = [("Pro", 3_000), ("Trial credit", -3_000)]
    assert shop.bills() == [free, free, [("Pro", 3_000)]]
    shop.end(APRIL)
    assert shop.subscribe(plan, at=APRIL, trial=Trial(0)).trial_credit == 0


@pytest.mark.parametrize("at_once", [True, False], ids=["all at once", "month by month"])
def test_in_advance_the_credit_pays_what_is_billed_first_and_nothing_of_it_is_given_back(at_once):
    shop = Shop(invoice_fixed_components_at_start=True)
    calls = shop.meter("calls")
    plan = shop.plan(
        base_price=9_300, trial={"credit": 20_000}, metered_components=[component(calls, 100)], minimum_charge=9_300
    )
    shop.subscribe(plan)
    used(shop, calls, 10, 20)
    for moment in [] if at_once else [JANUARY, FEBRUARY]:
        shop.until(moment)
    shop.until(utc(2026, 2, 10))
    shop.end(utc(2026, 2, 15))
    shop.until(MAY)
    assert shop.bills() == [
        [("Pro", 9_300), ("Trial credit", -9_300)],
        [("calls", 1_000), ("Trial credit", -1_000), ("Pro", 9_300), ("Trial credit", -9_300)],
        [("calls", 2_000), ("Trial credit", -400)],
    ]
    assert all(invoice.sub_total >= 0 for invoice in Invoice.objects.all())


def test_a_discount_of_an_add_on():
    """Three seats at $10 with half off, and a support contract at its price."""
    shop = Shop()
    seats = {"feature": {"name": "seats", "display_name": "Seats"}, "prices": [{"price": 1_000}], "limit": 9}
    support = {"feature": {"name": "support"}, "prices": [{"price": 500}]}
    plan = shop.plan(base_price=100, add_ons=[{**seats, "quantity_enabled": True}, support])
    half = DiscountDraft(DiscountType.PERCENT, Decimal(50), DiscountScope.ADD_ON, add_on_name="seats", duration=1)
    orders = [AddOnOrder("seats", Decimal(3)), AddOnOrder("support")]
    shop.subscribe(plan, add_ons=orders, discounts=[half])
    shop.until(MARCH)
    items = [("Pro", 100), ("Seats", 3_000), ("support", 500)]
    assert shop.bills() == [[*items, ("Seats Discount", -1_500)], items]
    for wrong in (DiscountScope.INVOICE_TOTAL, DiscountScope.ADD_ON):
        shop.end(MARCH) if wrong is DiscountScope.INVOICE_TOTAL else None
        draft = DiscountDraft(DiscountType.PERCENT, Decimal(5), wrong, add_on_name="setup")
        with pytest.raises(Invalid, match=r"discounts\.0\.add_on_name"):
            shop.subscribe(plan, at=APRIL, discounts=[draft])
