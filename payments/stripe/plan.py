"""One Stripe invoice to be made, and how it is let go once it is complete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from invoicing.gateways import Advance, Collection, InvoiceOrder
from invoicing.invoices.schedule import end_of_day
from payments.stripe import mapping
from payments.stripe.client import AccountClient

NO_METHOD_NOTE = "The customer has no usable payment method in Stripe, so the invoice is sent instead of charged."

JSON = dict[str, Any]


class KnownMethod(Protocol):
    """A payment method that is attached to the customer, as last seen."""

    external_id: str

    def is_expired(self, today: date) -> bool: ...


@dataclass(frozen=True)
class Issue:
    """One invoice to be made: for whom, under which key, and what is known beforehand."""

    client: AccountClient
    order: InvoiceOrder
    customer: str
    key: str
    today: date
    zone: ZoneInfo
    real_now: datetime
    known_methods: Sequence[KnownMethod]

    @property
    def due(self) -> JSON:
        """When an invoice that is sent has to be paid: by a day that was chosen, to its end, or so many days after
        it is finalized. Stripe takes exactly one of the two."""
        if self.order.due_date is None:
            return {"days_until_due": self.order.days_until_due}
        return {"due_date": int(end_of_day(self.order.due_date, self.zone).timestamp())}

    @property
    def charges(self) -> bool:
        return self.order.collection == Collection.CHARGE_AUTOMATICALLY

    @property
    def at_once(self) -> bool:
        return self.order.advance == Advance.AT_ONCE

    def step(self, name: str) -> str:
        return f"{self.key}-{name}"


@dataclass(frozen=True)
class Plan:
    """How the invoice is let go. ``method`` is paid with although it is not the customer's default."""

    collection: str
    method: str = ""
    note: str = ""


def plan_for(issue: Issue, customer: JSON) -> Plan:
    if not issue.charges:
        return Plan(Collection.SEND_INVOICE)
    if has_usable_default(customer, issue.today):
        return Plan(Collection.CHARGE_AUTOMATICALLY)
    if method := spare_method(issue.known_methods, issue.today):
        return Plan(Collection.CHARGE_AUTOMATICALLY, method=method)
    return Plan(Collection.SEND_INVOICE, note=NO_METHOD_NOTE)


def method_to_charge(customer: JSON, known: Sequence[KnownMethod], today: date) -> str:
    """What is charged without an invoice of Stripe's, by the same precedence; empty where nothing would do."""
    method = (customer.get("invoice_settings") or {}).get("default_payment_method")
    if isinstance(method, Mapping) and not mapping.method_is_expired(method, today):
        return str(method["id"])
    source = customer.get("default_source")
    return str(source) if source else spare_method(known, today)


def has_usable_default(customer: JSON, today: date) -> bool:
    """What Stripe would charge by itself, in Stripe's order of precedence."""
    method = (customer.get("invoice_settings") or {}).get("default_payment_method")
    if isinstance(method, Mapping) and not mapping.method_is_expired(method, today):
        return True
    return bool(customer.get("default_source"))


def spare_method(known: Sequence[KnownMethod], today: date) -> str:
    """A method that is attached but not the default; empty where none would do."""
    return next((method.external_id for method in known if not method.is_expired(today)), "")
