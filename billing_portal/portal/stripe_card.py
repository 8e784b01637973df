"""The Stripe card of the settings: what is connected in each mode, what acts, and what waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from billing_portal.portal.bounded import Count as BoundedCount
from billing_portal.portal.bounded import count_each
from billing_portal.portal.timeline import Entry, entry
from customers.events.models import Event, EventKind, SubjectKind
from customers.vendor import Vendor
from invoicing.invoices.models import Invoice
from invoicing.invoices.states import BEFORE_ISSUE, OPEN
from invoicing.invoices.waiting import waiting
from payments.stripe import endpoints, oauth, processing, tally
from payments.stripe.models import StripeConnection, StripeWebhookSecret

HISTORY = (
    EventKind.STRIPE_CONNECTED,
    EventKind.STRIPE_DISCONNECTED,
    EventKind.STRIPE_SWITCHED,
    EventKind.STRIPE_KEYS_CHANGED,
    EventKind.STRIPE_ENDPOINT_REGISTERED,
)
SHOWN = 6


@dataclass(frozen=True)
class Mode:
    """One of the two accounts a vendor may connect. ``former`` is the one that was connected last."""

    livemode: bool
    connection: StripeConnection | None
    former: StripeConnection | None
    missing: list[str]
    endpoint: StripeWebhookSecret | None
    other_versions: Sequence[str] = ()

    @property
    def name(self) -> str:
        return "live" if self.livemode else "test"

    @property
    def has_ended_by_surprise(self) -> bool:
        return self.connection is None and bool(self.former and self.former.disconnected_reason)


@dataclass(frozen=True)
class Card:
    modes: list[Mode]
    waiting: BoundedCount
    open_here: BoundedCount
    history: list[Entry]

    @property
    def acting(self) -> StripeConnection | None:
        return next((m.connection for m in self.modes if m.connection and m.connection.is_active), None)

    @property
    def standing_by(self) -> StripeConnection | None:
        return next((m.connection for m in self.modes if m.connection and not m.connection.is_active), None)

    @property
    def uses_test(self) -> bool:
        """The switch: with nothing connected yet the test account is what a careful person begins with."""
        return not (self.acting and self.acting.livemode)

    @property
    def disconnecting_means(self) -> str:
        return (
            f"Not issued yet: {_invoices(self.waiting)}. What would go out through Stripe waits until an account is "
            f"connected again. Open in Stripe: {_invoices(self.open_here)}. They stay there as they are, and we no "
            "longer hear of their payments. Connecting the same account again finds its customers as they are now."
        )

    @property
    def switching_means(self) -> str:
        return (
            f"Not issued yet: {_invoices(self.waiting)}. They are issued through the other account. Open in Stripe: "
            f"{_invoices(self.open_here)}. They stay in the account that holds them. Customers need a Stripe customer "
            "and a payment method in the other account: the two never share any."
        )


def _invoices(count: BoundedCount) -> str:
    return "1 invoice" if count.value == 1 else f"{count if count.value else 'no'} invoices"


def card_of(vendor: Vendor, *, real_now: datetime) -> Card:
    rows = list(StripeConnection.objects.of(vendor).order_by("-disconnected_at", "-pk"))
    modes = [False] if vendor.is_test else [False, True]
    waiting = Invoice.objects.of(vendor).filter(status__in=BEFORE_ISSUE).order_by("status", "-generated_at", "-pk")
    there = Invoice.objects.of(vendor).filter(status__in=sorted(OPEN), gateway="stripe").order_by("due_date", "pk")
    counts = count_each(vendor, {"waiting": waiting, "open_here": there})
    told = Event.objects.of(vendor).filter(
        subject_kind=SubjectKind.VENDOR, subject_id=vendor.pk, kind__in=[kind.value for kind in HISTORY]
    )
    return Card(
        modes=[_mode(rows, livemode, real_now) for livemode in modes],
        waiting=counts["waiting"],
        open_here=counts["open_here"],
        history=[entry(event) for event in told.order_by("-id")[:SHOWN]],
    )


def _mode(rows: list[StripeConnection], livemode: bool, real_now: datetime) -> Mode:
    mine = [row for row in rows if row.livemode == livemode]
    ended = [row for row in mine if not row.is_connected]
    connection = next((row for row in mine if row.is_connected), None)
    return Mode(
        livemode=livemode,
        connection=connection,
        former=max(ended, key=lambda row: row.disconnected_at or row.connected_at, default=None),
        missing=oauth.missing_settings(livemode),
        endpoint=endpoints.registered(connection if connection and connection.uses_own_keys else None, livemode),
        other_versions=_other_versions(connection, real_now) if connection else (),
    )


def _other_versions(connection: StripeConnection, real_now: datetime) -> Sequence[str]:
    """In which its events came of late, beside ours."""
    return list(tally.other_versions([connection.account_id], since=real_now - processing.KEPT))


@dataclass(frozen=True)
class Interruption:
    """No account acts for a vendor that had one: why, and how many invoices wait for that."""

    why: str
    waiting: int


def interruption(vendor: Vendor) -> Interruption | None:
    rows = StripeConnection.objects.of(vendor)
    if rows.filter(is_active=True).exists():
        return None
    last = rows.filter(disconnected_at__isnull=False).order_by("-disconnected_at").first()
    count = waiting(vendor).count() if last else 0
    if last is None or not (count or last.disconnected_reason):
        return None
    reason = last.disconnected_reason or "No Stripe account acts for you at present."
    return Interruption(f"{last.account_id}: {reason}" if last.disconnected_reason else reason, count)
