"""Sequences, and what one transaction says twice."""

from __future__ import annotations

from unittest import mock

import pytest
from django.db import transaction

from customers.actors import SCHEDULE
from customers.events.dispatch import dispatch
from customers.events.models import Event, EventKind, SubjectKind, WebhookEndpoint
from customers.events.nudge import DELIVERIES
from customers.events.record import Fact, build_event, record
from tests.customers.events.conftest import T0
from tests.factories import VendorFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def vendor():
    vendor = VendorFactory()
    WebhookEndpoint.objects.create(vendor=vendor, url="http://127.0.0.1:9/", created_at=T0)
    return vendor


@pytest.fixture
def nudged():
    with mock.patch("customers.tasks.deliver_events.delay") as delay:
        DELIVERIES.answered()
        yield delay
        DELIVERIES.answered()


def tell(vendor, n=0, subject=1, kind=EventKind.CUSTOMER_UPDATED):
    fact = Fact(kind, SubjectKind.CUSTOMER, subject, payload={"n": n})
    return record(vendor, fact, actor=SCHEDULE, now=T0, real_now=T0)


def test_each_object_has_its_own_count_and_it_only_rises(vendor, nudged):
    told = [tell(vendor, n, subject) for n, subject in enumerate([1, 2, 1, 1, 2])]
    dispatch(real_now=T0, limit=2)
    told += [tell(vendor, 9, 1)]
    while dispatch(real_now=T0, limit=2):
        pass
    assert [Event.objects.get(pk=event.pk).sequence for event in told] == [1, 1, 2, 3, 2, 4]


def test_what_one_transaction_says_twice_is_told_once(vendor, nudged):
    with transaction.atomic():
        tell(vendor, 1)
        with transaction.atomic():
            tell(vendor, 1)
        tell(vendor, 2)
    tell(vendor, 1)
    dispatch(real_now=T0, limit=1)
    while dispatch(real_now=T0, limit=1):
        pass
    told = Event.objects.filter(deliveries__isnull=False).order_by("pk")
    assert [(event.payload["n"], event.sequence) for event in told] == [(1, 1), (2, 2), (1, 3)]
    assert Event.objects.filter(dispatched_at=None).count() == 0


def test_workers_are_nudged_once_a_transaction_and_after_it(vendor, nudged):
    with transaction.atomic():
        for n in range(5):
            tell(vendor, n)
        nudged.assert_not_called()
    assert nudged.call_count == 1
    tell(vendor, 9)
    assert nudged.call_count == 1, "one task is waiting already"
    DELIVERIES.answered()
    facts = [Fact(EventKind.CUSTOMER_NEW, SubjectKind.CUSTOMER, n) for n in range(3)]
    Event.objects.bulk_create([build_event(vendor, f, actor=SCHEDULE, now=T0, real_now=T0) for f in facts])
    assert nudged.call_count == 2


def test_nobody_is_nudged_for_what_is_not_told_or_was_rolled_back(vendor, nudged):
    tell(vendor, kind=EventKind.SETTINGS_CHANGED)
    with transaction.atomic():
        tell(vendor)
        transaction.set_rollback(True)
    nudged.assert_not_called()


def test_an_event_survives_a_broker_that_is_out_of_reach(vendor, nudged, caplog):
    from kombu.exceptions import OperationalError

    nudged.side_effect = OperationalError("gone")
    tell(vendor)
    assert "out of reach" in caplog.text
    assert dispatch(real_now=T0) == 1
