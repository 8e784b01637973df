"""Invoices: create, read, edit, delete, list. What moves them on is in ``invoice_actions``."""

from payments.sandbox import store, tax
from payments.sandbox.errors import bad_request, no_such
from payments.sandbox.ids import new_id
from payments.sandbox.invoice_life import customer_copy, lines_of, require_email, taxed_again
from payments.sandbox.invoice_row import DRAFT_WINDOW, change, next_moment, not_editable
from payments.sandbox.models import Account, StoredObject
from payments.sandbox.pages import page
from payments.sandbox.params import (
    Flag,
    Hash,
    Many,
    Metadata,
    Moment,
    Param,
    Params,
    Text,
    Whole,
    merged_metadata,
)
from payments.sandbox.routing import endpoint
from payments.sandbox.scope import JSON, Scope
from payments.sandbox.shapes import invoices as shapes

METHODS = ("charge_automatically", "send_invoice")
STATUSES = ("draft", "open", "paid", "uncollectible", "void")
FIVE_YEARS = 5 * 366 * 86400
PLAIN: dict[str, Param] = {
    "collection_method": Text(choices=METHODS),
    "custom_fields": Many(unset=True, most=4, of=Hash(fields={"name": Text(longest=40), "value": Text(longest=140)})),
    "description": Text(unset=True, longest=1500),
    "effective_at": Whole(unset=True),
    "footer": Text(unset=True, longest=5000),
    "number": Text(unset=True, longest=26),
    "statement_descriptor": Text(unset=True, longest=22),
}
FIELDS: dict[str, Param] = {
    **PLAIN,
    "auto_advance": Flag(),
    "automatic_tax": Hash(fields={"enabled": Flag(required=True)}),
    "automatically_finalizes_at": Whole(),
    "days_until_due": Whole(least=0),
    "default_payment_method": Text(unset=True),
    "default_tax_rates": Many(unset=True, of=Text()),
    "due_date": Whole(),
    "metadata": Metadata(),
    "payment_settings": Hash(fields={"payment_method_types": Many(unset=True, of=Text())}),
}
# What may still be changed once the invoice is final.
STILL_EDITABLE = {"metadata", "auto_advance", "default_payment_method", "payment_settings", "expand"}


@endpoint(
    "POST",
    "/v1/invoices",
    {
        **FIELDS,
        "customer": Text(required=True),
        "currency": Text(),
        "pending_invoice_items_behavior": Text(choices=("exclude", "include")),
    },
)
def create(scope: Scope, params: Params) -> JSON:
    customer = store.get(scope, "customer", params["customer"], param="customer")
    if customer.deleted:
        raise no_such("customer", params["customer"], param="customer")
    account = Account.objects.get(pk=scope.account)
    currency = (params.get("currency") or customer.data["currency"] or account.currency).lower()
    blank = shapes.invoice(new_id("invoice"), scope.timestamp, scope.livemode, currency, customer.stripe_id)
    data = {
        **blank,
        "account_country": account.country,
        "account_name": account.name,
        **customer_copy(customer.data),
    }
    changes, hidden = _changes(scope, data, {}, params)
    require_email(customer.data, changes["collection_method"])
    data |= changes
    row = store.insert(scope, data, hidden=hidden, due_at=next_moment(data, hidden), event="invoice.created")
    return row.data


@endpoint("GET", "/v1/invoices/{id}")
def retrieve(scope: Scope, params: Params, id: str) -> JSON:
    return store.get(scope, "invoice", id).data


@endpoint("POST", "/v1/invoices/{id}", FIELDS)
def update(scope: Scope, params: Params, id: str) -> JSON:
    row = store.lock(scope, "invoice", id)
    if row.status != "draft":
        return _update_final(scope, row, params)
    changes, hidden = _changes(scope, row.data, row.hidden, params)
    if changes["collection_method"] != row.data["collection_method"]:
        customer = store.get(scope, "customer", row.customer, param="customer")
        require_email(customer.data, changes["collection_method"])
    if {"default_tax_rates", "automatic_tax"} & set(changes):
        changes |= taxed_again(scope, {**row.data, **changes})
    change(scope, row, changes, hidden=hidden)
    return row.data


@endpoint("DELETE", "/v1/invoices/{id}")
def delete(scope: Scope, params: Params, id: str) -> JSON:
    row = store.lock(scope, "invoice", id)
    if row.status != "draft":
        raise not_editable("You can only delete draft invoices; use void to take back a finalized one.")
    lines_of(scope, id).delete()
    return store.delete(scope, row, event="invoice.deleted")


@endpoint(
    "GET",
    "/v1/invoices",
    {
        "customer": Text(),
        "status": Text(choices=STATUSES),
        "collection_method": Text(choices=METHODS),
        "due_date": Moment(),
        "subscription": Text(),
    },
    pages=True,
)
def list_(scope: Scope, params: Params) -> JSON:
    rows = store.query(scope, "invoice")
    for name in ("customer", "status"):
        if name in params:
            rows = rows.filter(**{name: params[name]})
    if "collection_method" in params:
        rows = rows.filter(data__collection_method=params["collection_method"])
    if "subscription" in params:
        rows = rows.none()
    for bound, value in params.get("due_date", {}).items():
        rows = rows.filter(**{f"data__due_date{'' if bound == 'exact' else '__' + bound}": value})
    return page(rows, params, "/v1/invoices")


def _update_final(scope: Scope, row: StoredObject, params: Params) -> JSON:
    if set(params) - STILL_EDITABLE:
        raise not_editable("Finalized invoices can't be updated in this way.")
    changes = _editable_always(scope, row.data, params)
    if "auto_advance" in params and row.status == "open":
        changes |= _switched(scope, row.data, params["auto_advance"])
    change(scope, row, changes)
    return row.data


def _switched(scope: Scope, data: JSON, auto_advance: bool) -> JSON:
    """Turned on, an invoice that is charged automatically is tried at once; turned off, no more."""
    charges = auto_advance and data["collection_method"] == "charge_automatically"
    return {
        "auto_advance": auto_advance,
        "next_payment_attempt": (data["next_payment_attempt"] or scope.timestamp) if charges else None,
    }


def _editable_always(scope: Scope, data: JSON, params: Params) -> JSON:
    changes: JSON = {}
    if "metadata" in params:
        changes["metadata"] = merged_metadata(data["metadata"], params["metadata"])
    if "payment_settings" in params:
        changes["payment_settings"] = {**data["payment_settings"], **params["payment_settings"]}
    if "default_payment_method" in params:
        changes["default_payment_method"] = _method_of(scope, data["customer"], params["default_payment_method"])
    return changes


def _changes(scope: Scope, data: JSON, hidden: JSON, params: Params) -> tuple[JSON, JSON]:
    """A draft's fields as the parameters leave them, and what is remembered beside them."""
    changes = {"collection_method": data["collection_method"], **_editable_always(scope, data, params)}
    changes |= {name: params[name] for name in PLAIN if name in params}
    hidden = {**hidden, **{name: params[name] for name in ("days_until_due",) if name in params}}
    changes |= _advancing(data, params)
    changes |= _due(scope, {**data, **changes}, hidden, params)
    if "automatic_tax" in params:
        changes["automatic_tax"] = tax.status(data, enabled=params["automatic_tax"]["enabled"])
    if "default_tax_rates" in params:
        changes["default_tax_rates"] = tax_rates(scope, params["default_tax_rates"] or [], "default_tax_rates")
    return changes, hidden


def _advancing(data: JSON, params: Params) -> JSON:
    advances = params.get("auto_advance", data["auto_advance"])
    given = params.get("automatically_finalizes_at")
    if given is not None and not advances:
        message = "You can only set `automatically_finalizes_at` when `auto_advance` is true."
        raise bad_request(message, param="automatically_finalizes_at")
    if given is not None and given > data["created"] + FIVE_YEARS:
        message = "The `automatically_finalizes_at` time can be at most five years ahead."
        raise bad_request(message, param="automatically_finalizes_at")
    at = given or data["automatically_finalizes_at"] or data["created"] + DRAFT_WINDOW
    return {"auto_advance": advances, "automatically_finalizes_at": at if advances else None}


def _due(scope: Scope, data: JSON, hidden: JSON, params: Params) -> JSON:
    """When the money is due: only a sent invoice has such a day, given as one or counted in days."""
    given = {"days_until_due", "due_date"} & set(params)
    if data["collection_method"] != "send_invoice":
        if given:
            message = f"`{min(given)}` can only be set if collection_method is `send_invoice`."
            raise bad_request(message, param=min(given))
        return {"due_date": None}
    if len(given) == 2:
        raise bad_request("You may only specify one of these parameters: days_until_due, due_date.")
    if "due_date" in params:
        hidden["days_until_due"] = None
        return {"due_date": params["due_date"]}
    days = hidden.get("days_until_due")
    if days is None and data["due_date"] is None:
        raise bad_request(
            "If invoice has collection_method `send_invoice`, then either `days_until_due` or `due_date` must be set.",
            param="days_until_due",
        )
    return {} if days is None else {"due_date": data["created"] + days * 86400}


def _method_of(scope: Scope, customer: str, id_: str | None) -> str | None:
    if id_ is None:
        return None
    method = store.get(scope, "payment_method", id_, param="default_payment_method")
    if method.customer != customer:
        raise bad_request(
            f"The customer does not have a payment method with the ID {id_}. The payment method must be "
            "attached to the customer.",
            code="resource_missing",
            param="default_payment_method",
        )
    return id_


def tax_rates(scope: Scope, ids: list[str], param: str) -> list[JSON]:
    return [store.get(scope, "tax_rate", id_, param=f"{param}[{n}]").data for n, id_ in enumerate(ids)]
