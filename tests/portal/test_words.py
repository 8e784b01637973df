"""Sentences and addresses that need no database."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from billing_portal.portal import words
from billing_portal.portal.converters import CodeName
from billing_portal.portal.example_cycle import example_steps
from billing_portal.portal.timeline_picture import picture_of
from customers.settings.policy import resolve

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "text"),
    [
        ("UTC", "3 Mar 2026, 12:00 UTC"),
        ("Europe/Berlin", "3 Mar 2026, 13:00 CET"),
        ("America/Sao_Paulo", "3 Mar 2026, 09:00 UTC-03:00"),
        ("Asia/Kathmandu", "3 Mar 2026, 17:45 UTC+05:45"),
    ],
)
def test_moments_name_their_zone(zone: str, text: str) -> None:
    with timezone.override(ZoneInfo(zone)):
        assert words.moment(NOW) == text


@pytest.mark.parametrize(
    ("delta", "text"),
    [
        (timedelta(hours=3), "in 3 hours"),
        (timedelta(days=1), "in 1 day"),
        (timedelta(days=-12), "12 days ago"),
        (timedelta(seconds=20), "now"),
        (timedelta(minutes=-59), "59 minutes ago"),
    ],
)
def test_relative(delta: timedelta, text: str) -> None:
    assert words.relative(NOW + delta, NOW) == text


@pytest.mark.parametrize(
    ("delta", "text"),
    [
        (timedelta(hours=2), "due today"),
        (timedelta(days=5), "due in 5 days"),
        (timedelta(hours=-2), "due today"),
        (timedelta(days=-1), "1 day overdue"),
    ],
)
def test_due(delta: timedelta, text: str) -> None:
    assert words.due(NOW + delta, NOW) == text


@pytest.mark.parametrize("name", ["plain", "a/b", "~", "~1", "~0~1", ".", "..", "a..b", "~2", "/"])
def test_code_names_come_back_as_they_were(name: str) -> None:
    converter = CodeName()
    address = converter.to_url(name)
    assert "/" not in address
    assert address not in (".", "..")
    assert converter.to_python(address) == name


STRIPE = {"should_send_invoice_to_customers": True, "invoice_via_octane": False}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, ["Cycle ends 31 Mar 2026", "Invoice generated 1 Apr 2026", "Stays here, nothing is sent 1 Apr 2026"]),
        (
            {**STRIPE, "charges_enabled": True, "invoice_grace_period_length": 1, "payment_grace_period_length": 2},
            [
                "Cycle ends 31 Mar 2026",
                "Invoice generated 2 Apr 2026",
                "Issued in Stripe 4 Apr 2026",
                "Charged 4 Apr 2026, 01:00",
                "If that fails, tried again by Stripe's own schedule",
            ],
        ),
        (
            {**STRIPE, "charges_enabled": True, "stripe_immediate_finalization": True, "retry_attempts": 0},
            [
                "Cycle ends 31 Mar 2026",
                "Invoice generated 1 Apr 2026",
                "Issued in Stripe 1 Apr 2026",
                "Charged 1 Apr 2026",
                "If that fails waits for a person",
            ],
        ),
        (
            {
                "should_send_invoice_to_customers": True,
                "charges_enabled": True,
                "days_until_due": 1,
                "retry_attempts": 2,
            },
            [
                "Cycle ends 31 Mar 2026",
                "Invoice generated 1 Apr 2026",
                "Charged and e-mailed with its PDF 1 Apr 2026",
                "Due 2 Apr 2026",
                "If that fails, tried again 2 times, 1 day apart, the last on 3 Apr 2026",
            ],
        ),
        (
            {"should_send_invoice_to_customers": True, "auto_approve_invoices": False, "days_until_due": 14},
            [
                "Cycle ends 31 Mar 2026",
                "Invoice generated 1 Apr 2026",
                "Approved by a person any time after that",
                "E-mailed with its PDF 1 Apr 2026",
                "Due 15 Apr 2026",
            ],
        ),
        (
            {**STRIPE, "stripe_auto_advance": False},
            [
                "Cycle ends 31 Mar 2026",
                "Invoice generated 1 Apr 2026",
                "Draft in Stripe 1 Apr 2026",
                "Sent or charged when somebody acts in Stripe",
            ],
        ),
    ],
)
def test_the_example_cycle(settings: dict[str, object], told: list[str]) -> None:
    steps = example_steps(resolve(settings, {}), ZoneInfo("UTC"), NOW)
    assert [f"{step.name} {step.at}" for step in steps] == told
    picture = picture_of(steps)
    assert all(text in picture.told for text in told)
    places = [mark.x for mark in picture.marks]
    assert len(places) == len(told)
    assert all(right - left >= 27 for left, right in pairwise(places)), "each mark has room for its number"
    assert 0 < places[0] < places[-1] < picture.width


def test_the_picture_says_how_long_it_takes_and_where_nobody_knows() -> None:
    values = {**STRIPE, "stripe_auto_advance": False, "invoice_grace_period_length": 3}
    picture = picture_of(example_steps(resolve(values, {}), ZoneInfo("UTC"), NOW))
    assert [part.label for part in picture.stretches] == ["3 d", "", ""]
    assert [part.is_open for part in picture.stretches] == [False, False, True]
    assert [mark.label for mark in picture.marks] == ["31 Mar", "4 Apr", "4 Apr", ""]


def test_the_picture_shows_each_try() -> None:
    values = {**STRIPE, "charges_enabled": True, "stripe_immediate_finalization": True, "retry_attempts": 4}
    picture = picture_of(example_steps(resolve(values, {}), ZoneInfo("UTC"), NOW))
    assert [tick.label for tick in picture.ticks] == ["Try 1: 2 Apr 2026", "Try 2: 3 Apr 2026", "Try 3: 4 Apr 2026"]
    charged, last = (mark.x for mark in picture.marks[-2:])
    assert all(charged < left < right < last for left, right in pairwise(tick.x for tick in picture.ticks))
