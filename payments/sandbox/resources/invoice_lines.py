"""Lines of a draft invoice."""

from payments.sandbox import store, tax
from payments.sandbox.errors import bad_request
from payments.sandbox.invoice_life import lines_of
from payments.sandbox.invoice_row import change, not_editable
from payments.sandbox.invoice_totals import totals
from payments.sandbox.models import StoredObject
from payments.sandbox.pages import page
from payments.sandbox.params import Flag, Hash, Many, Metadata, Number, Params, Text, Whole, merged_metadata
from payments.sandbox.resources.invoices import tax_rates
from payments.sandbox.routing import endpoint
from payments.sandbox.scope import JSON, Scope
from payments.sandbox.shapes import invoices as shapes

MOST_LINES = 250
RATE_DATA = Hash(
    fields={
        **{name: Text() for name in tax.RATE_TEXTS},
        "display_name": Text(required=True, longest=100),
        "inclusive": Flag(required=True),
        "jurisdiction_level": Text(),
        "percentage": Number(required=True, places=4),
    }
)
TAX_AMOUNT = Hash(
    fields={
        "amount": Whole(required=True),
        "tax_rate_data": RATE_DATA,
        "taxability_reason": Text(),
        "taxable_amount": Whole(required=True),
    }
)
LINE = Hash(
    fields={
        "amount": Whole(required=True),
        "description": Text(unset=True),
        "discountable": Flag(),
        "metadata": Metadata(),
        "period": Hash(fields={"start": Whole(required=True), "end": Whole(required=True)}),
        "quantity": Whole(least=0),
        "quantity_decimal": Number(),
        "tax_amounts": Many(unset=True, of=TAX_AMOUNT, most=20),
        "tax_rates": Many(unset=True, of=Text()),
    }
)


@endpoint(
    "POST", "/v1/invoices/{id}/add_lines", {"lines": Many(required=True, of=LINE), "invoice_metadata": Metadata()}
)
def add_lines(scope: Scope, params: Params, id: str) -> JSON:
    row = store.lock(scope, "invoice", id)
    if row.status != "draft":
        raise not_editable("Line items can only be added to draft invoices.")
    existing = list(lines_of(scope, id)) if row.data["lines"]["data"] else []
    if len(existing) + len(params["lines"]) > MOST_LINES:
        raise bad_request(f"An invoice can have at most {MOST_LINES} line items.", param="lines")
    new = [_line(scope, row, given, n) for n, given in enumerate(params["lines"])]
    tax.apply(scope, row.data, [*existing, *new])
    store.insert_many(new)
    changes = totals(row.data, [*existing, *new])
    if "invoice_metadata" in params:
        changes["metadata"] = merged_metadata(row.data["metadata"], params["invoice_metadata"])
    change(scope, row, changes)
    return row.data


@endpoint("GET", "/v1/invoices/{id}/lines", pages=True)
def list_(scope: Scope, params: Params, id: str) -> JSON:
    store.get(scope, "invoice", id)
    return page(lines_of(scope, id), params, f"/v1/invoices/{id}/lines", oldest_first=True)


def _line(scope: Scope, invoice: StoredObject, given: Params, position: int) -> StoredObject:
    blank = shapes.line(scope.livemode, invoice.data["currency"], invoice.stripe_id, given["amount"])
    data = {
        **blank,
        "description": given.get("description"),
        "discountable": given.get("discountable", True),
        "metadata": merged_metadata({}, given.get("metadata")),
        "period": given.get("period") or {"end": scope.timestamp, "start": scope.timestamp},
        **_quantity(given, f"lines[{position}]"),
    }
    rates = tax_rates(scope, given.get("tax_rates") or [], f"lines[{position}][tax_rates]")
    hidden: JSON = {"tax_rates": rates} if rates else {}
    if given.get("tax_amounts"):
        hidden["tax_amounts"] = tax.given_amounts(scope, given["tax_amounts"])
    return store.build(scope, data, hidden)


def _quantity(given: Params, where: str) -> JSON:
    if "quantity" in given and "quantity_decimal" in given:
        raise bad_request("Give `quantity` or `quantity_decimal`, not both.", param=f"{where}[quantity_decimal]")
    exact = given.get("quantity_decimal", str(given.get("quantity", 1)))
    return {"quantity": int(exact.partition(".")[0]), "quantity_decimal": exact}
