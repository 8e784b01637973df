"""A vendor at work, through the API alone: customers of several kinds, usage every month, changes of mind.

What it sent is kept (``sent``): the audit compares it with what was billed.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from billing_portal.torture.portal import Portal, Refused
from billing_portal.torture.stage import Stage

BASE_PRICE, UNIT_PRICE = 1_900, 7
METER, PLAN = "requests", "standard"
BATCH = 250
THREADS = 4
MONTH = timedelta(days=30)
# After a cycle's end come the invoice grace period, the payment grace period and Stripe's hour: all within a day.
SETTLED = timedelta(days=1)
SETTINGS = {
    "should_send_invoice_to_customers": True,
    "invoice_via_octane": True,
    "invoice_grace_period_length": 1,
    "invoice_grace_period_unit": "hour",
    "payment_grace_period_length": 2,
    "payment_grace_period_unit": "hour",
}


@dataclass(frozen=True)
class Kind:
    """``share`` of a hundred customers; ``settings``: their override; ``card``: attached in Stripe."""

    name: str
    share: int
    settings: dict[str, Any]
    card: str = ""


THROUGH_STRIPE = {"invoice_via_octane": False}
KINDS = (
    Kind("charged", 16, {**THROUGH_STRIPE, "charges_enabled": True}, "pm_card_visa"),
    Kind("declined", 2, {**THROUGH_STRIPE, "charges_enabled": True}, "pm_card_chargeCustomerFail"),
    Kind("sent", 4, {**THROUGH_STRIPE, "charges_enabled": False}),
    Kind("emailed", 20, {}),
    Kind("emailed-and-charged", 4, {"charges_enabled": True}, "pm_card_visa"),
    Kind("kept", 54, {"should_send_invoice_to_customers": False}),
)


@dataclass
class Company:
    portal: Portal
    stage: Stage
    chance: random.Random
    customers: int
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    sent: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    months: int = 0

    def open(self, webhook_address: str, told: Callable[[int], None]) -> None:
        """Catalog, settings and customers. ``told`` hears how many customers there are so far."""
        self.portal.send("POST", "/webhooks/", {"url": webhook_address})
        self.portal.send("POST", "/billing_settings/", SETTINGS)
        self.portal.send("POST", "/meters/", {"name": METER, "display_name": "Requests"})
        scheme = {"scheme_type": "FLAT", "prices": [{"price": UNIT_PRICE}]}
        component = {"meter_name": METER, "price_scheme": scheme}
        plan = {"name": PLAN, "base_price": BASE_PRICE, "period": "month", "metered_components": [component]}
        self.portal.send("POST", "/price_plans/", plan)
        with ThreadPoolExecutor(THREADS) as pool:
            for count, _ in enumerate(pool.map(self._welcome, self.everybody), 1):
                told(count)

    @property
    def everybody(self) -> list[tuple[str, Kind]]:
        """Names and kinds, always the same for the same number."""
        hundred = [kind for kind in KINDS for _ in range(kind.share)]
        mixed = [hundred[n * 37 % 100] for n in range(100)]
        return [(f"{mixed[n % 100].name}-{n:05}", mixed[n % 100]) for n in range(self.customers)]

    def live_a_month(self) -> None:
        """Usage, some changes of mind, and the clock at the end of it."""
        now = self._now()
        for _ in range(2):
            self._measure(now)
        self._change_minds()
        self.months += 1
        target = max(now + MONTH, self.started_at + self.months * timedelta(days=31) + SETTLED)
        self.portal.send("POST", "/test_clock", {"now": target.isoformat()})

    def has_arrived(self) -> bool:
        return bool(self.portal.get("/test_clock")["status"] == "ready")

    def _now(self) -> datetime:
        return datetime.fromisoformat(self.portal.get("/test_clock")["now"])

    def _welcome(self, who: tuple[str, Kind]) -> None:
        name, kind = who
        contact = {"email": f"{name}@customer.example"}
        wants_stripe = bool(kind.card) or not kind.settings.get("invoice_via_octane", True)
        new = {"name": name, "contact_info": contact, "autogenerate_payment_gateway_customer": wants_stripe}
        self.portal.send("POST", "/customers/", new)
        if kind.settings:
            self.portal.send("PUT", f"/customers/{name}/billing_settings", kind.settings)
        if kind.card:
            self._save_card(name, kind.card)
        # All at the same moment: a month has few moments at which something is due.
        begin = {"price_plan_name": PLAN, "effective_at": self.started_at.isoformat(), "align_to_calendar": False}
        self.portal.send("POST", f"/customers/{name}/subscriptions", begin)

    def _save_card(self, name: str, card: str) -> None:
        account: str = self.portal.get(f"/customers/{name}/payment_gateway_credentials")["account_id"]
        method = self.stage.stripe(f"payment_methods/{card}/attach", {"customer": account})["id"]
        self.stage.stripe(f"customers/{account}", {"invoice_settings[default_payment_method]": method})

    def _measure(self, now: datetime) -> None:
        """Each measurement has an id: sent again by a program that heard no answer, it counts once."""
        batches = list(_chunks([self._measurement(name, now) for name, _ in self.everybody], BATCH))
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(lambda batch: self.portal.send("POST", "/measurements/multi", batch), batches))

    def _measurement(self, name: str, now: datetime) -> dict[str, Any]:
        value = self.chance.randint(1, 400)
        self.sent[name] += value
        moment = now - timedelta(minutes=self.chance.randint(1, 300))
        known = f"{name}-{self.chance.getrandbits(64):x}"
        return {"meter_name": METER, "customer_name": name, "value": value, "time": moment.isoformat(), "id": known}

    def _change_minds(self) -> None:
        for status, verb, body, most in CHANGES:
            query = {"status": status, "limit": 100}
            found = self.portal.get("/invoices/", **query)["invoices"]
            for invoice in self.chance.sample(found, min(most, len(found))):
                self._change(invoice, verb, body(invoice, self.chance))

    def _change(self, invoice: dict[str, Any], verb: str, body: dict[str, Any]) -> None:
        """What is refused by the rules is refused: the customer may have paid meanwhile."""
        with suppress(Refused):
            self.portal.send("POST", f"/invoices/{invoice['id']}/{verb}", body)
            self.done[verb] += 1


Body = Callable[[dict[str, Any], random.Random], dict[str, Any]]

_NOTHING: Body = lambda invoice, chance: {}  # noqa: E731 - one of a table
_PART: Body = lambda invoice, chance: {"amount": chance.randint(1, invoice["amount_due"])}  # noqa: E731

# Of which invoices, what is done, with which words, and with how many a month.
CHANGES: Sequence[tuple[str, str, Body, int]] = (
    ("INVOICE_PAID", "refund", _PART, 6),
    ("INVOICE_ISSUED", "void", _NOTHING, 6),
    ("INVOICE_ISSUED", "send", _NOTHING, 6),
    ("PAYMENT_FAILED", "pay", _NOTHING, 6),
    ("PAYMENT_FAILED", "void", _NOTHING, 3),
    ("INVOICE_GENERATED", "void", _NOTHING, 3),
)


def _chunks(items: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))
