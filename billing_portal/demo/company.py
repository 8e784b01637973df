"""The demonstration's vendor: who it is, what it measures, what it sells, and how it bills."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

NAME = "fernwood-cloud"

VENDOR: Mapping[str, Any] = {
    "name": NAME,
    "display_name": "Fernwood Cloud",
    "legal_name": "Fernwood Cloud, Inc.",
    "email": "billing@fernwood.example",
    "phone": "+1 617 555 0142",
    "url": "https://fernwood.example",
    "address_line_1": "215 Harbor Street, Floor 3",
    "city": "Boston",
    "state": "MA",
    "zipcode": "02210",
    "country": "United States",
    "vat_id": "US 84-5550142",
    "currency": "USD",
    "time_zone": "America/New_York",
}

SETTINGS: Mapping[str, Any] = {
    "should_send_invoice_to_customers": True,
    "invoice_via_octane": False,
    "charges_enabled": True,
    "invoice_grace_period_length": 1,
    "invoice_grace_period_unit": "day",
    "payment_grace_period_length": 2,
    "payment_grace_period_unit": "day",
    "days_until_due": 14,
    "invoice_memo": "Fernwood Cloud usage of {customer_display_name} from {billing_cycle_start} to "
    "{billing_cycle_end}. Questions? Write to billing@fernwood.example.",
    "include_ach_instructions": True,
    "ach_account_name": "Fernwood Cloud, Inc.",
    "ach_account_number": "000123456789",
    "ach_routing_number": "110000000",
    "ach_bank_name": "First Harbor Bank",
    "ach_bank_address_1": "1 State Street, Boston, MA",
}

REQUESTS, STORAGE, BUILDS = "api_requests", "storage_gb", "build_minutes"

METERS: Sequence[Mapping[str, Any]] = (
    {
        "name": REQUESTS,
        "display_name": "API requests",
        "unit_name": "requests",
        "description": "Requests that the gateway answered, whatever their status.",
        "expected_labels": ["account_id", "region"],
    },
    {
        "name": STORAGE,
        "display_name": "Object storage",
        "unit_name": "GB",
        "description": "The most that was stored at any time of the billing cycle.",
        "data_type": "CONTINUOUS",
        "aggregation": "MAX",
        "expected_labels": ["account_id"],
    },
    {
        "name": BUILDS,
        "display_name": "Build minutes",
        "unit_name": "minutes",
        "description": "Minutes that build machines ran.",
        "expected_labels": ["account_id"],
    },
)

STARTER, TEAM, SCALE = "starter", "team", "scale"


def _component(meter: str, display_name: str, kind: str, *prices: Mapping[str, Any], batch: int = 1) -> dict[str, Any]:
    scheme = {"scheme_type": kind, "prices": list(prices), "batch_size": batch}
    return {"meter_name": meter, "display_name": display_name, "price_scheme": scheme}


# Prices are in cents.
PLANS: Sequence[Mapping[str, Any]] = (
    {
        "name": STARTER,
        "display_name": "Starter",
        "description": "For first projects: everything by use.",
        "base_price": 4_900,
        "base_price_description": "Starter plan",
        "metered_components": [
            _component(REQUESTS, "API requests", "FLAT", {"price": 30}, batch=1_000),
            _component(STORAGE, "Storage (peak)", "FLAT", {"price": 12}),
            _component(BUILDS, "Build minutes", "FLAT", {"price": 0.8}),
        ],
    },
    {
        "name": TEAM,
        "display_name": "Team",
        "description": "Two million requests a month included.",
        "base_price": 19_900,
        "base_price_description": "Team plan",
        "metered_components": [
            _component(
                REQUESTS,
                "API requests",
                "TIERED",
                {"price": 0, "cap": 2_000_000, "description": "Included"},
                {"price": 22},
                batch=1_000,
            ),
            _component(STORAGE, "Storage (peak)", "FLAT", {"price": 10}),
            _component(BUILDS, "Build minutes", "FLAT", {"price": 0.6}),
        ],
    },
    {
        "name": SCALE,
        "display_name": "Scale",
        "description": "Ten million requests a month included, and prices that fall with use.",
        "base_price": 89_900,
        "base_price_description": "Scale plan",
        "metered_components": [
            _component(
                REQUESTS,
                "API requests",
                "TIERED",
                {"price": 0, "cap": 10_000_000, "description": "Included"},
                {"price": 15, "cap": 50_000_000},
                {"price": 10},
                batch=1_000,
            ),
            _component(
                STORAGE,
                "Storage (peak)",
                "VOLUME",
                {"price": 9, "cap": 1_000},
                {"price": 7, "cap": 10_000},
                {"price": 5},
            ),
            _component(BUILDS, "Build minutes", "FLAT", {"price": 0.5}),
        ],
    },
)
