"""A person's right to be forgotten, beside the law that books are kept.

Who the customer was goes: names, contact, tags, metadata, mappings, and what rooms above hold of the same
(``hooks.on_customer_erased``). What was billed, paid and owed stays as it is, under a name that says nothing; and so
do the documents that were issued, which the law wants kept as they are. SECURITY.md lists both.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import models, transaction
from django.db.models import F, Q, Value
from django.db.models.functions import JSONObject

from customers import hooks
from customers.actors import Actor
from customers.contact import CONTACT_FIELDS
from customers.customer import Customer
from customers.directory import lock_customer
from customers.events.dispatch import alone
from customers.events.models import Event, EventKind, SubjectKind, WebhookAttempt
from customers.events.record import Fact, record
from customers.settings.models import BillingSettingsOverride

ERASED = "Erased customer"


@transaction.atomic
def erase_customer(customer: Customer, *, actor: Actor, now: datetime, real_now: datetime) -> Sequence[str]:
    """What is left to be done elsewhere, in sentences. Done again it erases what has come since. Raises ``Conflict``
    while something is still to be billed or collected."""
    mine = lock_customer(customer)
    was, first = mine.name, mine.erased_at is None
    _forget_who(mine, real_now=real_now)
    left = hooks.customer_erased(mine, was, real_now=real_now)
    _forget_events(mine)
    if first:
        payload = {"customer_name": mine.name}
        fact = Fact(EventKind.CUSTOMER_ERASED, SubjectKind.CUSTOMER, mine.pk, mine.pk, payload=payload)
        record(mine.vendor, fact, actor=actor, now=now, real_now=real_now)
    return left


def _forget_who(customer: Customer, *, real_now: datetime) -> None:
    customer.name = f"erased-{customer.pk}"
    customer.display_name = ERASED
    for name in CONTACT_FIELDS:
        setattr(customer, name, [] if name == "secondary_emails" else "")
    customer.tags, customer.review_reason = [], ""
    customer.erased_at = customer.erased_at or real_now
    customer.save()
    customer.metadata.all().delete()
    customer.measurement_mappings.all().delete()
    BillingSettingsOverride.objects.of(customer.vendor).filter(customer=customer).delete()


def _forget_events(customer: Customer) -> None:
    """That something happened, when, and by whom stays; the words and values go."""
    alone(customer.vendor_id)  # who dispatches events changes many of them, too
    about = Q(customer_id=customer.pk) | Q(subject_kind=SubjectKind.CUSTOMER, subject_id=customer.pk)
    events = Event.objects.of(customer.vendor).filter(about)
    events.exclude(details={}).update(details={})
    named = events.filter(payload__has_key="customer_name").exclude(payload__customer_name=customer.name)
    named.update(payload=_Joined(F("payload"), JSONObject(customer_name=Value(customer.name))))
    WebhookAttempt.objects.filter(delivery__event__in=events).update(answer="", error="")


class _Joined(models.Func):
    """Two JSON objects as one, of which the second decides."""

    template = "%(expressions)s"
    arg_joiner = " || "
    output_field: models.Field[Any, Any] = models.JSONField()
