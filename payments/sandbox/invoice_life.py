"""The states of an invoice: draft, open, paid, void, uncollectible, and the ways between them."""

from typing import Any

from django.conf import settings

from payments.sandbox import balance, charging, collect, store, tax, tax_ids
from payments.sandbox.errors import StripeError, bad_request
from payments.sandbox.ids import random_text
from payments.sandbox.invoice_row import change, not_editable, transition
from payments.sandbox.invoice_totals import totals
from payments.sandbox.models import StoredObject
from payments.sandbox.schedule import HANDLERS
from payments.sandbox.scope import JSON, Scope
from payments.sandbox.shapes import invoices as shapes
from payments.sandbox.shapes import money

COPIED = ("address", "email", "name", "phone", "shipping", "tax_exempt")
# Below this much (minor units) a charge is not worth making: the customer owes it next time.
MINIMUM = {"jpy": 50, "gbp": 30, "aud": 50, "krw": 500, "mxn": 1000, "sek": 300, "nok": 300, "dkk": 250}
DEFAULT_MINIMUM = 50


def minimum(currency: str) -> int:
    return MINIMUM.get(currency, DEFAULT_MINIMUM)


def customer_copy(customer: JSON) -> JSON:
    return {f"customer_{name}": customer[name] for name in COPIED}


def require_email(customer: JSON, collection_method: str) -> None:
    if collection_method == "send_invoice" and not customer.get("email"):
        raise bad_request(
            "Missing email. In order to create invoices that are sent to the customer, the customer must have "
            "a valid email.",
            param="customer",
        )


def finalize(scope: Scope, row: StoredObject, auto_advance: bool | None = None) -> None:
    """Draft to open: numbered, dated, frozen, with a payment waiting; straight to paid if nothing is due."""
    if row.status != "draft":
        raise not_editable("This invoice is already finalized, you can't re-finalize a non-draft invoice.")
    customer = store.lock(scope, "customer", row.customer, param="customer")
    if customer.deleted:
        raise bad_request("Invoices of a deleted customer cannot be finalized.", param="customer")
    require_email(customer.data, row.data["collection_method"])
    _require_location(customer.data, row.data)
    _tax_by_location(scope, row, customer.data)
    fields = {**_finalized(scope, row.data, customer.data), **_due_date(scope, row)}
    if auto_advance is not None:
        fields["auto_advance"] = auto_advance
    _take_number(scope, customer, row, fields)
    change(scope, row, {**fields, "status": "open"})
    if row.data["amount_due"] == 0:
        _nothing_due(scope, row)
    else:
        _open(scope, row)


def _require_location(customer: JSON, data: JSON) -> None:
    address = customer["address"] or {}
    if data["automatic_tax"]["enabled"] and not address.get("country"):
        raise bad_request(
            "The customer's location isn't recognized. Set a valid customer address in order to automatically "
            "calculate tax.",
            code="customer_tax_location_invalid",
        )


def _tax_by_location(scope: Scope, row: StoredObject, customer: JSON) -> None:
    """Automatic tax is computed for the last time, for where the customer is now."""
    if not row.data["automatic_tax"]["enabled"]:
        return
    data = {**row.data, **customer_copy(customer)}
    change(scope, row, {"automatic_tax": tax.status(data, enabled=True), **taxed_again(scope, data)}, event=None)


def lines_of(scope: Scope, invoice: str) -> Any:
    return store.query(scope, "line_item").filter(invoice=invoice).order_by("pk")


def taxed_again(scope: Scope, data: JSON) -> JSON:
    """The totals after every line was taxed as the invoice now says."""
    rows = list(lines_of(scope, data["id"]).select_for_update())
    changed = tax.apply(scope, data, rows)
    StoredObject.objects.bulk_update(changed, ["data"])
    return totals(data, rows)


def _finalized(scope: Scope, data: JSON, customer: JSON) -> JSON:
    """Every field that finalizing fills, apart from status."""
    token = f"{data['id'].removeprefix('in_')}{random_text(20)}"
    page = f"{links_base()}/i/{scope.account}/{'live' if scope.livemode else 'test'}_{token}"
    return {
        **_amounts(data, customer),
        **customer_copy(customer),
        "customer_tax_ids": tax_ids.shown_on_invoice(scope, customer["id"]),
        **transition(data, "finalized_at", scope.timestamp),
        "automatically_finalizes_at": None,
        "effective_at": data["effective_at"] or scope.timestamp,
        "hosted_invoice_url": page,
        "invoice_pdf": f"{page}/pdf",
        "last_finalization_error": None,
        "number": data["number"] or f"{customer['invoice_prefix']}-{customer['next_invoice_sequence']:04d}",
    }


def links_base() -> str:
    base = settings.STRIPE_API_BASE
    return "https://invoice.stripe.com" if base == "https://api.stripe.com" else str(base)


def _amounts(data: JSON, customer: JSON) -> JSON:
    """The customer's balance is applied; a sum too small to charge is carried over instead."""
    owed = data["total"] + customer["balance"]
    carried = 0 < owed < minimum(data["currency"])
    due = 0 if carried else max(owed, 0)
    return {
        "amount_due": due,
        "amount_remaining": due,
        "ending_balance": owed if carried else min(owed, 0),
        "starting_balance": customer["balance"],
    }


def _due_date(scope: Scope, row: StoredObject) -> JSON:
    """Days until due count from the day the invoice is issued."""
    days = row.hidden.get("days_until_due")
    if row.data["collection_method"] != "send_invoice" or days is None:
        return {}
    return {"due_date": scope.timestamp + days * 86400}


def _take_number(scope: Scope, customer: StoredObject, row: StoredObject, fields: JSON) -> None:
    store.change(scope, customer, {"next_invoice_sequence": customer.data["next_invoice_sequence"] + 1})
    moved = fields["ending_balance"] - customer.data["balance"]
    carried = fields["amount_due"] == 0 and fields["ending_balance"] > 0
    kind = "invoice_too_small" if carried else "applied_to_invoice"
    balance.move(scope, customer, moved, kind, currency=row.data["currency"], invoice=row.stripe_id)


def _nothing_due(scope: Scope, row: StoredObject) -> None:
    scope.emit("invoice.finalized", row.data)
    change(scope, row, collect.paid_fields(scope, row.data))
    for event in ("invoice.paid", "invoice.payment_succeeded"):
        scope.emit(event, row.data)


def _open(scope: Scope, row: StoredObject) -> None:
    data = row.data
    intent = charging.new_intent(
        scope,
        data["amount_due"],
        data["currency"],
        {"customer": data["customer"], "description": f"Payment for Invoice {data['number']}"},
        invoice=data["id"],
    )
    payment = shapes.invoice_payment(scope.timestamp, scope.livemode, data, intent.stripe_id)
    store.insert(scope, payment, payment_intent=intent.stripe_id)
    change(scope, row, _waiting(scope, data), event=None, hidden={"to_send_at": _to_send_at(scope, data)})
    scope.emit("invoice.finalized", row.data)


def _waiting(scope: Scope, data: JSON) -> JSON:
    """Whoever advances by itself is charged as soon as it is open."""
    charges = data["auto_advance"] and data["collection_method"] == "charge_automatically"
    return {"next_payment_attempt": scope.timestamp if charges else None}


def _to_send_at(scope: Scope, data: JSON) -> int | None:
    sends = data["auto_advance"] and data["collection_method"] == "send_invoice"
    return scope.timestamp if sends else None


def advance(scope: Scope, row: StoredObject) -> None:
    """What the invoice's moment has come for."""
    if row.status == "draft":
        _finalize_by_itself(scope, row)
    elif row.data["next_payment_attempt"] is not None:
        method = collect.method_for(scope, row.data)
        collect.attempt(scope, row, method, automatic=True)
    else:
        sent(scope, row)


HANDLERS["invoice"] = advance


def _finalize_by_itself(scope: Scope, row: StoredObject) -> None:
    try:
        finalize(scope, row)
    except StripeError as error:
        told = {"message": error.message, "type": error.fields["type"], "code": error.fields["code"] or None}
        problem = money.last_error(told)
        change(scope, row, {"automatically_finalizes_at": None, "last_finalization_error": problem})
        scope.emit("invoice.finalization_failed", row.data)


def sent(scope: Scope, row: StoredObject) -> None:
    change(scope, row, {}, event=None, hidden={"to_send_at": None})
    scope.emit("invoice.sent", row.data)


def void(scope: Scope, row: StoredObject) -> None:
    if row.status not in ("open", "uncollectible"):
        raise bad_request(f"You can only void open or uncollectible invoices; this one is {row.status}.")
    collect.cancel_payment(scope, *collect.default_payment(scope, row), "void_invoice")
    _return_balance(scope, row)
    fields = {"auto_advance": False, "next_payment_attempt": None, "status": "void", "status_details": None}
    change(scope, row, {**fields, **transition(row.data, "voided_at", scope.timestamp)})
    scope.emit("invoice.voided", row.data)


def _return_balance(scope: Scope, row: StoredObject) -> None:
    applied = row.data["starting_balance"] - row.data["ending_balance"]
    if applied:
        customer = store.lock(scope, "customer", row.customer)
        if not customer.deleted:
            balance.move(
                scope, customer, applied, "unapplied_from_invoice",
                currency=row.data["currency"], invoice=row.stripe_id,
            )  # fmt: skip


def mark_uncollectible(scope: Scope, row: StoredObject) -> None:
    if row.status != "open":
        raise bad_request(f"You can only mark open invoices as uncollectible; this one is {row.status}.")
    fields = {
        "auto_advance": False,
        "next_payment_attempt": None,
        "status": "uncollectible",
        "status_details": {"uncollectible": {"reason": "user_forgiven"}},
    }
    change(scope, row, {**fields, **transition(row.data, "marked_uncollectible_at", scope.timestamp)})
    scope.emit("invoice.marked_uncollectible", row.data)


def pay_out_of_band(scope: Scope, row: StoredObject) -> None:
    """The money came some other way: nothing is charged, the waiting payment is cancelled."""
    collect.cancel_payment(scope, *collect.default_payment(scope, row), "void_invoice")
    amount = row.data["amount_remaining"]
    fields = {
        "amount_paid": row.data["amount_paid"] + amount,
        "amount_paid_off_stripe": amount,
        **collect.paid_fields(scope, row.data),
    }
    change(scope, row, fields)
    scope.emit("invoice.paid", row.data)
