"""What a comparison brings to light: differences, and whose the money is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from payments.reconcile.models import Difference, SeenInvoice

JSON = Mapping[str, Any]
Kind = Difference.Kind


class Bucket(StrEnum):
    """What Stripe holds."""

    PAID = "paid"
    OPEN = "open"
    REFUNDED = "refunded"


class Share(StrEnum):
    """How it relates to our records."""

    EXPLAINED = "explained"
    DIFFERS = "differs"
    FOREIGN = "foreign"


@dataclass(frozen=True)
class Found:
    """One difference. ``look`` is the news from Stripe that repairs it; where none does, ``advice`` says what to do."""

    kind: Kind
    external_id: str
    ours: str
    theirs: str
    look: JSON = field(default_factory=dict)
    advice: str = ""
    invoice_id: int | None = None
    customer_id: int | None = None


class Money:
    """Amounts by currency, bucket and share."""

    def __init__(self) -> None:
        self.amounts: dict[tuple[str, Bucket, Share], int] = defaultdict(int)

    def add(self, currency: str, bucket: Bucket, share: Share, amount: int) -> None:
        self.amounts[currency.upper(), bucket, share] += amount

    def onto(self, kept: dict[str, Any]) -> dict[str, Any]:
        """The sums of a run with these amounts added."""
        for (currency, bucket, share), amount in self.amounts.items():
            shares = kept.setdefault(currency, {}).setdefault(bucket.value, {})
            shares[share.value] = shares.get(share.value, 0) + amount
        return kept


@dataclass
class Findings:
    """What was learned of some objects. ``looked`` are their ids; what is being changed at this moment is
    not among them."""

    found: list[Found] = field(default_factory=list)
    looked: list[str] = field(default_factory=list)
    money: Money = field(default_factory=Money)
    seen: list[SeenInvoice] = field(default_factory=list)
    objects: int = 0

    def of(self, external_id: str) -> Found | None:
        return next((one for one in self.found if one.external_id == external_id), None)
