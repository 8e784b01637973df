"""Reading and writing API objects. A row's ``data`` is never changed in place: events hold on to it.

Locks are always taken in the order invoice, Checkout session, setup intent, payment method, payment intent,
charge, customer.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from payments.sandbox.errors import no_such
from payments.sandbox.ids import new_id
from payments.sandbox.models import StoredObject
from payments.sandbox.scope import JSON, Scope

LOOKUPS = ("customer", "invoice", "payment_intent", "charge", "status", "type", "email")
UNTOUCHED = object()


def query(scope: Scope, kind: str) -> QuerySet[StoredObject]:
    return StoredObject.objects.filter(account=scope.account, livemode=scope.livemode, object=kind)


def find(scope: Scope, kind: str, id_: str) -> StoredObject | None:
    return query(scope, kind).filter(stripe_id=id_).first()


def get(scope: Scope, kind: str, id_: str, *, param: str = "id") -> StoredObject:
    row = find(scope, kind, id_)
    if row is None:
        raise no_such(kind, id_, param=param)
    return row


def lock(scope: Scope, kind: str, id_: str, *, param: str = "id") -> StoredObject:
    row = query(scope, kind).select_for_update().filter(stripe_id=id_).first()
    if row is None:
        raise no_such(kind, id_, param=param)
    return row


def build(scope: Scope, data: JSON, hidden: JSON | None = None, **columns: Any) -> StoredObject:
    """An unsaved row; ``data`` needs no id, created or livemode of its own."""
    kind = data["object"]
    data = {"id": data.get("id") or new_id(kind), **{k: v for k, v in data.items() if k != "id"}}
    if scope.test_clock and "test_clock" in data:
        data["test_clock"] = scope.test_clock
    return StoredObject(
        account=scope.account,
        livemode=scope.livemode,
        object=kind,
        stripe_id=data["id"],
        created=scope.timestamp,
        data=data,
        hidden=hidden or {},
        **{"test_clock": scope.test_clock, **_lookups(data), **columns},
    )


def insert(
    scope: Scope, data: JSON, *, event: str | None = None, hidden: JSON | None = None, **columns: Any
) -> StoredObject:
    row = build(scope, data, hidden, **columns)
    row.save(force_insert=True)
    if event:
        scope.emit(event, row.data)
    return row


def insert_many(rows: Iterable[StoredObject]) -> list[StoredObject]:
    return StoredObject.objects.bulk_create(rows, batch_size=500)


def change(
    scope: Scope,
    row: StoredObject,
    fields: Mapping[str, Any],
    *,
    event: str | None = None,
    hidden: Mapping[str, Any] | None = None,
    due_at: datetime | None | object = UNTOUCHED,
) -> JSON:
    """Write changed fields; returns what they were before. No difference, no event."""
    previous = differences(row.data, fields)
    row.data = {**row.data, **fields}
    row.hidden = {**row.hidden, **(hidden or {})}
    if due_at is not UNTOUCHED:
        row.due_at = due_at  # type: ignore[assignment]
    for name, value in _lookups(row.data).items():
        setattr(row, name, value)
    row.save(update_fields=["data", "hidden", "due_at", *_lookups(row.data)])
    if event and previous:
        scope.emit(event, row.data, previous)
    return previous


def delete(scope: Scope, row: StoredObject, *, event: str) -> JSON:
    """Take an object away for good; the event shows it as it last was."""
    scope.emit(event, row.data)
    row.delete()
    return {"id": row.stripe_id, "object": row.object, "deleted": True}


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> JSON:
    """The old values of what changes, as an event's ``previous_attributes`` shows them."""
    changed: JSON = {}
    for name, value in new.items():
        before = old.get(name)
        if before == value:
            continue
        if isinstance(before, dict) and isinstance(value, dict):
            changed[name] = differences(before, {**dict.fromkeys(before), **value})
        else:
            changed[name] = before
    return changed


def _lookups(data: JSON) -> dict[str, str]:
    return {name: data[name] if isinstance(data[name], str) else "" for name in LOOKUPS if name in data}
