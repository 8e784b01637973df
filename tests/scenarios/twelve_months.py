"""Thirty customers, and by hand what twelve months bring them. Nothing here is computed by the code under test.

How the figures were found, so that they can be checked with paper and a calendar:

- **Boundaries** are wall-clock times of the vendor's zone, turned into UTC with these offsets:
  Berlin +2 to 2027-10-31 01:00Z, +1 to 2028-03-26 01:00Z, +2 to 2028-10-29 01:00Z, then +1.
  New York -4 to 2027-11-07 06:00Z, -5 to 2028-03-12 07:00Z, -4 to 2028-11-05 06:00Z, then -5.
  Lord Howe, half an hour of summer time: +11 to 2028-04-01 15:00Z, +10:30 to 2028-09-30 15:30Z, then +11.
  Tokyo +9 and Bahrain +3 all year. 2028 has a February 29. A day that a month lacks is its last day; the month
  after has it again. A time that the clock skips is read by the offset before the change; one that it shows twice is
  the first of the two.
- **Usage**: in the cycle numbered k from 0, 100 + k units at its first instant and 11 in its last second: 111 + k. An
  end that is off by a second would take or lose either.
- **Amounts**: base price + usage, each rounded half up, then tax on their sum, half up.
  7 cents a unit: 777 + 7k. 0.75 yen: 83.25 + 0.75k. 2.5 fils: 277.5 + 2.5k (a dinar has 1,000 fils).
- **Short first cycles** (aligned to the calendar) bill the base price by elapsed time: the hours are at each.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

# Name: currency, base price, price a unit (both in minor units), period.
PLANS = {
    "dollars": ("USD", 4_900, Decimal(7), "month"),
    "dollars-quarterly": ("USD", 12_900, Decimal(7), "quarter"),
    "yen": ("JPY", 3_000, Decimal("0.75"), "month"),
    "yen-quarterly": ("JPY", 90_000, Decimal("0.75"), "quarter"),
    "yen-yearly": ("JPY", 365_000, Decimal("0.75"), "year"),
    "dinars": ("BHD", 12_500, Decimal("2.5"), "month"),
    "dinars-quarterly": ("BHD", 37_125, Decimal("2.5"), "quarter"),
    "dinars-yearly": ("BHD", 146_000, Decimal("2.5"), "year"),
}

DOLLARS = "5677 5684 5691 5698 5705 5712 5719 5726 5733 5740 5747 5754"
DOLLARS_WITH_8875 = "6181 6188 6196 6204 6211 6219 6227 6234 6242 6249 6257 6265"  # 8.875 %
YEN = "3083 3084 3085 3086 3086 3087 3088 3089 3089 3090 3091 3092"
YEN_WITH_10 = "3391 3392 3394 3395 3395 3396 3397 3398 3398 3399 3400 3401"
DINARS = "12778 12780 12783 12785 12788 12790 12793 12795 12798 12800 12803 12805"
DINARS_WITH_10 = "14056 14058 14061 14064 14067 14069 14072 14075 14078 14080 14083 14086"

OFF = {"should_send_invoice_to_customers": False}
ON = {"should_send_invoice_to_customers": True}
ALIGNED = {"align_billing_cycles_to_calendar": True}


@dataclass(frozen=True)
class Case:
    """``start`` is the vendor's wall clock, ``bounds`` are UTC; of n cycles there are n + 1."""

    name: str
    plan: str
    start: str
    bounds: str
    due: str
    override: dict[str, Any] = field(default_factory=dict)
    generated_after: timedelta = timedelta(0)  # the cycle's end
    issued_after: timedelta = timedelta(0)  # its generation
    days_until_due: int = 30
    outcome: str = "e-mailed"

    @property
    def moments(self) -> list[datetime]:
        texts = self.bounds.replace("\n", " ").split(",")
        return [datetime.strptime(text.strip(), "%Y-%m-%d %H:%M").replace(tzinfo=UTC) for text in texts]

    @property
    def amounts(self) -> list[int]:
        return [int(text) for text in self.due.split()]


@dataclass(frozen=True)
class Company:
    name: str
    zone: str
    currency: str
    settings: dict[str, Any]
    cases: tuple[Case, ...]


DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)

BERLIN = Company(
    "berlin",
    "Europe/Berlin",
    "USD",
    {**ON, "invoice_grace_period_length": 1, "payment_grace_period_length": 2},
    (
        # From the last day of a month, over both changes of the clock and the leap day.
        Case(
            "month-end", "dollars", "2027-10-31 09:30",
            """2027-10-31 08:30, 2027-11-30 08:30, 2027-12-31 08:30, 2028-01-31 08:30, 2028-02-29 08:30,
               2028-03-31 07:30, 2028-04-30 07:30, 2028-05-31 07:30, 2028-06-30 07:30, 2028-07-31 07:30,
               2028-08-31 07:30, 2028-09-30 07:30, 2028-10-31 08:30""",
            DOLLARS,
            generated_after=DAY, issued_after=2 * DAY,
        ),
        # October 2027 has 745 hours, 277 are left: 4900 x 277/745 = 1821.9, with the usage 2599. Tax of 19 %.
        Case(
            "first-of-month", "dollars", "2027-10-20 12:00",
            """2027-10-20 10:00, 2027-10-31 23:00, 2027-11-30 23:00, 2027-12-31 23:00, 2028-01-31 23:00,
               2028-02-29 23:00, 2028-03-31 22:00, 2028-04-30 22:00, 2028-05-31 22:00, 2028-06-30 22:00,
               2028-07-31 22:00, 2028-08-31 22:00, 2028-09-30 22:00""",
            "3093 6764 6772 6781 6789 6797 6806 6814 6822 6831 6839 6847",
            {**ALIGNED, "tax_rate": Decimal(19)},
            generated_after=DAY, issued_after=2 * DAY,
        ),
        # 02:30 on 26 March 2028 is skipped.
        Case(
            "skipped-night", "dollars", "2027-11-26 02:30",
            """2027-11-26 01:30, 2027-12-26 01:30, 2028-01-26 01:30, 2028-02-26 01:30, 2028-03-26 01:30,
               2028-04-26 00:30, 2028-05-26 00:30, 2028-06-26 00:30, 2028-07-26 00:30, 2028-08-26 00:30,
               2028-09-26 00:30, 2028-10-26 00:30, 2028-11-26 01:30""",
            DOLLARS,
            {
                "invoice_grace_period_length": 90,
                "invoice_grace_period_unit": "minute",
                "payment_grace_period_length": 0,
            },
            generated_after=90 * MINUTE,
        ),
        # 02:30 on 29 October 2028 comes twice.
        Case(
            "double-night", "yen", "2027-11-29 02:30",
            """2027-11-29 01:30, 2027-12-29 01:30, 2028-01-29 01:30, 2028-02-29 01:30, 2028-03-29 00:30,
               2028-04-29 00:30, 2028-05-29 00:30, 2028-06-29 00:30, 2028-07-29 00:30, 2028-08-29 00:30,
               2028-09-29 00:30, 2028-10-29 00:30, 2028-11-29 01:30""",
            YEN, OFF,
            generated_after=DAY, issued_after=2 * DAY, outcome="kept here",
        ),
        # The last quarter of 2027 has 2209 hours, 1128 are left: 90000 x 1128/2209 = 45957.4.
        Case(
            "quarters", "yen-quarterly", "2027-11-15 00:00",
            "2027-11-14 23:00, 2027-12-31 23:00, 2028-03-31 22:00, 2028-06-30 22:00, 2028-09-30 22:00",
            "46040 90084 90085 90086",
            {**ALIGNED, "days_until_due": 14},
            generated_after=DAY, issued_after=2 * DAY, days_until_due=14,
        ),
        Case(
            "whole-year", "dinars-yearly", "2027-10-10 00:00",
            "2027-10-09 22:00, 2028-10-09 22:00",
            "146278",
            {"auto_approve_invoices": False},
            generated_after=DAY, issued_after=2 * DAY, outcome="waits for approval",
        ),
    ),
)  # fmt: skip

NEW_YORK = Company(
    "new-york",
    "America/New_York",
    "USD",
    {**ON, "tax_rate": Decimal("8.875"), "days_until_due": 15},
    (
        Case(
            "thirtieth", "dollars", "2027-10-30 18:00",
            """2027-10-30 22:00, 2027-11-30 23:00, 2027-12-30 23:00, 2028-01-30 23:00, 2028-02-29 23:00,
               2028-03-30 22:00, 2028-04-30 22:00, 2028-05-30 22:00, 2028-06-30 22:00, 2028-07-30 22:00,
               2028-08-30 22:00, 2028-09-30 22:00, 2028-10-30 22:00""",
            DOLLARS_WITH_8875,
            days_until_due=15,
        ),
        # November 2027 has 721 hours, 667 are left: 4900 x 667/721 = 4533.0, with the usage 5310.
        Case(
            "first-of-month", "dollars", "2027-11-03 06:00",
            """2027-11-03 10:00, 2027-12-01 05:00, 2028-01-01 05:00, 2028-02-01 05:00, 2028-03-01 05:00,
               2028-04-01 04:00, 2028-05-01 04:00, 2028-06-01 04:00, 2028-07-01 04:00, 2028-08-01 04:00,
               2028-09-01 04:00, 2028-10-01 04:00, 2028-11-01 04:00""",
            "5310 5684 5691 5698 5705 5712 5719 5726 5733 5740 5747 5754",
            {**ALIGNED, "tax_rate": Decimal(0)},
            days_until_due=15,
        ),
        # 02:30 on 12 March 2028 is skipped.
        Case(
            "skipped-night", "yen", "2027-11-12 02:30",
            """2027-11-12 07:30, 2027-12-12 07:30, 2028-01-12 07:30, 2028-02-12 07:30, 2028-03-12 07:30,
               2028-04-12 06:30, 2028-05-12 06:30, 2028-06-12 06:30, 2028-07-12 06:30, 2028-08-12 06:30,
               2028-09-12 06:30, 2028-10-12 06:30, 2028-11-12 07:30""",
            YEN,
            {"tax_rate": Decimal(0), "invoice_grace_period_length": 36, "invoice_grace_period_unit": "hour"},
            generated_after=36 * HOUR, days_until_due=15,
        ),
        # 01:30 on 5 November 2028 comes twice.
        Case(
            "double-night", "dinars", "2027-11-05 01:30",
            """2027-11-05 05:30, 2027-12-05 06:30, 2028-01-05 06:30, 2028-02-05 06:30, 2028-03-05 06:30,
               2028-04-05 05:30, 2028-05-05 05:30, 2028-06-05 05:30, 2028-07-05 05:30, 2028-08-05 05:30,
               2028-09-05 05:30, 2028-10-05 05:30, 2028-11-05 05:30""",
            DINARS_WITH_10,
            {"tax_rate": Decimal(10)},
            days_until_due=15,
        ),
        # From 30 November: its February quarter ends on the leap day.
        Case(
            "quarters", "dollars-quarterly", "2027-11-30 09:00",
            "2027-11-30 14:00, 2028-02-29 14:00, 2028-05-30 13:00, 2028-08-30 13:00, 2028-11-30 14:00",
            "14891 14898 14906 14914",
            days_until_due=15,
        ),
        Case(
            "midnight", "yen", "2027-10-15 00:00",
            """2027-10-15 04:00, 2027-11-15 05:00, 2027-12-15 05:00, 2028-01-15 05:00, 2028-02-15 05:00,
               2028-03-15 04:00, 2028-04-15 04:00, 2028-05-15 04:00, 2028-06-15 04:00, 2028-07-15 04:00,
               2028-08-15 04:00, 2028-09-15 04:00, 2028-10-15 04:00""",
            YEN, {**OFF, "tax_rate": Decimal(0)},
            days_until_due=15, outcome="kept here",
        ),
    ),
)  # fmt: skip

LORD_HOWE = Company(
    "lord-howe",
    "Australia/Lord_Howe",
    "USD",
    {**ON, "payment_grace_period_length": 12, "payment_grace_period_unit": "hour"},
    (
        # October 2027 has 743.5 hours, 528 are left: 4900 x 528/743.5 = 3479.8, with the usage 4257.
        Case(
            "first-of-month", "dollars", "2027-10-10 00:00",
            """2027-10-09 13:00, 2027-10-31 13:00, 2027-11-30 13:00, 2027-12-31 13:00, 2028-01-31 13:00,
               2028-02-29 13:00, 2028-03-31 13:00, 2028-04-30 13:30, 2028-05-31 13:30, 2028-06-30 13:30,
               2028-07-31 13:30, 2028-08-31 13:30, 2028-09-30 13:30""",
            "4257 5684 5691 5698 5705 5712 5719 5726 5733 5740 5747 5754",
            ALIGNED,
            issued_after=12 * HOUR,
        ),
        Case(
            "month-end", "dollars", "2027-10-31 23:45",
            """2027-10-31 12:45, 2027-11-30 12:45, 2027-12-31 12:45, 2028-01-31 12:45, 2028-02-29 12:45,
               2028-03-31 12:45, 2028-04-30 13:15, 2028-05-31 13:15, 2028-06-30 13:15, 2028-07-31 13:15,
               2028-08-31 13:15, 2028-09-30 13:15, 2028-10-31 12:45""",
            DOLLARS,
            issued_after=12 * HOUR,
        ),
        # 01:45 on 2 April 2028 comes twice.
        Case(
            "double-night", "yen", "2027-11-02 01:45",
            """2027-11-01 14:45, 2027-12-01 14:45, 2028-01-01 14:45, 2028-02-01 14:45, 2028-03-01 14:45,
               2028-04-01 14:45, 2028-05-01 15:15, 2028-06-01 15:15, 2028-07-01 15:15, 2028-08-01 15:15,
               2028-09-01 15:15, 2028-10-01 14:45, 2028-11-01 14:45""",
            YEN_WITH_10,
            {"tax_rate": Decimal(10)},
            issued_after=12 * HOUR,
        ),
        # 02:15 on 1 October 2028 is skipped.
        Case(
            "skipped-night", "dinars", "2027-11-01 02:15",
            """2027-10-31 15:15, 2027-11-30 15:15, 2027-12-31 15:15, 2028-01-31 15:15, 2028-02-29 15:15,
               2028-03-31 15:15, 2028-04-30 15:45, 2028-05-31 15:45, 2028-06-30 15:45, 2028-07-31 15:45,
               2028-08-31 15:45, 2028-09-30 15:45, 2028-10-31 15:15""",
            DINARS,
            {"payment_grace_period_length": 0},
        ),
        Case(
            "quarters", "dinars-quarterly", "2027-12-01 00:00",
            "2027-11-30 13:00, 2028-02-29 13:00, 2028-05-31 13:30, 2028-08-31 13:30, 2028-11-30 13:00",
            "37403 37405 37408 37410",
            OFF,
            issued_after=12 * HOUR, outcome="kept here",
        ),
        # 61 of the 365 days of 2027 are left: 365000 x 61/365 = 61000.
        Case(
            "rest-of-year", "yen-yearly", "2027-11-01 00:00",
            "2027-10-31 13:00, 2027-12-31 13:00",
            "61083",
            {**ALIGNED, "days_until_due": 0},
            issued_after=12 * HOUR, days_until_due=0,
        ),
    ),
)  # fmt: skip

TOKYO = Company(
    "tokyo",
    "Asia/Tokyo",
    "JPY",
    {**ON, "tax_rate": Decimal(10), "invoice_grace_period_length": 3},
    (
        Case(
            "month-end", "yen", "2027-10-31 00:00",
            """2027-10-30 15:00, 2027-11-29 15:00, 2027-12-30 15:00, 2028-01-30 15:00, 2028-02-28 15:00,
               2028-03-30 15:00, 2028-04-29 15:00, 2028-05-30 15:00, 2028-06-29 15:00, 2028-07-30 15:00,
               2028-08-30 15:00, 2028-09-29 15:00, 2028-10-30 15:00""",
            YEN_WITH_10,
            generated_after=3 * DAY,
        ),
        # 469 of the 720 hours of November are left: 3000 x 469/720 = 1954.2, with the usage 2037.
        Case(
            "first-of-month", "yen", "2027-11-11 11:00",
            """2027-11-11 02:00, 2027-11-30 15:00, 2027-12-31 15:00, 2028-01-31 15:00, 2028-02-29 15:00,
               2028-03-31 15:00, 2028-04-30 15:00, 2028-05-31 15:00, 2028-06-30 15:00, 2028-07-31 15:00,
               2028-08-31 15:00, 2028-09-30 15:00, 2028-10-31 15:00""",
            "2241 3392 3394 3395 3395 3396 3397 3398 3398 3399 3400 3401",
            ALIGNED,
            generated_after=3 * DAY,
        ),
        Case(
            "twenty-ninth", "yen", "2027-10-29 00:00",
            """2027-10-28 15:00, 2027-11-28 15:00, 2027-12-28 15:00, 2028-01-28 15:00, 2028-02-28 15:00,
               2028-03-28 15:00, 2028-04-28 15:00, 2028-05-28 15:00, 2028-06-28 15:00, 2028-07-28 15:00,
               2028-08-28 15:00, 2028-09-28 15:00, 2028-10-28 15:00""",
            YEN_WITH_10,
            {"auto_approve_invoices": False},
            generated_after=3 * DAY, outcome="waits for approval",
        ),
        Case(
            "thirtieth", "dollars", "2027-11-30 12:34",
            """2027-11-30 03:34, 2027-12-30 03:34, 2028-01-30 03:34, 2028-02-29 03:34, 2028-03-30 03:34,
               2028-04-30 03:34, 2028-05-30 03:34, 2028-06-30 03:34, 2028-07-30 03:34, 2028-08-30 03:34,
               2028-09-30 03:34, 2028-10-30 03:34, 2028-11-30 03:34""",
            DOLLARS,
            {"tax_rate": Decimal(0), "payment_grace_period_length": 1},
            generated_after=3 * DAY, issued_after=DAY,
        ),
        Case(
            "first", "dinars", "2027-11-01 00:00",
            """2027-10-31 15:00, 2027-11-30 15:00, 2027-12-31 15:00, 2028-01-31 15:00, 2028-02-29 15:00,
               2028-03-31 15:00, 2028-04-30 15:00, 2028-05-31 15:00, 2028-06-30 15:00, 2028-07-31 15:00,
               2028-08-31 15:00, 2028-09-30 15:00, 2028-10-31 15:00""",
            DINARS_WITH_10,
            {"invoice_grace_period_length": 0},
        ),
        Case(
            "whole-year", "yen-yearly", "2027-11-11 00:00",
            "2027-11-10 15:00, 2028-11-10 15:00",
            "401591",
            generated_after=3 * DAY,
        ),
    ),
)  # fmt: skip

# Delivery is off unless a customer's override turns it on.
BAHRAIN = Company(
    "bahrain",
    "Asia/Bahrain",
    "BHD",
    {**OFF, "days_until_due": 7},
    (
        Case(
            "month-end", "dinars", "2027-10-31 06:00",
            """2027-10-31 03:00, 2027-11-30 03:00, 2027-12-31 03:00, 2028-01-31 03:00, 2028-02-29 03:00,
               2028-03-31 03:00, 2028-04-30 03:00, 2028-05-31 03:00, 2028-06-30 03:00, 2028-07-31 03:00,
               2028-08-31 03:00, 2028-09-30 03:00, 2028-10-31 03:00""",
            DINARS,
            days_until_due=7, outcome="kept here",
        ),
        # 328 of the 720 hours of November are left: 12500 x 328/720 = 5694.4, with the usage 5972.
        Case(
            "first-of-month", "dinars", "2027-11-17 08:00",
            """2027-11-17 05:00, 2027-11-30 21:00, 2027-12-31 21:00, 2028-01-31 21:00, 2028-02-29 21:00,
               2028-03-31 21:00, 2028-04-30 21:00, 2028-05-31 21:00, 2028-06-30 21:00, 2028-07-31 21:00,
               2028-08-31 21:00, 2028-09-30 21:00, 2028-10-31 21:00""",
            "5972 12780 12783 12785 12788 12790 12793 12795 12798 12800 12803 12805",
            {**ON, **ALIGNED, "payment_grace_period_length": 5},
            issued_after=5 * DAY, days_until_due=7,
        ),
        Case(
            "fifteenth", "dinars", "2027-11-15 00:00",
            """2027-11-14 21:00, 2027-12-14 21:00, 2028-01-14 21:00, 2028-02-14 21:00, 2028-03-14 21:00,
               2028-04-14 21:00, 2028-05-14 21:00, 2028-06-14 21:00, 2028-07-14 21:00, 2028-08-14 21:00,
               2028-09-14 21:00, 2028-10-14 21:00, 2028-11-14 21:00""",
            DINARS_WITH_10,
            {**ON, "tax_rate": Decimal(10)},
            days_until_due=7,
        ),
        Case(
            "twenty-eighth", "dollars", "2027-11-28 10:00",
            """2027-11-28 07:00, 2027-12-28 07:00, 2028-01-28 07:00, 2028-02-28 07:00, 2028-03-28 07:00,
               2028-04-28 07:00, 2028-05-28 07:00, 2028-06-28 07:00, 2028-07-28 07:00, 2028-08-28 07:00,
               2028-09-28 07:00, 2028-10-28 07:00, 2028-11-28 07:00""",
            DOLLARS,
            days_until_due=7, outcome="kept here",
        ),
        Case(
            "twentieth", "yen", "2027-11-20 12:00",
            """2027-11-20 09:00, 2027-12-20 09:00, 2028-01-20 09:00, 2028-02-20 09:00, 2028-03-20 09:00,
               2028-04-20 09:00, 2028-05-20 09:00, 2028-06-20 09:00, 2028-07-20 09:00, 2028-08-20 09:00,
               2028-09-20 09:00, 2028-10-20 09:00, 2028-11-20 09:00""",
            YEN,
            {**ON, "days_until_due": 45},
            days_until_due=45,
        ),
        Case(
            "whole-year", "dinars-yearly", "2027-11-28 00:00",
            "2027-11-27 21:00, 2028-11-27 21:00",
            "146278",
            ON,
            days_until_due=7,
        ),
    ),
)  # fmt: skip

COMPANIES = (BERLIN, NEW_YORK, LORD_HOWE, TOKYO, BAHRAIN)
