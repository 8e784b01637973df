"""Changing an invoice keeps its next moment right: that is decided here and nowhere else."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from payments.sandbox import store
from payments.sandbox.errors import StripeError, bad_request
from payments.sandbox.models import StoredObject
from payments.sandbox.scope import JSON, Scope, moment

# A draft that advances by itself is finalized an hour after it was created.
DRAFT_WINDOW = 3600


def change(
    scope: Scope,
    row: StoredObject,
    fields: Mapping[str, Any],
    *,
    event: str | None = "invoice.updated",
    hidden: Mapping[str, Any] | None = None,
) -> JSON:
    data = {**row.data, **fields}
    due = next_moment(data, {**row.hidden, **(hidden or {})})
    return store.change(scope, row, fields, event=event, hidden=hidden, due_at=due)


def next_moment(data: JSON, hidden: JSON) -> datetime | None:
    """When something happens to the invoice by itself: finalization, sending, a payment attempt."""
    at = None
    if data["status"] == "draft":
        at = data["automatically_finalizes_at"]
    elif data["status"] == "open" and data["auto_advance"]:
        at = data["next_payment_attempt"] or hidden.get("to_send_at")
    return None if at is None else moment(at)


def transition(data: JSON, name: str, timestamp: int) -> JSON:
    return {"status_transitions": {**data["status_transitions"], name: timestamp}}


def not_editable(message: str) -> StripeError:
    return bad_request(message, code="invoice_not_editable")
