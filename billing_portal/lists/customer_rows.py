"""A row of a customers file: what it asks for, what that would change, carrying it out, and taking it back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Prefetch, QuerySet

from billing_portal.lists.models import Import, ImportRow
from billing_portal.portal.exports.table import unshielded
from customers import directory
from customers.contact import CONTACT_FIELDS
from customers.customer import Customer, MeasurementMapping
from customers.directory import NewCustomer, Rule
from customers.errors import Invalid, Refused
from customers.vendor import Vendor
from invoicing.usage.models import Measurement

Fate, Outcome = ImportRow.Fate, ImportRow.Outcome
MAPPINGS = "measurement_mappings"
# What an export, or a file of errors, has beside them, and an import leaves alone.
NOT_READ = ("currency", "price_plan", "created_at", "line", "reason")


def _words(cell: str) -> list[str]:
    return list(dict.fromkeys(word.strip() for word in cell.split(";") if word.strip()))


def _rule(line: str) -> Rule:
    label, equals, pattern = (part.strip() for part in line.partition("="))
    return Rule(label, pattern) if equals else Rule(label)


READERS: Mapping[str, Callable[[str], Any]] = {
    "name": str,
    "display_name": str,
    **dict.fromkeys(CONTACT_FIELDS, str),
    "secondary_emails": _words,
    "tax_exempt": lambda cell: cell or "none",
    "review_reason": str,
    "tags": _words,
    MAPPINGS: lambda cell: [line for line in cell.splitlines() if line.strip()],
}


def check_columns(columns: Sequence[str]) -> None:
    unknown = [name for name in columns if name not in READERS and name not in NOT_READ]
    if unknown:
        known = ", ".join(READERS)
        raise Invalid({"file": f"There is no column {unknown[0]!r}. Those that can be imported: {known}."})


def values_of(row: ImportRow) -> dict[str, Any]:
    """What the row gives, by field. A column that the file lacks stays as it is; an empty cell empties it."""
    given = row.given
    return {name: read(unshielded(given[name].strip())) for name, read in READERS.items() if name in given}


def state_of(customer: Customer) -> dict[str, Any]:
    """In the same words as ``values_of``."""
    found = {name: getattr(customer, name) for name in READERS if name != MAPPINGS}
    rules = sorted(customer.measurement_mappings.all(), key=lambda rule: rule.pk)
    return {**found, MAPPINGS: [f"{rule.label} = {rule.value_regex}" for rule in rules]}


def existing(vendor: Vendor, names: Sequence[str]) -> dict[str, Customer]:
    rules = Prefetch("measurement_mappings", MeasurementMapping.objects.order_by("pk"))
    rows = Customer.objects.of(vendor).filter(name__in=names).select_related("vendor").prefetch_related(rules)
    return {customer.name: customer for customer in rows}


def check(rows: Sequence[ImportRow], of: Import) -> None:
    """Two queries for all of them. Rows that say the same name as an earlier one were found before."""
    wanted = [values_of(row) for row in rows]
    known = existing(of.vendor, [values["name"] for values in wanted])
    for row, values in zip(rows, wanted, strict=True):
        row.name = values["name"][:256]
        _judge(row, values, known.get(values["name"]), of.vendor)


def _judge(row: ImportRow, values: dict[str, Any], customer: Customer | None, vendor: Vendor) -> None:
    try:
        changes = changes_of(values, customer)
        _validate(changes, customer, vendor)
    except Invalid as refusal:
        row.fate, row.reason = Fate.ERROR, in_words(refusal)
        return
    if customer is None:
        row.fate = Fate.CREATE
    else:
        row.fate = Fate.UPDATE if changes else Fate.UNCHANGED
    row.reason = ", ".join(changes) if row.fate == Fate.UPDATE else ""


def changes_of(values: Mapping[str, Any], customer: Customer | None) -> dict[str, Any]:
    given = dict(values)
    if MAPPINGS in given:
        given[MAPPINGS] = [f"{rule.label} = {rule.value_regex}" for rule in map(_rule, given[MAPPINGS])]
    if not given.get("display_name", "x"):
        given["display_name"] = given["name"]
    if customer is None:
        return given
    now = state_of(customer)
    return {name: value for name, value in given.items() if value != now[name]}


def _validate(changes: Mapping[str, Any], customer: Customer | None, vendor: Vendor) -> None:
    before = {} if customer is None else {name: getattr(customer, name) for name in READERS if name != MAPPINGS}
    fields = {**before, **{name: value for name, value in changes.items() if name != MAPPINGS}}
    fields.setdefault("display_name", fields["name"])
    made = Customer(vendor=vendor, created_at=vendor.created_at, **fields)
    directory.check(made)
    for text in changes.get(MAPPINGS, []):
        rule = _rule(text)
        try:
            MeasurementMapping(label=rule.label, value_regex=rule.value_regex).clean_fields(exclude=["customer"])
        except ValidationError as error:
            raise Invalid({MAPPINGS: error.messages}) from None


def in_words(refusal: Refused) -> str:
    if isinstance(refusal, Invalid):
        return " ".join(f"{name}: {' '.join(texts)}" for name, texts in refusal.errors.items())
    return refusal.message


def apply(row: ImportRow, of: Import, *, now: datetime, real_now: datetime) -> None:
    """Within a transaction of the caller's, which also keeps what the row then says. Raises ``Refused``."""
    values = values_of(row)
    moment: dict[str, Any] = {"actor": of.actor, "now": now, "real_now": real_now}
    customer = existing(of.vendor, [values["name"]]).get(values["name"])
    changes = changes_of(values, customer)
    if customer is None:
        made = directory.create_customer(of.vendor, _new(changes), **moment)
        row.before, row.after = {}, state_of(made)
    else:
        before = state_of(customer)
        _change(customer, changes, moment)
        row.before, row.after = {name: before[name] for name in changes}, changes
    row.outcome = Outcome.DONE


def _new(values: Mapping[str, Any]) -> NewCustomer:
    contact = {name: value for name, value in values.items() if name in CONTACT_FIELDS}
    terms = {name: values[name] for name in ("tax_exempt", "review_reason") if name in values}
    rules = [_rule(text) for text in values.get(MAPPINGS, [])]
    return NewCustomer(values["name"], values.get("display_name", ""), contact, values.get("tags", ()), rules, **terms)


def _change(customer: Customer, changes: Mapping[str, Any], moment: Mapping[str, Any]) -> None:
    rules = [_rule(text) for text in changes[MAPPINGS]] if MAPPINGS in changes else None
    fields = {name: value for name, value in changes.items() if name != MAPPINGS}
    directory.update_customer(customer, fields, mappings=rules, **moment)


def undo(row: ImportRow, of: Import, *, now: datetime, real_now: datetime) -> None:
    """As ``apply``; a row that was changed since is refused, with the reason."""
    moment: dict[str, Any] = {"actor": of.actor, "now": now, "real_now": real_now}
    customer = existing(of.vendor, [row.name]).get(row.name)
    if customer is None:
        raise Invalid({"name": "There is no such customer any more."})
    now_is = state_of(customer)
    if since := [name for name, value in row.after.items() if now_is[name] != value]:
        raise Invalid({"name": f"Changed since: {', '.join(since)}."})
    if row.before:
        _change(customer, row.before, moment)
    else:
        _refuse_in_use(customer)
        directory.delete_customer(customer, **moment)
    row.outcome = Outcome.UNDONE


def _refuse_in_use(customer: Customer) -> None:
    """What would vanish with the customer, and was not of the import's making."""
    holds: Mapping[str, QuerySet[Any]] = {
        "usage": Measurement.objects.of(customer.vendor).filter(customer=customer),
        "a Stripe customer": customer.stripe_customers.all(),
        "metadata": customer.metadata.all(),
    }
    found = [what for what, rows in holds.items() if rows.exists()]
    if hasattr(customer, "billing_override"):
        found.append("billing settings of its own")
    if found:
        raise Invalid({"name": f"It has {' and '.join(found)} by now."})
