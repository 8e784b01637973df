"""A comparison in words: how much of what Stripe holds we can explain, and where the two disagree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from customers.money import format_money
from payments.reconcile.findings import Bucket, Share
from payments.reconcile.models import Difference, ReconciliationRun

WORDS: Mapping[Bucket, str] = {
    Bucket.PAID: "Payments collected",
    Bucket.OPEN: "Invoices still open",
    Bucket.REFUNDED: "Refunds",
}


@dataclass(frozen=True)
class Line:
    """One currency and kind of money. All in minor units."""

    currency: str
    what: str
    held: int
    explained: int
    foreign: int
    differs: int

    @property
    def percent(self) -> int:
        """How much is explained, never rounded up to all of it."""
        return 100 if self.explained == self.held else self.explained * 100 // self.held


def lines(run: ReconciliationRun) -> list[Line]:
    return [
        _line(currency, bucket, run.money[currency].get(bucket, {}))
        for currency in sorted(run.money)
        for bucket in Bucket
        if any(run.money[currency].get(bucket, {}).values())
    ]


def _line(currency: str, bucket: Bucket, shares: Mapping[str, Any]) -> Line:
    return Line(
        currency=currency,
        what=WORDS[bucket],
        held=sum(shares.values()),
        explained=shares.get(Share.EXPLAINED, 0),
        foreign=shares.get(Share.FOREIGN, 0),
        differs=shares.get(Share.DIFFERS, 0),
    )


def in_words(run: ReconciliationRun, differences: Sequence[Difference]) -> Iterator[str]:
    """What the command prints."""
    yield f"{run.connection}, since {run.since:%d %b %Y}: {progress(run)}"
    for line in lines(run):
        explained, held = (format_money(amount, line.currency) for amount in (line.explained, line.held))
        foreign, differs = (format_money(amount, line.currency) for amount in (line.foreign, line.differs))
        yield (
            f"  {line.what}: Stripe holds {held}; explained by our records {explained} ({line.percent} %), "
            f"not made here {foreign}, differs {differs}"
        )
    if not run.money:
        yield "  Stripe holds no money in this period."
    for one in differences:
        yield f"  {_difference(one)}"
    if not differences:
        yield "  No differences."


def progress(run: ReconciliationRun) -> str:
    where = f"at {run.phase}" if run.phase and run.state == run.State.RUNNING else run.get_state_display().lower()
    counts = (_count(run.pages, "page"), _count(run.objects_seen, "object"), _count(run.found, "difference"))
    return f"{where}, {', '.join(counts)}, {run.repaired} repaired"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _difference(one: Difference) -> str:
    says = f"{one.get_kind_display()} {one.external_id}: here {one.ours}; in Stripe {one.theirs}."
    if one.repaired_at:
        return f"{says} Repaired."
    if one.last_error:
        return f"{says} Not repaired: {one.last_error}"
    return f"{says} {one.advice}" if one.advice and not one.look else f"{says} Can be repaired."
