"""Customers."""

import secrets

from payments.sandbox import balance, store, tax_ids
from payments.sandbox.errors import bad_request
from payments.sandbox.models import StoredObject
from payments.sandbox.pages import page
from payments.sandbox.params import ADDRESS, Hash, Many, Metadata, Param, Params, Text, Whole, merged_metadata
from payments.sandbox.resources.payment_methods import attach_to, detach_from
from payments.sandbox.routing import endpoint
from payments.sandbox.scope import JSON, Scope
from payments.sandbox.shapes import parties

PLAIN: dict[str, Param] = {
    "business_name": Text(unset=True, longest=150),
    "description": Text(unset=True),
    "email": Text(unset=True, longest=512),
    "individual_name": Text(unset=True, longest=150),
    "name": Text(unset=True, longest=256),
    "phone": Text(unset=True, longest=20),
    "tax_exempt": Text(unset=True, choices=("none", "exempt", "reverse")),
    "preferred_locales": Many(of=Text()),
    "balance": Whole(),
    "next_invoice_sequence": Whole(least=1),
    "invoice_prefix": Text(longest=12),
}
FIELDS: dict[str, Param] = {
    **PLAIN,
    "address": Hash(unset=True, fields=ADDRESS),
    "shipping": Hash(
        unset=True,
        fields={"address": Hash(fields=ADDRESS), "name": Text(), "phone": Text(unset=True)},
    ),
    "metadata": Metadata(),
    "invoice_settings": Hash(
        fields={
            "default_payment_method": Text(unset=True),
            "footer": Text(unset=True),
            "custom_fields": Many(unset=True, most=4, of=Hash(fields={"name": Text(), "value": Text()})),
        }
    ),
}


TAX_ID: dict[str, Param] = {"type": Text(required=True), "value": Text(required=True)}
NEW: dict[str, Param] = {
    **FIELDS,
    "payment_method": Text(),
    "tax_id_data": Many(of=Hash(fields=TAX_ID), most=5),
    "test_clock": Text(),
}


@endpoint("POST", "/v1/customers", NEW)
def create(scope: Scope, params: Params) -> JSON:
    if "test_clock" in params:
        store.get(scope, "test_helpers.test_clock", params["test_clock"], param="test_clock")
    blank = parties.customer(scope.timestamp, scope.livemode, secrets.token_hex(4).upper())
    row = store.insert(scope, {**blank, **_changes(scope, blank, params)})
    if "payment_method" in params:
        attach_to(scope, row, params["payment_method"], param="payment_method")
    if "invoice_settings" in params:
        row.data = {**row.data, **_invoice_settings(scope, row, params["invoice_settings"])}
        row.save(update_fields=["data"])
    scope.emit("customer.created", row.data)
    for number in params.get("tax_id_data") or []:
        tax_ids.add(scope, row.stripe_id, number)
    return row.data


@endpoint("GET", "/v1/customers/{id}")
def retrieve(scope: Scope, params: Params, id: str) -> JSON:
    return store.get(scope, "customer", id).data


@endpoint("POST", "/v1/customers/{id}", {**FIELDS, "default_source": Text()})
def update(scope: Scope, params: Params, id: str) -> JSON:
    row = usable(store.lock(scope, "customer", id))
    changes = _changes(scope, row.data, params)
    if "default_source" in params:
        source = store.get(scope, "bank_account", params["default_source"], param="default_source")
        changes["default_source"] = source.stripe_id
    wanted = changes.pop("balance", row.data["balance"])
    balance.move(scope, row, wanted - row.data["balance"], "adjustment", currency=row.data["currency"] or "usd")
    if "invoice_settings" in params:
        changes |= _invoice_settings(scope, row, params["invoice_settings"])
    store.change(scope, row, changes, event="customer.updated")
    return row.data


@endpoint("DELETE", "/v1/customers/{id}")
def delete(scope: Scope, params: Params, id: str) -> JSON:
    """A deleted customer can still be asked for, and answers no more than that it is deleted."""
    methods = store.query(scope, "payment_method").select_for_update().filter(customer=id)
    attached = list(methods.order_by("pk"))
    row = usable(store.lock(scope, "customer", id))
    for method in attached:
        detach_from(scope, method)
    scope.emit("customer.deleted", row.data)
    row.data = {"id": id, "object": "customer", "deleted": True}
    row.deleted = True
    row.save(update_fields=["data", "deleted"])
    return row.data


@endpoint("GET", "/v1/customers", {"email": Text()}, pages=True)
def list_(scope: Scope, params: Params) -> JSON:
    rows = store.query(scope, "customer")
    if "email" in params:
        rows = rows.filter(email=params["email"])
    return page(rows, params, "/v1/customers")


def usable(row: StoredObject) -> StoredObject:
    if row.deleted:
        raise bad_request(f"No such customer: '{row.stripe_id}'", code="resource_missing", param="customer")
    return row


def _changes(scope: Scope, old: JSON, params: Params) -> JSON:
    changes = {name: params[name] for name in PLAIN if name in params}
    if "tax_exempt" in changes:
        changes["tax_exempt"] = changes["tax_exempt"] or "none"
    if "address" in params:
        changes["address"] = _merged(old["address"], params["address"])
    if "shipping" in params:
        changes["shipping"] = _shipping(params["shipping"])
    if "metadata" in params:
        changes["metadata"] = merged_metadata(old["metadata"], params["metadata"])
    return changes


def _merged(old: JSON | None, given: Params | None) -> JSON | None:
    return None if given is None else {**parties.address(), **(old or {}), **given}


def _shipping(given: Params | None) -> JSON | None:
    if given is None:
        return None
    return {
        "address": _merged(None, given.get("address", {})),
        "carrier": None,
        "name": given.get("name"),
        "phone": given.get("phone"),
        "tracking_number": None,
    }


def _invoice_settings(scope: Scope, row: StoredObject, given: Params) -> JSON:
    if method := given.get("default_payment_method"):
        param = "invoice_settings[default_payment_method]"
        attached = store.get(scope, "payment_method", method, param=param)
        if attached.customer != row.stripe_id:
            message = (
                f"The customer does not have a payment method with the ID {method}. "
                "The payment method must be attached to the customer."
            )
            raise bad_request(message, code="resource_missing", param=param)
    return {"invoice_settings": {**row.data["invoice_settings"], **given}}
