"""Checkout sessions in setup mode: a page of Stripe's on which a customer saves a card."""

from datetime import timedelta
from urllib.parse import urlsplit

from payments.sandbox import links, setups, store
from payments.sandbox.errors import bad_request
from payments.sandbox.ids import random_text
from payments.sandbox.models import StoredObject
from payments.sandbox.pages import page
from payments.sandbox.params import Hash, Many, Metadata, Params, Text, Whole, merged_metadata
from payments.sandbox.resources.customers import usable
from payments.sandbox.routing import endpoint
from payments.sandbox.schedule import HANDLERS
from payments.sandbox.scope import JSON, Scope, moment
from payments.sandbox.shapes import setups as shapes

SHORTEST, LONGEST = timedelta(minutes=30), timedelta(hours=24)
STATUSES = ("complete", "expired", "open")
KEPT = ("cancel_url", "client_reference_id", "currency", "customer_email", "locale", "success_url")


@endpoint(
    "POST",
    "/v1/checkout/sessions",
    {
        "mode": Text(required=True, choices=("setup",)),
        "allowed_payment_method_types": Many(of=Text()),
        "cancel_url": Text(),
        "client_reference_id": Text(longest=200),
        "currency": Text(),
        "customer": Text(),
        "customer_creation": Text(choices=("always", "if_required")),
        "customer_email": Text(longest=512),
        "expires_at": Whole(),
        "locale": Text(),
        "metadata": Metadata(),
        "setup_intent_data": Hash(fields={"description": Text(longest=1000), "metadata": Metadata()}),
        "success_url": Text(),
        "ui_mode": Text(choices=("hosted_page",)),
    },
)
def create(scope: Scope, params: Params) -> JSON:
    _check(params)
    customer = _customer(scope, params)
    id_ = f"cs_{'live' if scope.livemode else 'test'}_{random_text(58)}"
    intent = _intent(scope, params, customer, id_)
    expires_at = _expiry(scope, params)
    url = links.page(scope, "c/pay", id_)
    blank = shapes.checkout_session(id_, scope.timestamp, scope.livemode, intent.stripe_id, expires_at, url)
    fields = {name: params[name] for name in (*KEPT, "allowed_payment_method_types") if name in params}
    if customer is None:
        fields["customer_creation"] = params.get("customer_creation", "if_required")
    else:
        details = shapes.customer_details(customer.data["email"], None)
        fields |= {"customer": customer.stripe_id, "customer_details": details}
    fields["metadata"] = merged_metadata({}, params.get("metadata"))
    return store.insert(scope, {**blank, **fields}, due_at=moment(expires_at)).data


@endpoint("GET", "/v1/checkout/sessions/{id}")
def retrieve(scope: Scope, params: Params, id: str) -> JSON:
    return store.get(scope, "checkout.session", id).data


@endpoint("POST", "/v1/checkout/sessions/{id}", {"metadata": Metadata()})
def update(scope: Scope, params: Params, id: str) -> JSON:
    row = store.lock(scope, "checkout.session", id)
    if "metadata" in params:
        store.change(scope, row, {"metadata": merged_metadata(row.data["metadata"], params["metadata"])})
    return row.data


@endpoint("POST", "/v1/checkout/sessions/{id}/expire")
def expire(scope: Scope, params: Params, id: str) -> JSON:
    row = store.lock(scope, "checkout.session", id)
    if row.status != "open":
        message = f'Only Checkout Sessions with a status in ["open"] can be expired. This one\'s is {row.status}.'
        raise bad_request(message)
    end(scope, row)
    return row.data


@endpoint(
    "GET",
    "/v1/checkout/sessions",
    {
        "customer": Text(),
        "customer_details": Hash(fields={"email": Text(required=True)}),
        "status": Text(choices=STATUSES),
    },
    pages=True,
)
def list_(scope: Scope, params: Params) -> JSON:
    rows = store.query(scope, "checkout.session")
    exact: JSON = {name: params[name] for name in ("customer", "status") if name in params}
    if "customer_details" in params:
        exact["data__customer_details__email"] = params["customer_details"]["email"]
    return page(rows.filter(**exact), params, "/v1/checkout/sessions")


def end(scope: Scope, row: StoredObject) -> None:
    """Nobody can use the page any more, nor the intent behind it."""
    store.change(scope, row, {"status": "expired", "url": None}, due_at=None)
    intent = store.lock(scope, "setup_intent", row.data["setup_intent"])
    if intent.status in setups.CONFIRMABLE:
        setups.cancel(scope, intent, "abandoned")
    scope.emit("checkout.session.expired", row.data)


HANDLERS["checkout.session"] = end


def _check(params: Params) -> None:
    if not params.get("success_url"):
        message = "You must provide `success_url` when `ui_mode` is set to `hosted_page`."
        raise bad_request(message, code="parameter_missing", param="success_url")
    for name in ("success_url", "cancel_url"):
        if urlsplit(params.get(name, "https://a")).scheme not in ("http", "https"):
            raise bad_request("Not a valid URL", code="url_invalid", param=name)
    if "currency" not in params and "allowed_payment_method_types" not in params:
        message = "You must provide `currency` in `setup` mode when `allowed_payment_method_types` is not set."
        raise bad_request(message, code="parameter_missing", param="currency")
    for name in ("customer_email", "customer_creation"):
        if "customer" in params and name in params:
            raise bad_request(f"You may only specify one of these parameters: customer, {name}.", param=name)


def _customer(scope: Scope, params: Params) -> StoredObject | None:
    if "customer" not in params:
        return None
    return usable(store.get(scope, "customer", params["customer"], param="customer"))


def _intent(scope: Scope, params: Params, customer: StoredObject | None, session: str) -> StoredObject:
    data = params.get("setup_intent_data", {})
    fields: JSON = {"metadata": merged_metadata({}, data.get("metadata")), "automatic_payment_methods": None}
    if "description" in data:
        fields["description"] = data["description"]
    if customer is not None:
        fields["customer"] = customer.stripe_id
    return setups.new_intent(scope, fields, hidden={"checkout": session})


def _expiry(scope: Scope, params: Params) -> int:
    latest = int((scope.now + LONGEST).timestamp())
    expires_at: int = params.get("expires_at", latest)
    if expires_at < int((scope.now + SHORTEST).timestamp()) or expires_at > latest:
        message = (
            "The `expires_at` timestamp must be at least 30 minutes and less than 24 hours from Checkout Session "
            "creation."
        )
        raise bad_request(message, param="expires_at")
    return expires_at
