"""Bringing in what an account held before us: its customers, and the invoices that are still open.

Once each: whatever is linked or imported already is passed over, so that an import that was interrupted is
simply run again. Nothing is written to Stripe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.db import transaction
from django.db.models.functions import Lower
from django.utils.text import slugify

from customers.actors import Actor
from customers.contact import ContactFields
from customers.customer import Customer
from customers.directory import NewCustomer, create_customer
from customers.errors import Refused
from customers.money import format_money
from invoicing.gateways import GatewayError
from invoicing.invoices.models import Invoice
from payments.reconcile.invoices import named_in
from payments.reconcile.models import ImportedInvoice
from payments.stripe import imported, linking, methods
from payments.stripe.client import AccountClient, client_for
from payments.stripe.models import StripeConnection, StripeCustomer

JSON = dict[str, Any]
Clock = Callable[[], datetime]


class MapBy(StrEnum):
    """How a Stripe customer is recognized as one of ours."""

    EMAIL = "email"
    NAME = "name"
    METADATA = "metadata"


class Outcome(StrEnum):
    CREATED = "created"
    LINKED = "linked"
    IMPORTED = "imported"
    KNOWN = "known already"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Fate:
    """What becomes of one row, in words."""

    external_id: str
    outcome: Outcome
    words: str


@dataclass(frozen=True)
class Import:
    connection: StripeConnection
    map_by: MapBy
    actor: Actor
    clock: Clock
    dry_run: bool = False
    passed_over: set[str] = field(default_factory=set, compare=False)
    """Stripe customers that were skipped."""

    @property
    def client(self) -> AccountClient:
        return client_for(self.connection)


def _pages(client: AccountClient, what: str, params: JSON) -> Iterator[list[JSON]]:
    after: JSON = {}
    while True:
        page = client.list_page(what, {**params, **after})
        yield page["data"]
        if not page["has_more"] or not page["data"]:
            return
        after = {"starting_after": page["data"][-1]["id"]}


# Customers


def customers(job: Import) -> Iterator[Fate]:
    """Newest first, as Stripe lists them."""
    for page in _pages(job.client, "customers", {}):
        linked = _linked(job.connection, page)
        candidates = _candidates(job, page)
        for found in page:
            fate = _customer(job, found, linked.get(found["id"]), candidates.get(found["id"], []))
            if fate.outcome == Outcome.SKIPPED:
                job.passed_over.add(found["id"])
            yield fate


def _linked(connection: StripeConnection, page: Sequence[JSON]) -> Mapping[str, StripeCustomer]:
    rows = StripeCustomer.objects.filter(connection=connection, external_id__in=[c["id"] for c in page])
    return {row.external_id: row for row in rows.select_related("customer", "connection")}


def _candidates(job: Import, page: Sequence[JSON]) -> Mapping[str, list[Customer]]:
    """Our customers that each Stripe customer may be, with one query a page."""
    wanted = {found["id"]: _mark(job.map_by, found) for found in page}
    column = {MapBy.EMAIL: "email", MapBy.NAME: "display_name", MapBy.METADATA: "name"}[job.map_by]
    rows = Customer.objects.of(job.connection.vendor).annotate(mark=Lower(column))
    ours: dict[str, list[Customer]] = {}
    for customer in rows.filter(mark__in={mark for mark in wanted.values() if mark}):
        ours.setdefault(customer.mark, []).append(customer)
    return {pk: ours.get(mark, []) for pk, mark in wanted.items() if mark}


def _mark(map_by: MapBy, found: JSON) -> str:
    said = {
        MapBy.EMAIL: found.get("email"),
        MapBy.NAME: found.get("name"),
        MapBy.METADATA: (found.get("metadata") or {}).get("portal_customer_name"),
    }[map_by]
    return str(said or "").strip().lower()


def _customer(job: Import, found: JSON, linked: StripeCustomer | None, candidates: Sequence[Customer]) -> Fate:
    if linked is not None:
        if not job.dry_run and linked.methods_as_of is None and linked.state == StripeCustomer.State.LINKED:
            _learn_methods(job, linked)
        return Fate(found["id"], Outcome.KNOWN, f"{_shown(found)}: linked with {linked.customer.name}")
    if len(candidates) > 1:
        names = ", ".join(sorted(customer.name for customer in candidates)[:5])
        words = f"{_shown(found)}: several customers have the same {job.map_by}: {names}. Link one by hand."
        return Fate(found["id"], Outcome.SKIPPED, words)
    try:
        return _link(job, found, candidates[0]) if candidates else _create(job, found)
    except Refused as refusal:
        return Fate(found["id"], Outcome.SKIPPED, f"{_shown(found)}: {_why(refusal)}")


def _link(job: Import, found: JSON, customer: Customer) -> Fate:
    other = StripeCustomer.objects.filter(customer=customer, connection=job.connection).first()
    if other is not None:
        words = f"{_shown(found)}: {customer.name} already has {other.external_id or 'a Stripe customer being made'}."
        return Fate(found["id"], Outcome.SKIPPED, words)
    if not job.dry_run:
        now = job.clock()
        _learn_methods(job, linking.link_row(customer, job.connection, found["id"], actor=job.actor, real_now=now))
    return Fate(found["id"], Outcome.LINKED, f"{_shown(found)}: with {customer.name}")


def _create(job: Import, found: JSON) -> Fate:
    name = _free_name(job, found)
    if not job.dry_run:
        real_now = job.clock()
        new = NewCustomer(name, found.get("name") or found.get("email") or name, contact=_contact(found))
        with transaction.atomic():  # both or neither, so that nobody is created twice
            now = job.connection.vendor.now(real_now)
            customer = create_customer(job.connection.vendor, new, actor=job.actor, now=now, real_now=real_now)
            row = linking.link_row(customer, job.connection, found["id"], actor=job.actor, real_now=real_now)
        _learn_methods(job, row)
    return Fate(found["id"], Outcome.CREATED, f"{_shown(found)}: as {name}")


def _learn_methods(job: Import, row: StripeCustomer) -> None:
    """Without an answer now, running the import again asks once more."""
    with suppress(GatewayError):
        methods.refresh(row, actor=job.actor, real_now=job.clock())


def _free_name(job: Import, found: JSON) -> str:
    """A code name from what the customer is called; with its Stripe id where that is taken."""
    called = _mark(MapBy.METADATA, found) or found.get("name") or (found.get("email") or "").partition("@")[0]
    name = slugify(called)[:100] or found["id"]
    taken = Customer.objects.of(job.connection.vendor).filter(name=name).exists()
    return f"{name}-{found['id'].removeprefix('cus_')}" if taken else name


def _contact(found: JSON) -> JSON:
    """What our fields have room for; the rest stays in Stripe."""
    address = found.get("address") or {}
    said = {
        "email": found.get("email"),
        "phone": found.get("phone"),
        "address_line_1": address.get("line1"),
        "address_line_2": address.get("line2"),
        "city": address.get("city"),
        "state": address.get("state"),
        "zipcode": address.get("postal_code"),
        "country": address.get("country"),
    }
    room = {field.name: field.max_length for field in ContactFields._meta.local_fields}
    return {name: value[: room[name]] for name, value in said.items() if value}


def _shown(found: JSON) -> str:
    return str(found.get("name") or found.get("email") or found.get("number") or found["id"])


def _why(refusal: Refused) -> str:
    errors: Mapping[str, Sequence[str]] = getattr(refusal, "errors", {})
    said = [f"{field}: {' '.join(problems)}" for field, problems in errors.items()]
    return "; ".join(said) or refusal.message


# Open invoices


def open_invoices(job: Import) -> Iterator[Fate]:
    """Those that are still to be paid, of customers that are linked. They become copies to look at."""
    for page in _pages(job.client, "invoices", {"status": "open"}):
        owners = _owners(job.connection, page)
        known, ours = _copies(job.connection, page), _ours(job.connection, page)
        for found in page:
            if found["id"] in ours or named_in(found) in ours:
                yield Fate(found["id"], Outcome.KNOWN, f"{_shown(found)}: made here")
            elif found["id"] in known:
                yield Fate(found["id"], Outcome.KNOWN, f"{_shown(found)}: imported before")
            else:
                yield _invoice(job, found, owners.get(_id(found["customer"])))


def _owners(connection: StripeConnection, page: Sequence[JSON]) -> Mapping[str, Customer]:
    rows = StripeCustomer.objects.filter(
        connection=connection,
        external_id__in={_id(i["customer"]) for i in page},
        state=StripeCustomer.State.LINKED,
    )
    return {row.external_id: row.customer for row in rows.select_related("customer")}


def _id(customer: Any) -> str:
    return str(customer["id"] if isinstance(customer, Mapping) else customer or "")


def _copies(connection: StripeConnection, page: Sequence[JSON]) -> set[str]:
    rows = ImportedInvoice.objects.filter(connection=connection, external_id__in=[i["id"] for i in page])
    return set(rows.values_list("external_id", flat=True))


def _ours(connection: StripeConnection, page: Sequence[JSON]) -> set[str]:
    mine = Invoice.objects.of(connection.vendor)
    by_id = mine.filter(external_invoice_id__in=[i["id"] for i in page]).values_list("external_invoice_id", flat=True)
    named = mine.filter(uuid__in={name for i in page if (name := named_in(i))}).values_list("uuid", flat=True)
    return {*by_id, *map(str, named)}


def _invoice(job: Import, found: JSON, customer: Customer | None) -> Fate:
    amount = format_money(found["amount_remaining"], found["currency"])
    owner = _id(found["customer"])
    if customer is None and job.dry_run and owner not in job.passed_over:
        return Fate(found["id"], Outcome.IMPORTED, f"{_shown(found)}: {amount} still to be paid, with {owner}")
    if customer is None:
        return Fate(found["id"], Outcome.SKIPPED, f"{_shown(found)}: its customer is not linked with one of ours")
    if not job.dry_run:
        lines = found["lines"]["data"]
        if found["lines"]["has_more"]:
            lines = job.client.list_invoice_lines(found["id"])
        ImportedInvoice.objects.get_or_create(
            connection=job.connection,
            external_id=found["id"],
            defaults={
                **imported.row_of(found, lines, job.clock()),
                "vendor": job.connection.vendor,
                "customer": customer,
            },
        )
    return Fate(found["id"], Outcome.IMPORTED, f"{_shown(found)}: {amount} still to be paid, of {customer.name}")
