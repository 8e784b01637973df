"""Where rooms above take part in what happens here. They fill these lists in ``AppConfig.ready``; each
entry is called in the transaction of the change (``docs/architecture.md`` lists them)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from customers.customer import Customer
from customers.vendor import Vendor


class AttributionChanged(Protocol):
    def __call__(self, vendor: Vendor, *, real_now: datetime) -> object:
        """A customer or a mapping is new: measurements that wait for their customer may have found one."""


class PolicyChanged(Protocol):
    def __call__(self, vendor: Vendor, customer: Customer | None, *, now: datetime, real_now: datetime) -> int:
        """Billing settings were saved, the vendor's or one customer's. Answers how many planned steps moved."""


class CustomerChanged(Protocol):
    def __call__(self, customer: Customer, changed: Collection[str], *, real_now: datetime) -> object:
        """Fields of a customer were edited."""


class CustomerErased(Protocol):
    def __call__(self, customer: Customer, was: str, *, real_now: datetime) -> Sequence[str]:
        """Forget who the customer, formerly called ``was``, is. Answers what is left to be done elsewhere, in
        sentences. Raises ``Conflict`` where it cannot be forgotten yet."""


class CustomerDeleting(Protocol):
    def __call__(self, customer: Customer) -> object:
        """A customer is about to be deleted, with all that hangs on it. It is locked."""


on_customer_deleting: list[CustomerDeleting] = []
on_attribution_changed: list[AttributionChanged] = []
on_policy_changed: list[PolicyChanged] = []
on_customer_changed: list[CustomerChanged] = []
on_customer_erased: list[CustomerErased] = []


def attribution_changed(vendor: Vendor, *, real_now: datetime) -> None:
    for hook in on_attribution_changed:
        hook(vendor, real_now=real_now)


def policy_changed(vendor: Vendor, customer: Customer | None, *, now: datetime, real_now: datetime) -> int:
    return sum(hook(vendor, customer, now=now, real_now=real_now) for hook in on_policy_changed)


def customer_changed(customer: Customer, changed: Collection[str], *, real_now: datetime) -> None:
    for hook in on_customer_changed:
        hook(customer, changed, real_now=real_now)


def customer_deleting(customer: Customer) -> None:
    for hook in on_customer_deleting:
        hook(customer)


def customer_erased(customer: Customer, was: str, *, real_now: datetime) -> list[str]:
    return [left for hook in on_customer_erased for left in hook(customer, was, real_now=real_now)]
