"""The demonstration's customers: who they are, what they use, and what is particular about each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from billing_portal.demo.company import BUILDS, REQUESTS, SCALE, STARTER, STORAGE, TEAM

VISA = "pm_card_visa"
FAILING = "pm_card_chargeCustomerFail"


@dataclass(frozen=True)
class Use:
    """What is used on a day: requests and build minutes on a usual weekday, GB stored at first; ``growth``
    is by how much a month adds to it."""

    requests: int
    storage: int
    builds: int
    growth: float = 0.04
    weekend: float = 0.45

    @property
    def by_meter(self) -> Mapping[str, int]:
        return {REQUESTS: self.requests, STORAGE: self.storage, BUILDS: self.builds}


@dataclass(frozen=True)
class Person:
    """A customer. ``card`` is one of Stripe's test methods; empty for none.

    ``cycles`` is how many months it has been billed for; None for all. ``cycle_ended``: these are months of
    its own, the last of which ended so long ago, instead of the calendar's.
    """

    name: str
    display_name: str
    plan: str
    use: Use
    contact: Mapping[str, Any]
    card: str = VISA
    tags: tuple[str, ...] = ()
    cycles: int | None = None
    cycle_ended: timedelta | None = None
    override: Mapping[str, Any] = field(default_factory=dict)

    @property
    def account_id(self) -> str:
        """What its measurements are labelled with."""
        return f"acc_{self.name.replace('-', '_')}"


def _contact(email: str, street: str, city: str, state: str, zipcode: str, country: str, **more: Any) -> dict[str, Any]:
    place = {"address_line_1": street, "city": city, "state": state, "zipcode": zipcode, "country": country}
    return {"email": email, **place, **more}


_US = "United States"

# Their parts in the story (story.py) go by these names.
BANK_TRANSFER = "norrland-energi"
APPROVED_BY_HAND = "city-of-riverton"
NO_CARD = "papaya-studio"
NO_EMAIL = "pinegrove-games"
CARD_FAILS = "oakline-logistics"
LEAVES = "maple-street-books"

CAST: tuple[Person, ...] = (
    Person(
        "brightpath-health", "Brightpath Health", SCALE, Use(640_000, 2_400, 900),
        _contact("ap@brightpath.example", "88 Longwood Avenue", "Boston", "MA", "02115", _US,
                 legal_name="Brightpath Health Systems, Inc.", secondary_emails=["cfo-office@brightpath.example"]),
        tags=("enterprise", "healthcare"),
    ),
    Person(
        "lumen-analytics", "Lumen Analytics", SCALE, Use(1_450_000, 11_200, 1_600, growth=0.07),
        _contact("invoices@lumen-analytics.example", "500 Howard Street", "San Francisco", "CA", "94105", _US,
                 legal_name="Lumen Analytics Corp."),
        card="pm_card_amex", tags=("enterprise", "longer-graces"),
        override={"invoice_grace_period_length": 3, "invoice_grace_period_unit": "day",
                  "payment_grace_period_length": 7, "payment_grace_period_unit": "day"},
    ),
    Person(
        "kestrel-robotics", "Kestrel Robotics", TEAM, Use(118_000, 640, 2_300),
        _contact("finance@kestrel-robotics.example", "2100 Liberty Avenue", "Pittsburgh", "PA", "15222", _US,
                 phone="+1 412 555 0117"),
        card="pm_card_mastercard", tags=("manufacturing",),
    ),
    Person(
        "atlas-freight", "Atlas Freight", TEAM, Use(96_000, 310, 240, weekend=0.9),
        _contact("billing@atlasfreight.example", "1 Port Road", "Savannah", "GA", "31408", _US),
        card="pm_card_discover", tags=("logistics",),
    ),
    Person(
        CARD_FAILS, "Oakline Logistics", TEAM, Use(84_000, 280, 310),
        _contact("accounts@oakline.example", "740 Market Street", "Chattanooga", "TN", "37402", _US),
        tags=("logistics",),
    ),
    Person(
        BANK_TRANSFER, "Norrland Energi", SCALE, Use(410_000, 5_200, 450, growth=0.02, weekend=0.95),
        _contact("faktura@norrland-energi.example", "Storgatan 14", "Luleå", "", "972 38", "Sweden",
                 legal_name="Norrland Energi AB", vat_id="SE556012345601",
                 secondary_emails=["it-avdelningen@norrland-energi.example"]),
        card="", tags=("enterprise", "bank-transfer"),
        override={"invoice_via_octane": True, "days_until_due": 30, "charges_enabled": False},
    ),
    Person(
        APPROVED_BY_HAND, "City of Riverton", TEAM, Use(72_000, 900, 120, growth=0.01, weekend=0.3),
        _contact("treasurer@riverton.example", "1 City Hall Plaza", "Riverton", "OH", "44137", _US,
                 legal_name="City of Riverton, Department of Technology"),
        tags=("public-sector", "purchase-orders"), override={"auto_approve_invoices": False},
    ),
    Person(
        NO_CARD, "Papaya Studio", STARTER, Use(9_800, 85, 60),
        _contact("hello@papaya.example", "33 Frith Street", "London", "", "W1D 5LB", "United Kingdom"),
        card="", tags=("agency",),
    ),
    Person(
        "verdant-foods", "Verdant Foods", STARTER, Use(14_500, 60, 25, growth=0.06),
        _contact("office@verdant-foods.example", "412 Grove Avenue", "Portland", "OR", "97209", _US),
        tags=("retail",),
    ),
    Person(
        LEAVES, "Maple Street Books", STARTER, Use(5_200, 22, 8, growth=-0.05, weekend=1.2),
        _contact("books@maplestreet.example", "17 Maple Street", "Burlington", "VT", "05401", _US),
        tags=("retail",),
    ),
    Person(
        "quanta-labs", "Quanta Labs", TEAM, Use(131_000, 1_150, 780, growth=0.09),
        _contact("ops@quanta-labs.example", "Rosenthaler Straße 40", "Berlin", "", "10178", "Germany",
                 legal_name="Quanta Labs GmbH", vat_id="DE312345678"),
        tags=("research",), cycle_ended=timedelta(hours=44), cycles=3,
    ),
    Person(
        "hollis-and-reed", "Hollis & Reed", STARTER, Use(6_100, 240, 10, weekend=0.1),
        _contact("bookkeeping@hollisreed.example", "9 Court Square", "Charleston", "SC", "29401", _US,
                 legal_name="Hollis & Reed LLP"),
        card="pm_card_visa_debit", tags=("legal",), cycle_ended=timedelta(hours=44), cycles=3,
    ),
    Person(
        "sunda-telecom", "Sunda Telecom", SCALE, Use(880_000, 3_100, 1_050),
        _contact("ap@sunda-telecom.example", "8 Marina View", "Singapore", "", "018960", "Singapore",
                 legal_name="Sunda Telecom Pte. Ltd."),
        card="pm_card_mastercard", tags=("enterprise",), cycle_ended=timedelta(hours=20), cycles=2,
    ),
    Person(
        NO_EMAIL, "Pinegrove Games", STARTER, Use(21_000, 130, 210, growth=0.15, weekend=1.6),
        _contact("", "60 Spring Garden Road", "Halifax", "NS", "B3J 1X5", "Canada"),
        tags=("games", "new"), cycles=2,
    ),
)  # fmt: skip
