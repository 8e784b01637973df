"""Payment methods: the cards customers save. Stripe's test ids stand for cards not saved yet."""

import hashlib
from dataclasses import replace

from payments.sandbox import store
from payments.sandbox.cards import CARDS, TestCard, error_fields
from payments.sandbox.errors import StripeError, bad_request, no_such
from payments.sandbox.models import StoredObject
from payments.sandbox.pages import page
from payments.sandbox.params import ADDRESS, Hash, Metadata, Param, Params, Text, Whole, merged_metadata
from payments.sandbox.routing import endpoint
from payments.sandbox.scope import JSON, Scope
from payments.sandbox.shapes import parties

BILLING: Param = Hash(
    fields={
        "address": Hash(unset=True, fields=ADDRESS),
        **{name: Text(unset=True) for name in ("email", "name", "phone")},
    }
)
UPDATABLE: dict[str, Param] = {
    "billing_details": BILLING,
    "card": Hash(fields={"exp_month": Whole(least=1, most=12), "exp_year": Whole(least=1970)}),
    "metadata": Metadata(),
    "allow_redisplay": Text(choices=("always", "limited", "unspecified")),
}


@endpoint("GET", "/v1/payment_methods/{id}")
def retrieve(scope: Scope, params: Params, id: str) -> JSON:
    return store.get(scope, "payment_method", id).data


@endpoint("GET", "/v1/payment_methods", {"customer": Text(), "type": Text()}, pages=True)
def list_(scope: Scope, params: Params) -> JSON:
    return _attached(scope, params, params.get("customer"), "/v1/payment_methods")


@endpoint("GET", "/v1/customers/{customer}/payment_methods", {"type": Text()}, pages=True)
def list_of_customer(scope: Scope, params: Params, customer: str) -> JSON:
    store.get(scope, "customer", customer)
    return _attached(scope, params, customer, f"/v1/customers/{customer}/payment_methods")


@endpoint("GET", "/v1/customers/{customer}/payment_methods/{id}")
def retrieve_of_customer(scope: Scope, params: Params, customer: str, id: str) -> JSON:
    row = store.get(scope, "payment_method", id)
    if row.customer != customer:
        raise no_such("payment_method", id)
    return row.data


@endpoint("POST", "/v1/payment_methods/{id}", UPDATABLE)
def update(scope: Scope, params: Params, id: str) -> JSON:
    row = store.lock(scope, "payment_method", id)
    if not row.customer:
        raise bad_request("You must save this PaymentMethod to a customer before you can update it.")
    changes: JSON = {name: params[name] for name in ("allow_redisplay",) if name in params}
    if "metadata" in params:
        changes["metadata"] = merged_metadata(row.data["metadata"], params["metadata"])
    if "card" in params:
        changes["card"] = {**row.data["card"], **params["card"]}
    if "billing_details" in params:
        changes["billing_details"] = {**row.data["billing_details"], **_billing(params["billing_details"])}
    store.change(scope, row, changes, event="payment_method.updated")
    return row.data


@endpoint("POST", "/v1/payment_methods/{id}/attach", {"customer": Text(required=True)})
def attach(scope: Scope, params: Params, id: str) -> JSON:
    customer = store.get(scope, "customer", params["customer"], param="customer")
    if customer.deleted:
        raise no_such("customer", params["customer"], param="customer")
    return attach_to(scope, customer, id).data


@endpoint("POST", "/v1/payment_methods/{id}/detach")
def detach(scope: Scope, params: Params, id: str) -> JSON:
    row = store.lock(scope, "payment_method", id)
    if not row.customer:
        raise bad_request("The payment method you provided is not attached to a customer so detachment is impossible.")
    customer = store.lock(scope, "customer", row.customer)
    detach_from(scope, row)
    settings = customer.data["invoice_settings"]
    if settings["default_payment_method"] == id:
        unset = {"invoice_settings": {**settings, "default_payment_method": None}}
        store.change(scope, customer, unset, event="customer.updated")
    return row.data


def attach_to(scope: Scope, customer: StoredObject, id_: str, *, param: str = "id") -> StoredObject:
    """Save a method to a customer; a test id becomes a new method first. A card may be refused here."""
    row = new_from_test_id(scope, id_) or store.lock(scope, "payment_method", id_, param=param)
    if row.customer and row.customer != customer.stripe_id:
        raise bad_request(
            "The payment method you provided has already been attached to a customer.",
            code="payment_method_unexpected_state",
        )
    if row.hidden.get("detached"):
        raise bad_request(
            "The payment method you provided was detached from a customer and can't be used again. Create a new one.",
            code="payment_method_unexpected_state",
        )
    if decline := card_of(row).declines_attach:
        fields = error_fields(decline)
        raise StripeError(402, fields.pop("message"), **fields)
    if row.customer != customer.stripe_id:
        store.change(scope, row, {"customer": customer.stripe_id})
        scope.emit("payment_method.attached", row.data)
    return row


def detach_from(scope: Scope, row: StoredObject) -> None:
    previous = store.change(scope, row, {"customer": None}, hidden={"detached": True})
    scope.emit("payment_method.detached", row.data, previous)


def new_from_test_id(scope: Scope, id_: str) -> StoredObject | None:
    """``pm_card_visa`` and its like are templates: every use makes a payment method of its own."""
    card = CARDS.get(id_)
    if card is None or scope.livemode:
        return None
    fingerprint = hashlib.sha256(f"{card.brand}{card.last4}".encode()).hexdigest()[:16]
    year = scope.now.year + 1
    shape = parties.card(card.brand, card.last4, scope.now.month, year, fingerprint)
    data = parties.payment_method(scope.timestamp, scope.livemode, shape)
    return store.insert(scope, data, hidden={"test_id": id_})


def card_of(row: StoredObject) -> TestCard:
    card = CARDS[row.hidden["test_id"]]
    freed = card.setup_frees and row.hidden.get("set_up")
    return replace(card, authentication=False) if freed else card


def _attached(scope: Scope, params: Params, customer: str | None, url: str) -> JSON:
    rows = store.query(scope, "payment_method").filter(customer=customer or "")
    if "type" in params:
        rows = rows.filter(type=params["type"])
    return page(rows, params, url)


def _billing(given: Params) -> JSON:
    if given.get("address") is None:
        return given
    return {**given, "address": {**parties.address(), **given["address"]}}
