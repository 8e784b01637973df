"""System -> Audit trail: every fact of the vendor, who did it, to what, and what changed."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.utils import timezone

from billing_portal.accounts.models import ApiKey, Membership
from billing_portal.portal.access import OperatorRequest, screen
from billing_portal.portal.forms import CODE
from billing_portal.portal.keyset import by_number
from billing_portal.portal.navigation import show
from billing_portal.portal.subjects import Subject, subjects_of
from billing_portal.portal.timeline import Entry, entry
from customers.actors import ActorKind
from customers.customer import Customer
from customers.events.models import Event, EventKind, SubjectKind, WebhookEndpoint
from customers.vendor import Vendor
from invoicing.invoices.models import Invoice
from invoicing.subscriptions.models import Subscription

DAY = {"type": "date"}
MOST_NAMED = 200


class AuditFilters(forms.Form):
    who = forms.CharField(required=False, widget=forms.Select)
    kind = forms.ChoiceField(required=False, choices=[("", "Everything"), *EventKind.choices])
    object = forms.CharField(
        required=False, max_length=256, widget=forms.TextInput({**CODE, "placeholder": "Number or name"})
    )
    since = forms.DateField(required=False, label="From", widget=forms.DateInput(DAY))
    until = forms.DateField(required=False, label="To", widget=forms.DateInput(DAY))

    def __init__(self, vendor: Vendor, data: Mapping[str, Any]) -> None:
        super().__init__(data)
        self.vendor = vendor
        self.fields["who"].widget.choices = actors_of(vendor)
        self.full_clean()

    def rows(self) -> QuerySet[Event]:
        """Newest first. Filters that make no sense say so beside their field and filter nothing."""
        given = {name: value for name, value in self.cleaned_data.items() if value}
        rows = Event.objects.of(self.vendor)
        if "who" in given:
            kind, _, actor = given["who"].partition(":")
            rows = rows.filter(actor_kind=kind, **({"actor_id": actor} if actor else {}))
        if "kind" in given:
            rows = rows.filter(kind=given["kind"])
        if "object" in given:
            rows = rows.filter(_about(self.vendor, given["object"].strip()))
        return rows.filter(_between(given.get("since"), given.get("until"))).order_by("-pk")


NAMES = tuple(AuditFilters.base_fields)


def actors_of(vendor: Vendor) -> list[tuple[str, str]]:
    """Who may have acted: everybody of a kind, and each person and key there is."""
    people = Membership.objects.of(vendor).select_related("operator").order_by("operator__email")[:MOST_NAMED]
    keys = ApiKey.objects.of(vendor).order_by("name", "pk")[:MOST_NAMED]
    return [
        ("", "Everybody"),
        *[(f"{kind.value}:", label) for kind, label in _EVERYBODY.items()],
        *[(f"{ActorKind.OPERATOR.value}:{row.operator_id}", row.operator.email) for row in people],
        *[(f"{ActorKind.API_KEY.value}:{key.uuid}", f"API key {key}") for key in keys],
    ]


_EVERYBODY = {
    ActorKind.OPERATOR: "Any operator",
    ActorKind.API_KEY: "Any API key",
    ActorKind.SCHEDULE: "The schedule",
    ActorKind.GATEWAY: "Stripe",
}


def _between(since: date | None, until: date | None) -> Q:
    """The days are the vendor's; the last one is meant whole."""
    found = Q()
    if since:
        found &= Q(occurred_at__gte=_midnight(since))
    if until:
        found &= Q(occurred_at__lt=_midnight(until + timedelta(days=1)))
    return found


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time()))


def _about(vendor: Vendor, text: str) -> Q:
    """Facts of the invoice, customer, subscription or endpoint that has this number, code name or id."""
    invoices = Q(number__iexact=text) | Q(external_invoice_id=text)
    wanted = Q(name=text)
    found = Q(pk__in=[])
    if (given := _as_uuid(text)) is not None:
        invoices = Q(uuid=given)
        wanted = Q(pk__in=[])
        for kind, rows in (
            (SubjectKind.SUBSCRIPTION, Subscription.objects.of(vendor)),
            (SubjectKind.WEBHOOK, WebhookEndpoint.objects.of(vendor)),
        ):
            found |= Q(subject_kind=kind, subject_id__in=list(rows.filter(uuid=given).values_list("pk", flat=True)))
    numbers = list(Invoice.objects.of(vendor).filter(invoices).values_list("pk", flat=True)[:MOST_NAMED])
    people = list(Customer.objects.of(vendor).filter(wanted).values_list("pk", flat=True))
    found |= Q(subject_kind=SubjectKind.INVOICE, subject_id__in=numbers) | Q(customer_id__in=people)
    return found | Q(subject_kind=SubjectKind.CUSTOMER, subject_id__in=people)


def _as_uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


@dataclass(frozen=True)
class Row:
    entry: Entry
    event: Event
    subject: Subject | None

    @property
    def kind(self) -> str:
        return SubjectKind(self.event.subject_kind).label

    @property
    def who(self) -> str:
        """As a filter: everything else of the same actor."""
        return f"{self.event.actor_kind}:{self.event.actor_id}"


@screen
def audit_trail(request: OperatorRequest) -> HttpResponse:
    filters = AuditFilters(request.vendor, request.GET)
    page = by_number(filters.rows(), before=request.GET.get("before", ""), after=request.GET.get("after", ""))
    subjects = subjects_of(request.vendor, page.rows)
    context = {
        "filters": filters,
        "is_filtered": any(filters.cleaned_data.values()),
        "page": page,
        "rows": [Row(entry(event), event, subjects.get((event.subject_kind, event.subject_id))) for event in page.rows],
    }
    return show(request, "portal/desk/audit.html", context, title="Audit trail", area="audit")
