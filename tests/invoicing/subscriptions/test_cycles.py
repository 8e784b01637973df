"""Cycle bounds: the anchor day survives short months, wall-clock time survives summer time, nothing is lost between."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from invoicing.rating.rounding import half_up
from invoicing.subscriptions.cycles import CycleRule

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
UTC_ZONE = ZoneInfo("UTC")


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def starts(rule, count):
    return [rule.bounds(index)[0].astimezone(rule.zone).strftime("%Y-%m-%d %H:%M") for index in range(count)]


def test_the_31st_falls_on_the_last_day_and_returns():
    rule = CycleRule(at("2026-01-31T10:30"), UTC_ZONE, 1)
    assert starts(rule, 5) == [
        "2026-01-31 10:30", "2026-02-28 10:30", "2026-03-31 10:30", "2026-04-30 10:30", "2026-05-31 10:30"
    ]  # fmt: skip


def test_from_the_15th_to_the_15th_and_aligned_from_the_15th_to_the_first():
    start = at("2026-01-15T00:00")
    assert starts(CycleRule(start, UTC_ZONE, 1), 3) == ["2026-01-15 00:00", "2026-02-15 00:00", "2026-03-15 00:00"]
    aligned = CycleRule(start, UTC_ZONE, 1, aligned=True)
    assert starts(aligned, 3) == ["2026-01-15 00:00", "2026-02-01 00:00", "2026-03-01 00:00"]
    assert aligned.proration(0, *aligned.bounds(0)) == Fraction(17, 31)


def test_a_leap_day_returns_every_fourth_year():
    rule = CycleRule(at("2024-02-29T00:00"), UTC_ZONE, 12)
    assert [start[:10] for start in starts(rule, 5)] == [
        "2024-02-29", "2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29"
    ]  # fmt: skip


def test_wall_clock_time_stays_over_summer_time():
    rule = CycleRule(at("2026-03-15T08:00"), BERLIN, 1)
    assert starts(rule, 3) == ["2026-03-15 09:00", "2026-04-15 09:00", "2026-05-15 09:00"]
    assert rule.bounds(1)[0] == at("2026-04-15T07:00")


def test_a_skipped_wall_clock_time_still_has_a_moment():
    rule = CycleRule(at("2026-02-08T07:30"), NEW_YORK, 1)  # 02:30, and on 8 March that hour does not exist
    assert rule.bounds(1)[0] == at("2026-03-08T07:30")
    assert rule.bounds(2)[0] == at("2026-04-08T06:30")


def test_the_first_cycle_starts_at_the_very_moment_even_in_a_repeated_hour():
    second_half_past_two = at("2026-10-25T01:30")
    assert CycleRule(second_half_past_two, BERLIN, 1).bounds(0)[0] == second_half_past_two


def test_aligned_starts_short_and_then_runs_from_the_first():
    rule = CycleRule(at("2026-01-15T12:00"), BERLIN, 1, aligned=True)
    assert starts(rule, 3) == ["2026-01-15 13:00", "2026-02-01 00:00", "2026-03-01 00:00"]


@pytest.mark.parametrize(("months", "second"), [(1, "2026-06-01"), (3, "2026-07-01"), (12, "2027-01-01")])
def test_aligned_to_month_quarter_and_year(months, second):
    rule = CycleRule(at("2026-05-20T00:00"), UTC_ZONE, months, aligned=True)
    assert starts(rule, 2)[1] == f"{second} 00:00"


def test_an_aligned_start_on_the_boundary_has_a_whole_first_cycle():
    rule = CycleRule(at("2026-05-01T00:00"), UTC_ZONE, 1, aligned=True)
    assert rule.bounds(0) == (at("2026-05-01T00:00"), at("2026-06-01T00:00"))
    assert rule.proration(0, *rule.bounds(0)) == 1


def test_the_short_first_cycle_bears_its_share_by_seconds():
    rule = CycleRule(at("2026-01-15T12:00"), UTC_ZONE, 1, aligned=True)
    assert rule.proration(0, *rule.bounds(0)) == Fraction(33, 62)  # 16.5 of 31 days
    assert rule.proration(1, *rule.bounds(1)) == 1


def test_a_cycle_cut_at_its_end_bears_its_share():
    rule = CycleRule(at("2026-04-01T00:00"), UTC_ZONE, 1)
    assert rule.proration(0, at("2026-04-01T00:00"), at("2026-04-11T00:00")) == Fraction(1, 3)


moments = st.datetimes(datetime(2001, 1, 1), datetime(2090, 1, 1)).map(lambda d: d.replace(tzinfo=UTC))  # noqa: DTZ001
rules = st.builds(
    CycleRule, moments, st.sampled_from([UTC_ZONE, BERLIN, NEW_YORK]), st.sampled_from([1, 3, 12]), st.booleans()
)


@given(rules, st.integers(0, 60))
def test_cycles_follow_each_other_without_gap(rule, index):
    start, end = rule.bounds(index)
    assert start < end
    assert rule.bounds(index + 1)[0] == end


@given(rules, st.timedeltas(timedelta(0), timedelta(days=2000)))
def test_the_cycle_of_a_moment_holds_it(rule, later):
    moment = rule.effective_at + later
    start, end = rule.bounds(rule.index_at(moment))
    assert start <= moment < end


@given(rules, st.integers(0, 12), st.fractions(0, 1))
def test_two_parts_of_a_cycle_bear_the_whole(rule, index, share):
    start, end = rule.bounds(index)
    middle = start + timedelta(microseconds=int((end - start) // timedelta(microseconds=1) * share))
    parts = rule.proration(index, start, middle) + rule.proration(index, middle, end)
    assert parts == rule.proration(index, start, end)


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(rules, st.integers(0, 12), st.fractions(0, 1), st.integers(0, 10**9))
def test_the_two_parts_cost_the_whole_but_for_the_rounding_of_one_line(rule, index, share, price):
    start, end = rule.bounds(index)
    middle = start + timedelta(microseconds=int((end - start) // timedelta(microseconds=1) * share))
    whole = half_up(price * rule.proration(index, start, end))
    parts = [half_up(price * rule.proration(index, *part)) for part in ((start, middle), (middle, end))]
    assert abs(sum(parts) - whole) <= 1
