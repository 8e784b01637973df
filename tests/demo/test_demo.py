"""The demonstration, lived through over real HTTP with the sandbox: every state is there and the sums are Stripe's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db.models import Sum
from django.utils import timezone

from billing_portal.accounts.models import ApiKey
from billing_portal.bootstrap import Request, bootstrap
from billing_portal.demo import cast
from billing_portal.demo.cast import CAST
from billing_portal.demo.company import NAME
from billing_portal.demo.run import demonstrate
from billing_portal.portal.invoice_filters import AWAITING_APPROVAL, past_due
from customers.models import BillingSettingsOverride, Customer, Event, Vendor
from invoicing.invoices.states import InvoiceStatus
from invoicing.models import BillingCycle, Invoice, Measurement, Subscription
from invoicing.usage.models import UnattributedMeasurement
from payments.models import StripeConnection
from tests.sandbox_server import StripeSandbox

S = InvoiceStatus
# Three months of those who have a part of their own; the others are like the first.
PARTS = {
    "kestrel-robotics", "lumen-analytics", "hollis-and-reed", "sunda-telecom", cast.BANK_TRANSFER,
    cast.APPROVED_BY_HAND, cast.NO_CARD, cast.NO_EMAIL, cast.CARD_FAILS, cast.LEAVES,
}  # fmt: skip
PEOPLE = [person for person in CAST if person.name in PARTS]
MONTHS = 3
# After the due date of what went out at the beginning of the month.
UNTIL = datetime(2026, 3, 20, 15, tzinfo=UTC)


@dataclass(frozen=True)
class Told:
    vendor: Vendor
    lines: list[str]
    sandbox: StripeSandbox

    def invoices(self, **where: Any) -> Any:
        return Invoice.objects.of(self.vendor).filter(**where)


@pytest.fixture
def story(stripe_sandbox: StripeSandbox, live_server: Any, settings: Any) -> Told:
    settings.STRIPE_TEST_SECRET_KEY = stripe_sandbox.secret_key
    settings.STRIPE_WEBHOOK_SECRETS = [stripe_sandbox.webhook_secret]
    settings.PUBLIC_URL = live_server.url
    request = Request("a-long-password", "bp_key", f"{live_server.url}/webhooks/stripe/", demo=True)
    made = bootstrap(request, real_now=timezone.now())
    vendor = Vendor.objects.get(name=made.vendor)
    lines: list[str] = []
    assert demonstrate(vendor, say=lines.append, until=UNTIL, months=MONTHS, people=PEOPLE)
    vendor.refresh_from_db()
    return Told(vendor, lines, stripe_sandbox)


def test_three_months_of_a_believable_vendor(story: Told) -> None:
    check_the_vendor(story)
    check_every_state(story)
    check_the_parts(story)
    check_usage(story)
    check_sums(story)
    check_the_diary(story)
    check_a_second_run(story)


def check_the_vendor(story: Told) -> None:
    assert story.vendor.name == NAME
    assert not story.vendor.clock_is_advancing
    assert 0 <= (story.vendor.now(timezone.now()) - UNTIL).total_seconds() < 120
    assert Customer.objects.of(story.vendor).count() == len(PEOPLE)


def check_every_state(story: Told) -> None:
    wanted = {S.PAID, S.GENERATED, S.ISSUED, S.PAYMENT_FAILED, S.INVOICING_FAILED, S.VOIDED}
    assert set(story.invoices().values_list("status", flat=True)) == wanted
    in_grace = story.invoices(status=S.GENERATED, next_action="issue", next_action_at__gt=UNTIL)
    assert in_grace.exists()
    assert story.invoices().filter(AWAITING_APPROVAL).exists()
    assert story.invoices().filter(past_due(UNTIL)).exists()
    in_invoice_grace = BillingCycle.objects.of(story.vendor).filter(next_action="generate", next_action_at__gt=UNTIL)
    assert in_invoice_grace.exists()
    assert not Event.objects.of(story.vendor).filter(kind="invoice.uncollectible").exists()


def check_the_parts(story: Told) -> None:
    """Each customer with a part in the story plays it."""

    def of(name: str) -> Any:
        return story.invoices(customer__name=name)

    assert set(of(cast.CARD_FAILS).filter(status=S.PAYMENT_FAILED).values_list("payment_error", flat=True)) == {
        "The bank declined the payment without giving a reason (generic_decline)."
    }
    assert of(cast.CARD_FAILS).filter(status=S.PAID).exists()
    [error] = set(of(cast.NO_EMAIL).filter(status=S.INVOICING_FAILED).values_list("invoicing_error", flat=True))
    assert "e-mail" in error
    assert "sent instead of charged" in of(cast.NO_CARD).filter(status=S.ISSUED)[0].delivery
    by_email = of(cast.BANK_TRANSFER).filter(status=S.ISSUED)[0]
    assert by_email.due_date
    assert by_email.issued_at
    assert by_email.delivery.startswith("E-mailed")
    assert by_email.gateway == ""
    assert by_email.due_date == by_email.issued_at + timedelta(days=30)
    assert of(cast.BANK_TRANSFER).filter(status=S.PAID).exists()
    assert Subscription.objects.filter(customer__name=cast.LEAVES, expired_at__lt=UNTIL).exists()
    assert BillingSettingsOverride.objects.of(story.vendor).count() == 3


def check_usage(story: Told) -> None:
    running = BillingCycle.objects.of(story.vendor).filter(next_action="end")
    assert running.count() == len(PEOPLE) - 1  # one has left
    for cycle in running:
        used = Measurement.objects.filter(customer=cycle.customer, time__gte=cycle.start, time__lt=UNTIL)
        assert used.exists() or (UNTIL - cycle.start).days < 1
    assert not Measurement.objects.of(story.vendor).filter(time__gte=UNTIL).exists()
    assert not UnattributedMeasurement.objects.exists()


def check_sums(story: Told) -> None:
    """One Stripe invoice for each of ours, with the same total, and the same money received."""
    theirs = {i.id: i for i in story.sandbox.client().v1.invoices.list({"limit": 100}).auto_paging_iter()}
    ours = {i.external_invoice_id: i for i in story.invoices(gateway="stripe")}
    assert ours.keys() == theirs.keys()
    assert {i: o.amount_due for i, o in ours.items()} == {i: t.total for i, t in theirs.items()}
    paid_there = sum(t.amount_paid for t in theirs.values())
    assert story.invoices(gateway="stripe").aggregate(total=Sum("amount_paid"))["total"] == paid_there
    for invoice in story.invoices():
        assert sum(line.amount for line in invoice.line_items.all()) == invoice.amount_due


def check_the_diary(story: Told) -> None:
    months, last = story.lines[:-1], story.lines[-1]
    assert [line.partition(":")[0] for line in months] == ["January 2026", "February 2026", "March 2026"]
    assert last.startswith(f"{len(PEOPLE)} customers, {story.invoices().count()} invoices: ")


def check_a_second_run(story: Told) -> None:
    before = (Event.objects.count(), Invoice.objects.count(), Measurement.objects.count(), story.vendor.clock_offset)
    assert not demonstrate(story.vendor, say=story.lines.append, until=UNTIL, months=MONTHS, people=PEOPLE)
    story.vendor.refresh_from_db()
    after = (Event.objects.count(), Invoice.objects.count(), Measurement.objects.count(), story.vendor.clock_offset)
    assert after == before
    assert ApiKey.objects.count() == StripeConnection.objects.count() == 1
