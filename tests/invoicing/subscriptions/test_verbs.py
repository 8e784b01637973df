"""Subscribing, changing and ending: one subscription at a time, one currency a customer, no cycle lost."""

from datetime import UTC, datetime, timedelta

import pytest

from customers.actors import Actor, ActorKind
from customers.errors import Conflict, Invalid, Missing
from customers.models import BillingSettings, Event
from invoicing.models import BillingCycle, Subscription
from invoicing.subscriptions import verbs
from tests.factories import CustomerFactory, PricePlanFactory, VendorFactory

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
REAL_NOW = datetime(2026, 3, 15, 9, tzinfo=UTC)
ACTOR = Actor(ActorKind.OPERATOR, "olivia@example.com", "1")

pytestmark = pytest.mark.django_db


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


@pytest.fixture
def customer():
    return CustomerFactory(vendor=VendorFactory(time_zone="Europe/Berlin"), name="acme")


@pytest.fixture
def plan(customer):
    return PricePlanFactory(vendor=customer.vendor)


def subscribe(customer, plan, now=NOW, **terms):
    return verbs.subscribe(customer, plan, actor=ACTOR, now=now, real_now=REAL_NOW, **terms)


def end(customer, now=NOW, **terms):
    return verbs.end_subscription(customer, actor=ACTOR, now=now, real_now=REAL_NOW, **terms)


def change(customer, plan, now=NOW, **terms):
    return verbs.change_plan(customer, plan, actor=ACTOR, now=now, real_now=REAL_NOW, **terms)


def cycles(subscription):
    return list(subscription.cycles.order_by("index").values_list("index", "start", "end", "next_action"))


def test_a_subscription_starts_now_with_its_first_cycle(customer, plan):
    subscription = subscribe(customer, plan)
    assert (subscription.effective_at, subscription.expired_at, subscription.align_to_calendar) == (NOW, None, False)
    # Summer time begins on 29 March: 13:00 in Berlin is an hour earlier in UTC.
    assert cycles(subscription) == [(0, NOW, utc(2026, 4, 15, 11), "end")]
    assert subscription.cycles.get().next_action_at == utc(2026, 4, 15, 11)


def test_subscribing_is_told(customer, plan):
    subscription = subscribe(customer, plan)
    event = Event.objects.get()
    assert (event.kind, event.subject_kind, event.subject_id) == ("subscription.new", "subscription", subscription.pk)
    assert (event.customer_id, event.occurred_at, event.created_at) == (customer.pk, NOW, REAL_NOW)
    assert event.payload == {
        "vendor_name": customer.vendor.name,
        "customer_name": "acme",
        "subscription_effective_at": "2026-03-15T12:00:00+00:00",
    }


def test_the_first_subscription_fixes_the_currency(customer, plan):
    subscribe(customer, plan)
    customer.refresh_from_db()
    assert customer.currency == "USD"
    end(customer)
    with pytest.raises(Invalid, match="billed in USD"):
        subscribe(customer, PricePlanFactory(vendor=customer.vendor, currency="EUR"))
    assert Subscription.objects.count() == 1


def test_calendar_alignment_comes_from_the_settings_unless_said(customer, plan):
    BillingSettings.objects.create(vendor=customer.vendor, align_billing_cycles_to_calendar=True, updated_at=NOW)
    aligned = subscribe(customer, plan)
    assert cycles(aligned) == [(0, NOW, utc(2026, 3, 31, 22), "end")]
    other = CustomerFactory(vendor=customer.vendor)
    assert subscribe(other, plan, align_to_calendar=False).align_to_calendar is False


def test_a_past_start_begins_with_its_oldest_cycle(customer, plan):
    subscription = subscribe(customer, plan, effective_at=utc(2026, 1, 1))
    assert cycles(subscription) == [(0, utc(2026, 1, 1), utc(2026, 2, 1), "end")]


@pytest.mark.parametrize("start", [utc(2026, 3, 20), utc(2026, 5, 1), utc(2026, 1, 1)])
def test_overlap_is_refused(customer, plan, start):
    subscribe(customer, plan, effective_at=utc(2026, 3, 20))
    with pytest.raises(Conflict, match="2026-03-20"):
        subscribe(customer, plan, effective_at=start)
    assert Subscription.objects.count() == BillingCycle.objects.count() == 1


def test_one_may_follow_the_other(customer, plan):
    subscribe(customer, plan)
    end(customer, expire_at=utc(2026, 3, 20))
    with pytest.raises(Conflict):
        subscribe(customer, plan, effective_at=utc(2026, 3, 19))
    follower = subscribe(customer, plan, effective_at=utc(2026, 3, 20))
    assert verbs.find_active(customer, NOW) != follower
    assert list(verbs.scheduled(customer, NOW)) == [follower]
    assert verbs.find_active(customer, utc(2026, 3, 20)) == follower


@pytest.mark.parametrize("start", [utc(1999, 12, 31), utc(2400, 1, 1)])
def test_a_slip_of_the_keyboard_is_refused(customer, plan, start):
    with pytest.raises(Invalid, match="effective_at"):
        subscribe(customer, plan, effective_at=start)


def test_another_vendors_plan_and_an_archived_one_are_refused(customer):
    for plan in (PricePlanFactory(), PricePlanFactory(vendor=customer.vendor, archived_at=NOW)):
        with pytest.raises(Invalid, match="price_plan_name"):
            subscribe(customer, plan)


def test_ending_now_cuts_the_cycle(customer, plan):
    subscription = subscribe(customer, plan, now=utc(2026, 3, 1))
    ended = end(customer)
    assert ended.expired_at == NOW
    assert cycles(subscription) == [(0, utc(2026, 3, 1), NOW, "end")]
    assert subscription.cycles.get().next_action_at == NOW
    told = Event.objects.get(kind="subscription.ended")
    assert told.payload["subscription_expired_at"] == NOW.isoformat()


def test_ending_at_the_cycles_end_leaves_it_whole(customer, plan):
    subscription = subscribe(customer, plan, now=utc(2026, 4, 1))
    assert end(customer, now=utc(2026, 4, 15), at_cycle_end=True).expired_at == utc(2026, 5, 1)
    assert cycles(subscription) == [(0, utc(2026, 4, 1), utc(2026, 5, 1), "end")]


def test_an_end_may_come_closer_but_not_go_away(customer, plan):
    subscribe(customer, plan, now=utc(2026, 3, 1))
    end(customer, at_cycle_end=True)
    with pytest.raises(Conflict, match="ends at"):
        end(customer, expire_at=utc(2026, 9, 1))
    assert end(customer, expire_at=utc(2026, 3, 20)).expired_at == utc(2026, 3, 20)
    assert BillingCycle.objects.get().end == utc(2026, 3, 20)


def test_an_end_before_an_ended_cycle_is_refused(customer, plan):
    subscription = subscribe(customer, plan, now=utc(2026, 3, 1))
    subscription.cycles.update(start=utc(2026, 3, 10), end=utc(2026, 4, 10), index=1)
    with pytest.raises(Invalid, match="2026-03-10"):
        end(customer, expire_at=utc(2026, 3, 5))
    end(customer, expire_at=utc(2026, 3, 10))
    assert not BillingCycle.objects.exists()


def test_only_one_way_to_end(customer, plan):
    subscribe(customer, plan)
    with pytest.raises(Invalid, match="not both"):
        end(customer, at_cycle_end=True, expire_at=NOW)


def test_without_a_running_one_the_coming_one_is_called_off(customer, plan):
    subscribe(customer, plan, effective_at=utc(2026, 6, 1))
    end(customer)
    assert not BillingCycle.objects.exists()
    assert not verbs.history(customer).exists()
    with pytest.raises(Missing, match="no active subscription"):
        end(customer)
    subscribe(customer, plan, effective_at=utc(2026, 5, 1))


def test_a_plan_changes_at_once(customer, plan):
    old = subscribe(customer, plan, now=utc(2026, 3, 1))
    new = change(customer, PricePlanFactory(vendor=customer.vendor))
    old.refresh_from_db()
    assert (old.expired_at, new.effective_at) == (NOW, NOW)
    assert cycles(old) == [(0, utc(2026, 3, 1), NOW, "end")]
    assert cycles(new)[0][1] == NOW


def test_a_plan_changes_at_the_cycles_end(customer, plan):
    old = subscribe(customer, plan, now=utc(2026, 4, 1))
    new = change(customer, PricePlanFactory(vendor=customer.vendor), utc(2026, 4, 15), when=verbs.When.CYCLE_END)
    old.refresh_from_db()
    assert (old.expired_at, new.effective_at) == (utc(2026, 5, 1), utc(2026, 5, 1))
    assert verbs.find_active(customer, utc(2026, 4, 30)) == old
    assert verbs.find_active(customer, utc(2026, 5, 1)) == new


def test_a_plan_changes_back_to_the_cycles_start(customer, plan):
    old = subscribe(customer, plan, now=utc(2026, 3, 1))
    new = change(customer, PricePlanFactory(vendor=customer.vendor), when=verbs.When.CYCLE_START)
    assert cycles(old) == []
    assert [start for _, start, _, _ in cycles(new)] == [utc(2026, 3, 1)]
    assert list(verbs.history(customer)) == [new]


def test_a_refused_change_leaves_everything_as_it_was(customer, plan):
    old = subscribe(customer, plan)
    with pytest.raises(Invalid):
        change(customer, PricePlanFactory(vendor=customer.vendor, currency="EUR"), NOW + timedelta(days=1))
    old.refresh_from_db()
    assert old.expired_at is None
    assert Event.objects.count() == 1
