"""Every worked example of docs/rating.md is a test with its figures: each section names those that hold it."""

from __future__ import annotations

import ast
import re
from decimal import Decimal
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "rating.md").read_text()

RATING, API, BILLED = "tests/invoicing/rating", "tests/api", "tests/invoicing/invoices"
CYCLES, USAGE = "tests/invoicing/subscriptions/test_cycles.py", "tests/invoicing/usage"

HELD_BY: dict[str, tuple[str, ...]] = {
    "The lines of an invoice": (
        f"{RATING}/test_rate.py::test_base_price_and_usage_make_two_lines",
        f"{RATING}/test_rate.py::test_each_scheme_explains_itself",
    ),
    "Why does this line cost that?": (
        f"{API}/test_explanation.py::test_a_line_explains_its_tiers_and_the_days_behind_it",
    ),
    "Add-ons": (
        f"{BILLED}/test_fixed_items.py::test_add_ons_are_billed_for_the_time_that_they_were_had_and_single_ones_once",
        f"{BILLED}/test_fixed_items.py::test_add_ons_in_advance_are_made_up_for_or_given_back",
        f"{BILLED}/test_fixed_items.py::test_tiers_and_an_own_price",
        f"{BILLED}/test_add_ons.py::test_what_is_added_is_charged_at_once_and_not_once_more_when_the_cycle_ends",
        f"{BILLED}/test_add_ons.py::test_a_price_for_several_cycles_is_charged_in_parts_or_all_at_once",
        f"{BILLED}/test_add_ons.py::test_for_several_cycles_the_number_counts_by_its_time",
    ),
    "Trials": (
        f"{BILLED}/test_fixed_items.py::test_a_trial_costs_nothing_and_the_billing_cycles_run_from_its_end",
        f"{BILLED}/test_fixed_items.py::test_in_advance_the_first_charge_is_at_the_end_of_the_trial",
        f"{BILLED}/test_fixed_items.py::test_a_trial_of_a_month_from_the_31st_ends_on_the_last_day_of_february",
        f"{BILLED}/test_several_cycles.py::test_the_credit_of_a_trial_pays_until_it_is_used_up",
    ),
    "Base prices for several cycles": (
        f"{BILLED}/test_fixed_items.py::test_a_base_price_for_a_quarter_on_a_monthly_plan",
        f"{BILLED}/test_fixed_items.py::test_a_base_price_for_several_cycles_ends_early",
    ),
    "Minimum charges": (
        f"{RATING}/test_bill.py::test_the_vendors_worked_example",
        f"{RATING}/test_bill.py::test_a_minimum_may_stand_alone",
        f"{RATING}/test_bill.py::test_a_shorter_cycle_bears_its_share_of_the_minimum",
        f"{BILLED}/test_fixed_items.py::test_prices_change_once_the_minimum_is_reached",
        f"{BILLED}/test_several_cycles.py::test_a_minimum_charge_for_a_quarter_is_due_in_its_last_month",
        f"{BILLED}/test_several_cycles.py::test_a_minimum_charge_for_a_quarter_that_ends_early",
    ),
    "Discounts": (
        f"{RATING}/test_bill.py::test_discounts_of_a_part_come_first_and_each_takes_from_what_is_left",
        f"{BILLED}/test_several_cycles.py::test_a_discount_of_an_add_on",
        f"{RATING}/test_price_lists.py::test_a_discount_of_certain_labels_comes_before_that_of_the_component",
    ),
    "Coupons": (
        f"{API}/test_coupons.py::test_recurring_lowers_what_begins_before_its_time_is_over",
        f"{API}/test_coupons.py::test_once_lowers_the_running_cycles_invoice",
        f"{API}/test_coupons.py::test_each_customer_once_and_only_so_many",
        f"{API}/test_coupons.py::test_withdrawn_it_lowers_what_it_lowered_and_nobody_else",
    ),
    "Ad-hoc charges": (f"{API}/test_adhoc_charges.py::test_it_is_on_the_invoice_of_its_cycle_once",),
    "Price schemes": (
        f"{RATING}/test_schemes.py::test_the_worked_example",
        f"{RATING}/test_schemes.py::test_beyond_the_last_cap_the_last_tier_goes_on",
        f"{RATING}/test_schemes.py::test_part_of_a_batch_costs_its_part",
        f"{RATING}/test_schemes.py::test_nothing_used_costs_nothing",
        f"{RATING}/test_rate.py::test_usage_below_zero_is_billed_as_none_and_says_what_was_measured",
    ),
    "Tiers for several billing cycles": (
        f"{BILLED}/test_several_cycles.py::test_three_months_climb_the_tiers_together",
        f"{BILLED}/test_several_cycles.py::test_a_level_by_time_climbs_them_too_and_is_not_billed_in_advance",
    ),
    "Price lists": (f"{RATING}/test_price_lists.py::test_one_line_for_each_combination_of_labels",),
    "Rounding": (f"{RATING}/test_schemes.py::test_fractions_of_a_cent_are_exact_until_the_line_is_made",),
    "Billing in advance": (
        f"{BILLED}/test_in_advance.py::test_fixed_items_are_billed_when_their_cycle_begins_and_usage_when_it_has_ended",
        f"{BILLED}/test_in_advance.py::test_gauges_in_advance_at_their_level_at_the_start",
        f"{BILLED}/test_in_advance.py::test_an_early_end_gives_back_what_was_not_used",
    ),
    "Changes of plan": (
        f"{BILLED}/test_in_advance.py::test_a_change_of_plan_in_mid_cycle_is_invoiced_at_once",
        f"{BILLED}/test_in_advance.py::test_a_change_at_the_end_of_a_cycle_is_on_its_normal_invoice",
        f"{BILLED}/test_in_advance.py::test_a_change_back_to_the_start_of_the_cycle_gives_all_of_it_back",
    ),
    "Proration": (
        f"{CYCLES}::test_the_short_first_cycle_bears_its_share_by_seconds",
        f"{CYCLES}::test_a_cycle_cut_at_its_end_bears_its_share",
        f"{RATING}/test_rate.py::test_a_prorated_base_price_is_rounded_half_up_and_says_so",
        f"{BILLED}/test_add_ons.py::test_half_years_on_the_calendar",
    ),
    "Cycles": (
        f"{CYCLES}::test_the_31st_falls_on_the_last_day_and_returns",
        f"{CYCLES}::test_a_skipped_wall_clock_time_still_has_a_moment",
    ),
    "Usage": (
        f"{USAGE}/test_aggregation.py::test_each_aggregation",
        f"{USAGE}/test_aggregation.py::test_a_level_persists_into_the_window",
        f"{USAGE}/test_aggregation.py::test_a_level_weighted_by_how_long_it_held",
        f"{USAGE}/test_aggregation.py::test_the_average_level_is_by_how_long_it_held",
        f"{USAGE}/test_aggregation.py::test_changes_of_a_level_add_up_to_it",
        f"{USAGE}/test_aggregation.py::test_a_reset_begins_its_streams_sum_anew",
        f"{USAGE}/test_intake.py::test_of_two_with_the_same_time_the_one_with_the_larger_id_is_later",
    ),
    "Archived meters": (
        f"{API}/test_meters.py::test_an_archived_meter_keeps_what_it_has_and_takes_the_rest_when_it_returns",
    ),
    "Levels by time": (
        f"{RATING}/test_levels.py::test_a_level_costs_its_price_for_each_unit_and_time",
        f"{RATING}/test_levels.py::test_a_watermark_is_what_of_the_level_costs_nothing",
        f"{RATING}/test_levels.py::test_under_stairstep_the_latest_level_picks_the_step",
    ),
    "Usage that comes late": (
        f"{BILLED}/test_regeneration.py::test_the_page_shows_what_came_late_and_the_button_bills_it",
        f"{BILLED}/test_regeneration.py::test_over_the_api",
    ),
    "Tax": (
        f"{RATING}/test_rate.py::test_tax_is_of_the_subtotal_and_rounds_half_up",
        f"{RATING}/test_rate.py::test_tax_that_prices_contain_leaves_the_total_as_it_is",
        f"{BILLED}/test_taxes.py::test_reverse_charge_is_said_with_the_vat_id_and_nothing_later_changes_it",
    ),
    "The running cycle": (
        f"{API}/test_revenue.py::test_day_by_day_it_adds_up",
        f"{API}/test_revenue.py::test_a_preview_is_the_invoice_if_nothing_more_were_used",
    ),
}


def test_every_section_says_what_holds_it() -> None:
    assert re.findall(r"^##+ (.+)$", PAGE, re.MULTILINE) == list(HELD_BY)


@pytest.mark.parametrize("test", [test for tests in HELD_BY.values() for test in tests])
def test_what_holds_it_is_there(test: str) -> None:
    path, _, name = test.partition("::")
    assert re.search(rf"^def {name}\(", (ROOT / path).read_text(), re.MULTILINE)


SECTIONS = dict(re.findall(r"^##+ (.+?)\n(.+?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))


def source(test: str) -> str:
    """The test, and what of its file all tests share: constants, fixtures and helpers."""
    path, _, wanted = test.partition("::")
    text = (ROOT / path).read_text()
    lines, kept = text.splitlines(), []
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and node.name != wanted:
            continue
        first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", ()))])
        kept += lines[first - 1 : node.end_lineno]
    return "\n".join(kept).replace("_", "")


def whole_cents(section: str) -> list[str]:
    """The amounts of a section, without those that it shows before they are rounded."""
    found = re.findall(r"\$(\d+(?:,\d{3})*(?:\.\d+)?)", SECTIONS[section])
    return [amount for amount in found if cents(amount) % 1 == 0]


def cents(amount: str) -> Decimal:
    return Decimal(amount.replace(",", "")) * 100


def is_literal_in(amount: str, code: str) -> bool:
    """$86.38 as 8638, 8_638 or "$86.38"."""
    return f"${amount}" in code or re.search(rf"(?<![\d.]){int(cents(amount))}(?!\d)", code) is not None


@pytest.mark.parametrize("section", HELD_BY)
def test_every_amount_of_a_section_is_a_figure_of_its_tests(section: str) -> None:
    code = "\n".join(source(test) for test in HELD_BY[section])
    assert [amount for amount in whole_cents(section) if not is_literal_in(amount, code)] == []
