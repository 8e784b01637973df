"""The demonstration's calendar, whatever day it is started on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from billing_portal.demo.months import Months
from billing_portal.demo.run import MONTHS
from invoicing.subscriptions.cycles import CycleRule

BOSTON = ZoneInfo("America/New_York")


@pytest.mark.parametrize("day", range(366))
def test_a_cycle_of_its_own_ended_when_it_should_have(day: int) -> None:
    until = datetime(2027, 12, 1, 17, 30, tzinfo=UTC) + timedelta(days=day)
    months = Months.ending(until, BOSTON, MONTHS)
    rule = CycleRule(months.ended(timedelta(days=2), 3), BOSTON, 1)
    last_end, _ = rule.bounds(rule.index_at(until))
    assert timedelta(days=2) <= until - last_end < timedelta(days=2, hours=2)


def test_it_is_the_same_calendar_when_it_is_taken_up_again() -> None:
    until = datetime(2026, 3, 1, 1, tzinfo=UTC)  # still February in Boston
    months = Months.ending(until, BOSTON, 6)
    assert months.first == datetime(2025, 8, 1, tzinfo=BOSTON)
    assert months.running == 6
    assert Months.opened(months.eve(0), until, BOSTON) == months
