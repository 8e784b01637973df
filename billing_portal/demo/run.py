"""The demonstration from beginning to end: half a year of a vendor's life, lived in seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from django.db.models import Count, Sum
from django.utils import timezone

from billing_portal.accounts.models import Membership
from billing_portal.demo.cast import CAST, Person
from billing_portal.demo.months import Months
from billing_portal.demo.story import Story
from billing_portal.demo.travel import arrive, begin_at, travel
from customers import clock
from customers.actors import Actor
from customers.customer import Customer
from customers.money import format_money
from customers.vendor import Vendor
from invoicing.catalog.models import Meter
from invoicing.invoices.models import Invoice
from invoicing.invoices.states import InvoiceStatus

MONTHS = 6
# A vendor whose clock is further back than this is in the middle of the demonstration.
BEHIND = timedelta(minutes=1)

Say = Callable[[str], None]


def demonstrate(
    vendor: Vendor,
    *,
    say: Say,
    until: datetime | None = None,
    months: int = MONTHS,
    people: Sequence[Person] = CAST,
) -> bool:
    """Fill an empty vendor, or go on where an earlier run was interrupted. False: there was nothing to do.

    ``until`` is where the vendor's clock ends up: now, unless a test says otherwise.
    """
    plan = _plan(vendor, until or timezone.now(), months)
    if plan is None:
        return False
    story, diary = Story(vendor, plan, _person(vendor), people), Diary(vendor, plan, say)
    with clock.driving(vendor.pk):  # nobody else drives meanwhile: two would look twice as often
        for chapter in story.chapters():
            travel(vendor, chapter.at, story.person)
            diary.report_until(chapter.at)
            chapter.tell()
        travel(vendor, until or timezone.now(), story.person)
    if until is None:
        arrive(vendor)
    diary.report_until(plan.start(plan.running + 1))
    diary.sum_up()
    return True


def _plan(vendor: Vendor, until: datetime, months: int) -> Months | None:
    real_now = timezone.now()
    if vendor.now(real_now) < until - BEHIND and vendor.clock_offset < timedelta(0):
        return Months.opened(vendor.created_at, until, vendor.zone)
    if is_in_use(vendor):
        return None
    plan = Months.ending(until, vendor.zone, months)
    begin_at(vendor, plan.eve(0), real_now)
    return plan


def is_in_use(vendor: Vendor) -> bool:
    """Somebody has worked with it: no demonstration is mixed into that."""
    return vendor.clock_is_moved or Customer.objects.of(vendor).exists() or Meter.objects.of(vendor).exists()


def _person(vendor: Vendor) -> Actor:
    """Who did it all: the vendor's first operator."""
    return Membership.objects.of(vendor).select_related("operator").order_by("pk")[0].operator.as_actor()


class Diary:
    """Tells what happened in each month, once it is over."""

    def __init__(self, vendor: Vendor, months: Months, say: Say) -> None:
        self.vendor = vendor
        self.months = months
        self.say = say
        self.told = 0

    def report_until(self, moment: datetime) -> None:
        while self.months.start(self.told + 1) <= moment:
            self._report(self.told)
            self.told += 1

    def _report(self, number: int) -> None:
        start, end = self.months.start(number), self.months.start(number + 1)
        issued = Invoice.objects.of(self.vendor).filter(issued_at__gte=start, issued_at__lt=end)
        found = issued.aggregate(count=Count("pk"), total=Sum("amount_due"))
        if found["count"]:
            total = format_money(found["total"], self.vendor.currency)
            self.say(f"{start:%B %Y}: {found['count']} invoices issued, {total}")

    def sum_up(self) -> None:
        customers = Customer.objects.of(self.vendor).count()
        states = Counter(Invoice.objects.of(self.vendor).values_list("status", flat=True))
        told = ", ".join(f"{states[state]} {state.label.lower()}" for state in InvoiceStatus if states[state])
        self.say(f"{customers} customers, {states.total()} invoices: {told}.")
