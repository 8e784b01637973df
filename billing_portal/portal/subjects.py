"""What facts are about: the name of each invoice, customer, subscription or endpoint, and its page."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from django.urls import reverse

from customers.customer import Customer
from customers.events.models import Event, SubjectKind, WebhookEndpoint
from customers.vendor import Vendor
from invoicing.invoices.models import Invoice
from invoicing.subscriptions.models import Subscription


@dataclass(frozen=True)
class Subject:
    name: str
    link: str


def subjects_of(
    vendor: Vendor, events: Sequence[Event], kinds: Collection[SubjectKind] | None = None
) -> dict[tuple[str, int], Subject]:
    """By kind and id, with one query a kind (None: all kinds); what is deleted is missing."""
    found: dict[tuple[str, int], Subject] = {}
    for kind, named in _NAMED.items():
        if kinds is not None and kind not in kinds:
            continue
        ids = {event.subject_id for event in events if event.subject_kind == kind}
        found |= {(kind, pk): subject for pk, subject in named(vendor, ids)}
    return found


Named = Iterable[tuple[int, Subject]]


def _invoices(vendor: Vendor, ids: set[int]) -> Named:
    for row in Invoice.objects.of(vendor).filter(pk__in=ids).only("uuid", "number"):
        yield row.pk, Subject(str(row), reverse("portal:invoice", args=[row.uuid]))


def _customers(vendor: Vendor, ids: set[int]) -> Named:
    for row in Customer.objects.of(vendor).filter(pk__in=ids):
        yield row.pk, Subject(row.display_name, reverse("portal:customer", args=[row.name]))


def _subscriptions(vendor: Vendor, ids: set[int]) -> Named:
    for row in Subscription.objects.of(vendor).filter(pk__in=ids).select_related("customer", "price_plan"):
        yield row.pk, Subject(str(row), reverse("portal:customer", args=[row.customer.name]))


def _webhooks(vendor: Vendor, ids: set[int]) -> Named:
    for row in WebhookEndpoint.objects.of(vendor).filter(pk__in=ids):
        yield row.pk, Subject(row.url, reverse("portal:webhook", args=[row.uuid]))


_NAMED = {
    SubjectKind.INVOICE: _invoices,
    SubjectKind.CUSTOMER: _customers,
    SubjectKind.SUBSCRIPTION: _subscriptions,
    SubjectKind.WEBHOOK: _webhooks,
}
