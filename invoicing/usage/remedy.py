"""A person says whose unattributed measurements are: all of a group at once, and those to come where a mapping can."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from customers.actors import Actor
from customers.customer import Customer
from customers.directory import Rule, add_mapping
from customers.errors import Invalid
from customers.events.models import EventKind, SubjectKind
from customers.events.record import Fact, record
from customers.vendor import Vendor
from invoicing.usage.attribution import Reason, literal
from invoicing.usage.intake import attribute_to
from invoicing.usage.models import UnattributedMeasurement

# At once, in one request; the rest waits for the next.
MOST = 20_000

_WANT_CUSTOMER = (Reason.NO_CUSTOMER, Reason.SEVERAL_CUSTOMERS)


@dataclass(frozen=True, slots=True)
class Group:
    """Measurements that want the same customer: sent for one of this name, or without a name and with this label."""

    customer_name: str = ""
    label: str = ""
    value: str = ""

    def __str__(self) -> str:
        return f"sent for {self.customer_name!r}" if self.customer_name else f"with {self.label}={self.value}"

    def rows(self, vendor: Vendor) -> QuerySet[UnattributedMeasurement]:
        waiting = UnattributedMeasurement.objects.of(vendor).filter(reason__in=_WANT_CUSTOMER)
        if self.customer_name:
            return waiting.filter(customer_name=self.customer_name)
        return waiting.filter(customer_name="", labels__contains={self.label: self.value})


def groups_of(row: UnattributedMeasurement) -> Sequence[Group]:
    """Those that it is in; none where it waits for something other than its customer."""
    if row.reason not in _WANT_CUSTOMER:
        return ()
    if row.customer_name:
        return (Group(row.customer_name),)
    return [Group(label=label, value=value) for label, value in row.labels.items()]


@dataclass(frozen=True, slots=True)
class Remedied:
    """How many have found their place, and how many of the group still wait."""

    attributed: int
    left: int


def remedy(
    customer: Customer, group: Group, *, maps: bool, actor: Actor, now: datetime, real_now: datetime
) -> Remedied:
    """``maps``: with a mapping, so that what is to come with this label is the customer's too. Raises ``Invalid``."""
    vendor = customer.vendor
    if maps and group.customer_name:
        raise Invalid({"maps": "A mapping goes by a label; these were sent for a customer by name."})
    with transaction.atomic():
        before = group.rows(vendor).count()
        if maps:
            rule = Rule(group.label, literal(group.value))
            add_mapping(customer, rule, actor=actor, now=now, real_now=real_now)
        attribute_to(customer, group.rows(vendor), most=MOST)
        left = group.rows(vendor).count()
        done = Remedied(before - left, left)
        note = f"{done.attributed:,} measurements {group}, by hand."
        fact = Fact(EventKind.USAGE_ATTRIBUTED, SubjectKind.CUSTOMER, customer.pk, customer.pk, details={"note": note})
        if done.attributed:
            record(vendor, fact, actor=actor, now=now, real_now=real_now)
    return done
