"""Draws cases: everything that is random about them comes from a seed and an index, and nothing else does.

A case is one customer with settings, card, amounts, and the invoice that follows. ``TOGETHER`` of them share a vendor,
its Stripe account, and what goes wrong there: their steps and the news of them mix.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any

TOGETHER = 10

# The invoice's way through Stripe, and what may go wrong at each step.
ROUTES = (
    ("POST", r"^/v1/invoices$"),
    ("POST", r"/add_lines$"),
    ("POST", r"^/v1/invoices/in_[^/]+$"),
    ("POST", r"/finalize$"),
    ("POST", r"/send$"),
    ("POST", r"/pay$"),
    ("POST", r"^/v1/payment_intents"),
    ("POST", r"^/v1/customers"),
    ("GET", r"^/v1/invoices"),
    ("GET", r"^/v1/customers"),
    ("GET", r"^/v1/charges"),
    ("", ""),
)
FAULTS = (
    "timeout_before",
    "timeout_after",
    "error_500_before",
    "error_500_after",
    "garbage",
    "rate_limit",
    "lock_timeout",
    "conflict",
)
# Card -> what it stands for.
CARDS = {
    "pm_card_visa": "good",
    "pm_card_mastercard": "good",
    "pm_card_chargeCustomerFail": "declined",
    "pm_card_authenticationRequired": "3DS",
    "pm_card_visa_chargeDeclinedLostCard": "lost",
    "expired": "expired",
    "": "none",
}


@dataclass(frozen=True)
class DrawnFault:
    method: str
    path_regex: str
    kind: str
    times: int


@dataclass(frozen=True)
class DrawnWebhooks:
    kind: str
    types: list[str]
    seconds: float
    times: int | None


@dataclass(frozen=True)
class DrawnCustomer:
    card: str
    has_email: bool
    is_linked: bool
    base_price: int
    unit_price: Decimal
    usage: tuple[Decimal, ...]
    override: dict[str, Any] | None


@dataclass(frozen=True)
class Draw:
    """The cases of one vendor."""

    seed: int
    index: int
    currency: str
    settings: dict[str, Any]
    customers: tuple[DrawnCustomer, ...]
    faults: tuple[DrawnFault, ...]
    webhooks: tuple[DrawnWebhooks, ...]

    @property
    def label(self) -> str:
        return f"PROPERTY_SEED={self.seed} PROPERTY_ONLY={self.index}"


def draw(seed: int, index: int) -> Draw:
    chance = Random(f"{seed}-{index}")  # noqa: S311 - the same draw again, not secrecy
    return Draw(
        seed=seed,
        index=index,
        currency=chance.choice(["USD", "EUR", "JPY"]),
        settings=_settings(chance),
        customers=tuple(_customer(chance) for _ in range(TOGETHER)),
        faults=tuple(_fault(chance) for _ in range(chance.choice([0, 2, 5, 10]))),
        webhooks=tuple(_webhooks(chance) for _ in range(chance.choice([0, 0, 1, 1, 2]))),
    )


def _settings(chance: Random) -> dict[str, Any]:
    return {
        **_delivery(chance),
        "invoice_grace_period_length": chance.choice([0, 0, 1, 2]),
        "invoice_grace_period_unit": chance.choice(["hour", "day"]),
        "payment_grace_period_length": chance.choice([0, 0, 1, 2]),
        "payment_grace_period_unit": chance.choice(["hour", "day"]),
        "days_until_due": chance.choice([0, 1, 14, 30]),
        "retry_attempts": chance.choice([0, 1, 2, 3]),
        "retry_frequency_length": chance.choice([1, 2]),
        "retry_frequency_unit": "day",
        "tax_rate": chance.choice([Decimal(0), Decimal(0), Decimal(20), Decimal("7.7"), Decimal("8.375")]),
        "invoice_memo": chance.choice(["", "Danke, {customer_display_name} & co: 100 % \N{HEAVY BLACK HEART}"]),
        "auto_approve_invoices": chance.random() < 0.95,
        "send_receipts": chance.random() < 0.2,
        "communicate_payment_failures": chance.random() < 0.2,
    }


def _delivery(chance: Random) -> dict[str, Any]:
    return {
        "should_send_invoice_to_customers": chance.random() < 0.93,
        "invoice_via_octane": chance.random() < 0.15,
        "charges_enabled": chance.random() < 0.65,
        "stripe_auto_advance": chance.random() < 0.85,
        "stripe_immediate_finalization": chance.random() < 0.5,
    }


def _customer(chance: Random) -> DrawnCustomer:
    return DrawnCustomer(
        card=chance.choices(list(CARDS), weights=[6, 2, 2, 1, 1, 1, 2])[0],
        has_email=chance.random() < 0.9,
        is_linked=chance.random() < 0.95,
        base_price=chance.choice([0, 0, 10, 50, 9900, chance.randrange(1, 500_000)]),
        unit_price=Decimal(chance.randrange(0, 20_000)) / Decimal(chance.choice([1, 10, 1000])),
        usage=tuple(Decimal(chance.randrange(0, 100_000)) / 100 for _ in range(chance.choice([0, 1, 3]))),
        override=_settings(chance) if chance.random() < 0.6 else None,
    )


def _fault(chance: Random) -> DrawnFault:
    """Up to two are made good by the SDK's own tries, more reach the portal."""
    method, path = chance.choice(ROUTES)
    return DrawnFault(method, path, chance.choice(FAULTS), chance.choice([1, 1, 3, 4, 7]))


def _webhooks(chance: Random) -> DrawnWebhooks:
    kind = chance.choice(["delay", "double", "reorder", "drop"])
    types = chance.choice([[], [], ["invoice.*"], ["invoice.paid"], ["invoice.finalized", "charge.*"]])
    return DrawnWebhooks(kind, types, chance.choice([0.0, 30.0, 4000.0]), chance.choice([None, None, 1, 3]))
