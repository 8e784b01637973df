"""Twelve months of thirty customers, through the real schedule, against a table made by hand."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core import mail
from django.utils import timezone

from customers.models import Customer
from invoicing.invoices.states import InvoiceAction, InvoiceStatus
from invoicing.models import BillingCycle, Invoice, Measurement
from invoicing.subscriptions.verbs import end_subscription
from tests.scenarios.twelve_months import COMPANIES, PLANS, Case, Company
from tests.world import OPERATOR, World, utc

pytestmark = pytest.mark.django_db(transaction=True)

OUTCOMES = {
    "e-mailed": (InvoiceStatus.ISSUED, InvoiceAction.NONE),
    "kept here": (InvoiceStatus.GENERATED, InvoiceAction.NONE),
    "waits for approval": (InvoiceStatus.GENERATED, InvoiceAction.APPROVE),
}


def test_the_table_has_thirty_customers():
    cases = [case for company in COMPANIES for case in company.cases]
    assert len(cases) == 30
    assert all(len(case.moments) == len(case.amounts) + 1 for case in cases)


@pytest.mark.parametrize("company", COMPANIES, ids=lambda company: company.name)
def test_a_year_ends_as_worked_out_by_hand(company: Company):
    world = World(utc(2027, 10, 1), name=company.name, time_zone=company.zone, currency=company.currency)
    world.settings(**company.settings)
    people = {case.name: enter(world, company, case) for case in company.cases}
    for stop in (utc(2028, 2, 15), utc(2028, 6, 15), utc(2028, 12, 10)):
        world.move_to(stop)

    for case in company.cases:
        found = [story(invoice) for invoice in world.invoices(people[case.name])]
        assert found == expected(case), case.name
    assert not BillingCycle.objects.exclude(last_error="").exists()
    check_numbers_and_mails(world, company)


def enter(world: World, company: Company, case: Case) -> Customer:
    """A customer with its override, its subscription of as many cycles as the table has, and all its usage."""
    currency, base_price, price, period = PLANS[case.plan]
    meter = world.meter(f"calls-{case.name}")
    plan = world.plan(
        (meter, "Calls", price), base_price=base_price, currency=currency, period=period, name=f"plan-{case.name}"
    )
    customer = world.customer(case.name)
    world.override(customer, **case.override)
    start = datetime.strptime(case.start, "%Y-%m-%d %H:%M").replace(tzinfo=ZoneInfo(company.zone))
    world.subscribe(customer, plan, effective_at=start)
    end_subscription(customer, expire_at=case.moments[-1], actor=OPERATOR, now=case.moments[0], real_now=timezone.now())
    rows = [
        Measurement(vendor=world.vendor, customer=customer, meter=meter, value=value, time=at, received_at=world.now)
        for at, value in usage(case)
    ]
    Measurement.objects.bulk_create(rows)
    return customer


def usage(case: Case) -> list[tuple[datetime, int]]:
    """At the first instant and in the last second of every cycle; by an end that is off one would be misplaced."""
    firsts = [(start, 100 + k) for k, start in enumerate(case.moments[:-1])]
    return firsts + [(end - timedelta(seconds=1), 11) for end in case.moments[1:]]


def story(invoice: Invoice) -> tuple[object, ...]:
    """All that the table says of one invoice."""
    return (
        invoice.period_start,
        invoice.period_end,
        invoice.generated_at,
        invoice.issued_at,
        invoice.due_date,
        invoice.currency,
        invoice.amount_due,
        (invoice.state, InvoiceAction(invoice.next_action)),
    )


def expected(case: Case) -> list[tuple[object, ...]]:
    currency, moments = PLANS[case.plan][0], case.moments
    rows: list[tuple[object, ...]] = []
    for start, end, amount in zip(moments[:-1], moments[1:], case.amounts, strict=True):
        generated = end + case.generated_after
        left = generated + case.issued_after
        issued = left if case.outcome == "e-mailed" else None
        due = None if case.outcome == "waits for approval" else left + timedelta(days=case.days_until_due)
        rows.append((start, end, generated, issued, due, currency, amount, OUTCOMES[case.outcome]))
    return rows


def check_numbers_and_mails(world: World, company: Company) -> None:
    """Numbers follow each other in the order of issue; each of those invoices was e-mailed once, the others never."""
    sent = sum(len(case.amounts) for case in company.cases if case.outcome == "e-mailed")
    issued = Invoice.objects.of(world.vendor).exclude(number="").order_by("number")
    assert [invoice.number for invoice in issued] == [f"INV-{n:05d}" for n in range(1, sent + 1)]
    moments = [invoice.issued_at for invoice in issued]
    assert moments == sorted(moments, key=lambda at: at or utc(2000))
    mailed = {message.attachments[0][0]: message.to for message in mail.outbox}
    assert len(mail.outbox) == sent
    assert mailed == {f"{invoice.number}.pdf": [invoice.customer.email] for invoice in issued}
