"""Credit notes: what is taken off a finalized invoice, or given back of a paid one."""

from typing import Any

from payments.sandbox import crediting, store
from payments.sandbox.crediting import Credit
from payments.sandbox.errors import bad_request
from payments.sandbox.ids import new_id
from payments.sandbox.invoice_life import links_base
from payments.sandbox.models import StoredObject
from payments.sandbox.pages import as_list, page
from payments.sandbox.params import Hash, Many, Metadata, Params, Text, Whole, merged_metadata
from payments.sandbox.resources import refunds
from payments.sandbox.routing import endpoint
from payments.sandbox.scope import JSON, Scope
from payments.sandbox.shapes import credits as shapes

REASONS = ("duplicate", "fraudulent", "order_change", "product_unsatisfactory")
LINE = Hash(
    fields={
        "amount": Whole(least=1),
        "description": Text(),
        "invoice_line_item": Text(),
        "quantity": Whole(least=1),
        "type": Text(required=True, choices=("custom_line_item", "invoice_line_item")),
        "unit_amount": Whole(least=1),
    }
)
WANTED: dict[str, Any] = {
    "amount": Whole(least=1),
    "credit_amount": Whole(least=0),
    "email_type": Text(choices=("credit_note", "none")),
    "invoice": Text(required=True),
    "lines": Many(of=LINE),
    "memo": Text(),
    "metadata": Metadata(),
    "out_of_band_amount": Whole(least=0),
    "reason": Text(choices=REASONS),
    "refund_amount": Whole(least=0),
}
FIRST_PAGE = 10


@endpoint("POST", "/v1/credit_notes", WANTED)
def create(scope: Scope, params: Params) -> JSON:
    invoice = store.lock(scope, "invoice", params["invoice"], param="invoice")
    lines = _lines(scope, invoice, params)
    credit = crediting.plan(invoice.data, sum(line["amount"] for line in lines), params)
    data = _data(scope, invoice.data, credit, params)
    crediting.apply(scope, invoice, credit)
    data |= _carried_out(scope, invoice, credit)
    rows = [store.build(scope, line, invoice=data["id"]) for line in lines]
    store.insert_many(rows)
    row = store.insert(scope, {**data, "lines": _first_page(data["id"], rows)}, event="credit_note.created")
    return row.data


@endpoint("GET", "/v1/credit_notes/preview", WANTED)
def preview(scope: Scope, params: Params) -> JSON:
    """What creating it would give; nothing is kept."""
    invoice = store.get(scope, "invoice", params["invoice"], param="invoice")
    lines = _lines(scope, invoice, params)
    credit = crediting.plan(invoice.data, sum(line["amount"] for line in lines), params)
    data = _data(scope, invoice.data, credit, params)
    rows = [store.build(scope, line) for line in lines]
    return {**data, "lines": _first_page(data["id"], rows)}


@endpoint("GET", "/v1/credit_notes/{id}")
def retrieve(scope: Scope, params: Params, id: str) -> JSON:
    return store.get(scope, "credit_note", id).data


@endpoint("GET", "/v1/credit_notes", {"customer": Text(), "invoice": Text()}, pages=True)
def list_(scope: Scope, params: Params) -> JSON:
    rows = store.query(scope, "credit_note")
    for name in ("customer", "invoice"):
        if name in params:
            rows = rows.filter(**{name: params[name]})
    return page(rows, params, "/v1/credit_notes")


@endpoint("GET", "/v1/credit_notes/{id}/lines", pages=True)
def list_lines(scope: Scope, params: Params, id: str) -> JSON:
    store.get(scope, "credit_note", id)
    rows = store.query(scope, "credit_note_line_item").filter(invoice=id)
    return page(rows, params, f"/v1/credit_notes/{id}/lines", oldest_first=True)


@endpoint("POST", "/v1/credit_notes/{id}", {"memo": Text(), "metadata": Metadata()})
def update(scope: Scope, params: Params, id: str) -> JSON:
    row = store.lock(scope, "credit_note", id)
    changes = {"memo": params["memo"]} if "memo" in params else {}
    if "metadata" in params:
        changes["metadata"] = merged_metadata(row.data["metadata"], params["metadata"])
    store.change(scope, row, changes, event="credit_note.updated")
    return row.data


@endpoint("POST", "/v1/credit_notes/{id}/void")
def void(scope: Scope, params: Params, id: str) -> JSON:
    # The invoice is locked before its credit note, as everywhere.
    invoice = store.lock(scope, "invoice", store.get(scope, "credit_note", id).data["invoice"])
    row = store.lock(scope, "credit_note", id)
    if row.status == "void":
        raise bad_request("This credit note has already been voided.")
    crediting.take_back(scope, invoice, row.data["pre_payment_amount"])
    store.change(scope, row, {"status": "void", "voided_at": scope.timestamp})
    scope.emit("credit_note.voided", row.data)
    return row.data


def _lines(scope: Scope, invoice: StoredObject, params: Params) -> list[JSON]:
    """An amount alone is one line."""
    if ("amount" in params) == ("lines" in params):
        raise bad_request("You must pass exactly one of `amount` or `lines`.", param="amount")
    if "amount" in params:
        return [shapes.line(scope.livemode, params["amount"], params.get("memo"))]
    return [_line(scope, invoice, given, n) for n, given in enumerate(params["lines"])]


def _line(scope: Scope, invoice: StoredObject, given: Params, n: int) -> JSON:
    if given["type"] == "custom_line_item":
        if "description" not in given or "unit_amount" not in given:
            message = "A custom line needs `description` and `unit_amount`."
            raise bad_request(message, code="parameter_missing", param=f"lines[{n}][unit_amount]")
        count = given.get("quantity", 1)
        made = shapes.line(scope.livemode, given["unit_amount"] * count, given["description"])
        return {**made, "quantity": count, "unit_amount": given["unit_amount"]} | {
            "unit_amount_decimal": str(given["unit_amount"])
        }
    if "invoice_line_item" not in given or "amount" not in given:
        message = "An invoice's line needs `invoice_line_item` and `amount`."
        raise bad_request(message, code="parameter_missing", param=f"lines[{n}][invoice_line_item]")
    credited = store.get(scope, "line_item", given["invoice_line_item"], param=f"lines[{n}][invoice_line_item]")
    if credited.invoice != invoice.stripe_id or given["amount"] > credited.data["amount"]:
        raise bad_request("The line is none of the invoice's, or comes to less.", param=f"lines[{n}][amount]")
    description = credited.data["description"]
    return shapes.line(scope.livemode, given["amount"], description, invoice_line=credited.stripe_id)


def _data(scope: Scope, invoice: JSON, credit: Credit, params: Params) -> JSON:
    earlier = store.query(scope, "credit_note").filter(invoice=invoice["id"]).count()
    id_ = new_id("credit_note")
    return {
        **shapes.credit_note(scope.timestamp, scope.livemode, invoice, credit.before + credit.after),
        "id": id_,
        "memo": params.get("memo"),
        "metadata": merged_metadata({}, params.get("metadata")),
        "number": f"{invoice['number']}-CN-{earlier + 1:02d}",
        "out_of_band_amount": credit.ways.get("out_of_band_amount"),
        "pdf": f"{links_base()}/credit_notes/{id_}/pdf",
        "post_payment_amount": credit.after,
        "pre_payment_amount": credit.before,
        "reason": params.get("reason"),
        "type": credit.kind,
    }


def _carried_out(scope: Scope, invoice: StoredObject, credit: Credit) -> JSON:
    """What was paid goes back: the refund and the customer's credit that come of it."""
    made: JSON = {}
    if amount := credit.ways.get("refund_amount"):
        refund = refunds.give_back(scope, crediting.charge_of(scope, invoice), {"amount": amount})
        entry = {"amount_refunded": amount, "payment_record_refund": None, "refund": refund["id"], "type": "refund"}
        made["refunds"] = [entry]
    if amount := credit.ways.get("credit_amount"):
        moved = crediting.to_balance(scope, invoice, amount, invoice.data["number"])
        made["customer_balance_transaction"] = moved.stripe_id if moved else None
    return made


def _first_page(id_: str, rows: list[StoredObject]) -> JSON:
    data = [row.data for row in rows[:FIRST_PAGE]]
    return as_list(data, f"/v1/credit_notes/{id_}/lines", has_more=len(rows) > FIRST_PAGE)
