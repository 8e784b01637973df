"""When does what happen: pure functions of the policy."""

from datetime import UTC, datetime, timedelta

import pytest

from customers.settings.policy import BillingPolicy, resolve
from invoicing.invoices.models import Channel
from invoicing.invoices.schedule import channel_for, due_date, first_action, issue_time, retry_at
from invoicing.invoices.states import InvoiceAction

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def policy(**values: object) -> BillingPolicy:
    return resolve(values, {})


@pytest.mark.parametrize(
    ("length", "unit", "expected"),
    [
        (0, "day", timedelta(0)),
        (90, "minute", timedelta(minutes=90)),
        (5, "hour", timedelta(hours=5)),
        (2, "day", timedelta(days=2)),
    ],
)
def test_issue_follows_generation_by_the_payment_grace_period(length, unit, expected):
    grace = policy(payment_grace_period_length=length, payment_grace_period_unit=unit)
    assert issue_time(NOW, grace) == NOW + expected


def test_an_approved_invoice_is_issued_and_another_waits_without_a_time():
    assert first_action(policy(), NOW) == (InvoiceAction.ISSUE, NOW)
    assert first_action(policy(auto_approve_invoices=False), NOW) == (InvoiceAction.APPROVE, None)


@pytest.mark.parametrize(
    ("delivery", "by_email", "channel"),
    [
        (False, True, Channel.NONE),
        (False, False, Channel.NONE),
        (True, True, Channel.EMAIL),
        (True, False, Channel.GATEWAY),
    ],
)
def test_channel(delivery, by_email, channel):
    assert channel_for(policy(should_send_invoice_to_customers=delivery, invoice_via_octane=by_email)) == channel


def test_due_date_counts_days_from_issue_unless_stripe_charges_by_itself():
    by_email = policy(should_send_invoice_to_customers=True, days_until_due=14, charges_enabled=True)
    charged = policy(should_send_invoice_to_customers=True, invoice_via_octane=False, charges_enabled=True)
    assert due_date(NOW, by_email) == NOW + timedelta(days=14)
    assert due_date(NOW, charged) is None


def test_retries_are_spaced_as_set_and_end():
    twice = policy(retry_attempts=2, retry_frequency_length=3, retry_frequency_unit="hour")
    assert retry_at(1, NOW, twice) == NOW + timedelta(hours=3)
    assert retry_at(2, NOW, twice) == NOW + timedelta(hours=3)
    assert retry_at(3, NOW, twice) is None
