"""What the schedule is going to do: everything with a planned moment, of every room, in one order.

Each kind of work is asked for one page's worth of its own rows, by its own index; the pages are merged here. Technical
retries go by real time; their moment is told on the vendor's clock too, so that one list can hold both.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.urls import reverse

from billing_portal.portal import words
from billing_portal.portal.bounded import Count, count_each
from customers.events.models import DeliveryState, WebhookDelivery, WebhookEndpoint
from customers.settings.policy import BillingPolicy, policies_for
from customers.vendor import Vendor
from invoicing.invoices.models import EmailKind, Invoice, OutgoingEmail
from invoicing.invoices.past_due import untold
from invoicing.invoices.schedule import SOURCES, next_step
from invoicing.invoices.states import InvoiceAction
from invoicing.subscriptions.models import BillingCycle, CycleAction
from payments.reconcile.models import Watch
from payments.stripe.models import StripeConnection, StripeCustomer

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Clock:
    """The vendor's present moment, and the real one."""

    now: datetime
    real_now: datetime

    @property
    def ahead(self) -> timedelta:
        return self.now - self.real_now


@dataclass(frozen=True)
class Planned:
    """``at`` is on the vendor's clock. ``real_at`` is set where real time decides."""

    at: datetime
    kind: str
    pk: int
    what: str
    who: str
    link: str
    because: str = ""
    real_at: datetime | None = None
    invoice: Invoice | None = None

    @property
    def position(self) -> str:
        return f"{(self.at - EPOCH) // timedelta(microseconds=1)}_{KIND_PLACES[self.kind]}_{self.pk}"


@dataclass(frozen=True)
class Work:
    """One kind of planned work. ``rows`` have their moment in ``column``; ``told`` puts a page of them into words.
    ``can_fail``: a row counts how often its step has raised."""

    key: str
    label: str
    column: str
    rows: Callable[[Vendor], QuerySet[Any]]
    told: Callable[[Vendor, Sequence[Any], Clock, Asked], Iterable[Planned]]
    in_real_time: bool = False
    can_fail: bool = False


@dataclass(frozen=True)
class Asked:
    """Of these kinds (None: all), not after ``until``, beyond a position. ``explained``: with the reason.
    ``failing``: only what raised when it was tried last."""

    kinds: Collection[str] | None = None
    explained: bool = True
    until: datetime | None = None
    position: tuple[datetime, int, int] | None = None
    failing: bool = False

    def has(self, kind: str, can_fail: bool = False) -> bool:
        return (self.kinds is None or kind in self.kinds) and (can_fail or not self.failing)


def planned(vendor: Vendor, clock: Clock, asked: Asked, size: int) -> list[Planned]:
    """The first so many, the earliest first."""
    found = [_page(work, vendor, clock, asked, size) for work in KINDS if asked.has(work.key, work.can_fail)]
    if asked.has(COMPARISON):
        found.append(_comparison(vendor, clock, asked))
    return list(heapq.merge(*found, key=_order))[:size]


@dataclass(frozen=True)
class Everything:
    """All of it, read a page at a time."""

    vendor: Vendor
    clock: Clock
    asked: Asked

    def iterator(self, chunk_size: int) -> Iterator[Planned]:
        asked = self.asked
        while found := planned(self.vendor, self.clock, asked, chunk_size):
            yield from found
            asked = replace(asked, position=_order(found[-1]))


def count_planned(vendor: Vendor, clock: Clock, until: datetime) -> dict[str, Count]:
    """How many of each kind there are up to a moment, with one query, counted no further than is worth knowing."""
    rows = {work.key: work.rows(vendor).filter(_not_after(work, until, clock)).order_by(work.column) for work in KINDS}
    return {key: count for key, count in count_each(vendor, rows).items() if count.value}


def sum_of(counts: Mapping[str, Count]) -> Count:
    return Count(sum(count.value for count in counts.values()))


def _order(entry: Planned) -> tuple[datetime, int, int]:
    return entry.at, KIND_PLACES[entry.kind], entry.pk


def _page(work: Work, vendor: Vendor, clock: Clock, asked: Asked, size: int) -> list[Planned]:
    rows = work.rows(vendor).filter(**{f"{work.column}__isnull": False})
    if asked.failing:
        rows = rows.filter(failures__gt=0)
    if asked.until is not None:
        rows = rows.filter(_not_after(work, asked.until, clock))
    if asked.position is not None:
        rows = rows.filter(_beyond(work, asked.position, clock))
    return list(work.told(vendor, list(rows.order_by(work.column, "pk")[:size]), clock, asked))


def _not_after(work: Work, moment: datetime, clock: Clock) -> Q:
    return Q(**{f"{work.column}__lte": moment - clock.ahead if work.in_real_time else moment})


def _beyond(work: Work, position: tuple[datetime, int, int], clock: Clock) -> Q:
    at, kind, pk = position
    at = at - clock.ahead if work.in_real_time else at
    later = Q(**{f"{work.column}__gt": at})
    place = KIND_PLACES[work.key]
    if place < kind:
        return later
    same = Q(**{work.column: at})
    return later | (same & Q(pk__gt=pk) if place == kind else same)


def read_position(text: str) -> tuple[datetime, int, int] | None:
    """What ``Planned.position`` says; None where it makes no sense."""
    parts = text.split("_")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) < 19 for part in parts):
        return None
    try:
        return EPOCH + timedelta(microseconds=int(parts[0])), int(parts[1]), int(parts[2])
    except OverflowError:
        return None


def _policies(vendor: Vendor, rows: Iterable[Any]) -> Mapping[int, BillingPolicy]:
    return policies_for(vendor, {row.customer_id for row in rows})


def _invoices(vendor: Vendor, rows: Sequence[Invoice], clock: Clock, asked: Asked) -> Iterable[Planned]:
    policies = _policies(vendor, rows) if asked.explained else {}
    for row in rows:
        assert row.next_action_at is not None  # noqa: S101 - the query asked for it
        row.vendor = vendor
        action = InvoiceAction(row.next_action).label if row.next_action else "Next step"
        because = _because(row, policies[row.customer_id]) if asked.explained else ""
        yield Planned(
            row.next_action_at, "invoice", row.pk, f"{action}: {row}", str(row.customer),
            _link(row), because, invoice=row,
        )  # fmt: skip


def _because(invoice: Invoice, policy: BillingPolicy) -> str:
    step = next_step(invoice, policy)
    return f"{step.sentence} {step.because}".strip()


def _reminders(vendor: Vendor, rows: Sequence[Invoice], clock: Clock, asked: Asked) -> Iterable[Planned]:
    for row in rows:
        assert row.next_reminder_at is not None  # noqa: S101 - the query asked for it
        due = f"It is due {words.day(row.due_date)}." if row.due_date else ""
        what = f"Look whether to remind: {row}"
        yield Planned(row.next_reminder_at, "reminder", row.pk, what, str(row.customer), _link(row), due)


def _due_dates(vendor: Vendor, rows: Sequence[Invoice], clock: Clock, asked: Asked) -> Iterable[Planned]:
    for row in rows:
        assert row.due_date is not None  # noqa: S101 - the query asked for it
        because = "Then the webhook endpoints are told that it is past due."
        yield Planned(row.due_date, "due", row.pk, f"Due date passes: {row}", str(row.customer), _link(row), because)


def _cycles(vendor: Vendor, rows: Sequence[BillingCycle], clock: Clock, asked: Asked) -> Iterable[Planned]:
    policies = _policies(vendor, rows) if asked.explained else {}
    for row in rows:
        assert row.next_action_at is not None  # noqa: S101 - the query asked for it
        link = reverse("portal:customer", args=[row.customer.name])
        because = row.last_error or (_why(row, policies[row.customer_id]) if asked.explained else "")
        yield Planned(
            row.next_action_at, "cycle", row.pk, CycleAction(row.next_action).label, str(row.customer), link, because
        )


def _why(cycle: BillingCycle, policy: BillingPolicy) -> str:
    dates = f"The billing cycle {words.day(cycle.start)} – {words.last_day(cycle.end)}"
    if cycle.next_action != CycleAction.GENERATE:
        return f"{dates} comes to its end." if cycle.next_action == CycleAction.END else f"{dates} has begun."
    if cycle.at_once:
        return f"{dates} was ended by a change of plan, which is invoiced at once."
    length, unit = policy.invoice_grace_period_length, policy.invoice_grace_period_unit
    source = SOURCES[policy.sources["invoice_grace_period_length"]]
    return f"{dates} has ended; invoice grace period of {words.length(length, unit)} ({source})."


def _emails(vendor: Vendor, rows: Sequence[OutgoingEmail], clock: Clock, asked: Asked) -> Iterable[Planned]:
    for row in rows:
        assert row.next_action_at is not None  # noqa: S101 - the query asked for it
        what = f"Send e-mail: {EmailKind(row.kind).label.lower()} of {row.invoice}"
        who = ", ".join(row.recipients)
        yield Planned(row.next_action_at, "email", row.pk, what, who, _link(row.invoice), row.error)


def _endpoints(vendor: Vendor, rows: Sequence[Any], clock: Clock, asked: Asked) -> Iterable[Planned]:
    for row in rows:
        failing = f"Failing since {words.moment(row.failing_since)}: {row.error}" if row.failing_since else row.error
        link = reverse("portal:webhook", args=[row.uuid])
        yield Planned(
            row.planned_at + clock.ahead, "delivery", row.pk, "Deliver webhooks", row.url, link, failing, row.planned_at
        )


def _counterparts(vendor: Vendor, rows: Sequence[StripeCustomer], clock: Clock, asked: Asked) -> Iterable[Planned]:
    for row in rows:
        assert row.claimed_until is not None  # noqa: S101 - the query asked for it
        link = reverse("portal:customer_payments", args=[row.customer.name])
        yield Planned(
            row.claimed_until + clock.ahead, "counterpart", row.pk, "Make the Stripe customer", str(row.customer), link,
            row.last_error, row.claimed_until,
        )  # fmt: skip


def _watches(vendor: Vendor, rows: Sequence[Watch], clock: Clock, asked: Asked) -> Iterable[Planned]:
    found = Invoice.objects.of(vendor).filter(external_invoice_id__in=[row.external_id for row in rows])
    pages = {invoice.external_invoice_id: _link(invoice) for invoice in found}
    for row in rows:
        assert row.next_at is not None  # noqa: S101 - the query asked for it
        times = "It was not asked for yet." if not row.asked else f"It was asked for {words.length(row.asked, 'time')}."
        because = f"It is {row.state.replace('_', ' ').lower()} since {words.moment(row.since)}. {times}"
        what = f"Ask Stripe for the {row.get_kind_display().lower()}"
        link = pages.get(row.external_id, reverse("portal:reconciliation"))
        yield Planned(row.next_at + clock.ahead, "watch", row.pk, what, row.external_id, link, because, row.next_at)


def _link(invoice: Invoice) -> str:
    return reverse("portal:invoice", args=[invoice.uuid])


def _invoice_rows(vendor: Vendor) -> QuerySet[Invoice]:
    return Invoice.objects.of(vendor).select_related("customer", "vendor")


def _endpoint_rows(vendor: Vendor) -> QuerySet[Any]:
    """Endpoints that have something to be told: in order, so the oldest delivery says when."""
    pending = WebhookDelivery.objects.of(vendor).filter(endpoint=OuterRef("pk"), state=DeliveryState.PENDING)
    oldest = pending.order_by("pk")
    rows = WebhookEndpoint.objects.of(vendor).filter(disabled_at__isnull=True)
    return rows.annotate(
        planned_at=Subquery(oldest.values("next_attempt_at")[:1]), error=Subquery(oldest.values("last_error")[:1])
    ).filter(planned_at__isnull=False)


KINDS: Sequence[Work] = (
    Work("invoice", "Invoices", "next_action_at",
         _invoice_rows, _invoices, can_fail=True),
    Work("cycle", "Billing cycles", "next_action_at",
         lambda vendor: BillingCycle.objects.of(vendor).select_related("customer"), _cycles, can_fail=True),
    Work("reminder", "Reminders", "next_reminder_at",
         lambda vendor: Invoice.objects.of(vendor).select_related("customer"), _reminders),
    Work("due", "Due dates", "due_date",
         lambda vendor: untold().filter(vendor=vendor).select_related("customer"), _due_dates),
    Work("email", "E-mails", "next_action_at",
         lambda vendor: OutgoingEmail.objects.of(vendor).select_related("invoice"), _emails),
    Work("delivery", "Webhooks", "planned_at", _endpoint_rows, _endpoints, in_real_time=True),
    Work("counterpart", "Stripe customers", "claimed_until",
         lambda vendor: StripeCustomer.objects.of(vendor).filter(state="pending").select_related("customer"),
         _counterparts, in_real_time=True),
    Work("watch", "Questions to Stripe", "next_at", lambda vendor: Watch.objects.of(vendor), _watches,
         in_real_time=True),
)  # fmt: skip

COMPARISON = "comparison"
KIND_PLACES = {key: place for place, key in enumerate([*(work.key for work in KINDS), COMPARISON])}
KIND_LABELS = {**{work.key: work.label for work in KINDS}, COMPARISON: "Comparison with Stripe"}


def _comparison(vendor: Vendor, clock: Clock, asked: Asked) -> list[Planned]:
    """The nightly one, which beat begins for every account that is connected."""
    if not StripeConnection.objects.of(vendor).filter(is_active=True).exists():
        return []
    real_at = _next_night(clock.real_now)
    entry = Planned(
        real_at + clock.ahead, COMPARISON, 0, "Compare with Stripe", str(vendor), reverse("portal:reconciliation"),
        "Every night, whatever the webhooks said.", real_at,
    )  # fmt: skip
    is_late = asked.until is not None and entry.at > asked.until
    is_shown = asked.position is not None and _order(entry) <= asked.position
    return [] if is_late or is_shown else [entry]


def _next_night(real_now: datetime) -> datetime:
    nightly: Any = settings.CELERY_BEAT_SCHEDULE["compare with Stripe"]["schedule"]
    hour, minute = min(nightly.hour), min(nightly.minute)
    today = real_now.astimezone(UTC).replace(hour=hour, minute=minute, second=0, microsecond=0)
    return today if today > real_now else today + timedelta(days=1)
