"""Setup intents: payment methods saved for later."""

from payments.sandbox import setups, store
from payments.sandbox.errors import StripeError, bad_request
from payments.sandbox.models import StoredObject
from payments.sandbox.pages import page
from payments.sandbox.params import Flag, Hash, Many, Metadata, Param, Params, Text, merged_metadata
from payments.sandbox.resources.customers import usable
from payments.sandbox.resources.payment_methods import new_from_test_id
from payments.sandbox.routing import endpoint
from payments.sandbox.scope import JSON, Scope

REASONS = ("abandoned", "duplicate", "requested_by_customer")
BOTH: dict[str, Param] = {
    "customer": Text(),
    "description": Text(longest=1000, unset=True),
    "metadata": Metadata(),
    "payment_method": Text(unset=True),
}


@endpoint(
    "POST",
    "/v1/setup_intents",
    {
        **BOTH,
        "allowed_payment_method_types": Many(of=Text()),
        "automatic_payment_methods": Hash(
            fields={"enabled": Flag(required=True), "allow_redirects": Text(choices=("always", "never"))}
        ),
        "confirm": Flag(),
        "return_url": Text(),
        "usage": Text(choices=("off_session", "on_session")),
        "use_stripe_sdk": Flag(),
    },
)
def create(scope: Scope, params: Params) -> JSON | StripeError:
    if "return_url" in params and not params.get("confirm"):
        message = (
            "The parameter `return_url` cannot be passed when creating a SetupIntent unless `confirm` is set to true."
        )
        raise bad_request(message, param="return_url")
    given = ("allowed_payment_method_types", "automatic_payment_methods", "usage")
    fields = {name: params[name] for name in given if name in params}
    fields["metadata"] = merged_metadata({}, params.get("metadata"))
    intent = setups.new_intent(scope, {**fields, **_parties(scope, params, None)})
    if not params.get("confirm"):
        return intent.data
    return _confirm(scope, intent, params)


@endpoint("GET", "/v1/setup_intents/{id}", {"client_secret": Text()})
def retrieve(scope: Scope, params: Params, id: str) -> JSON:
    row = store.get(scope, "setup_intent", id)
    if params.get("client_secret", row.data["client_secret"]) != row.data["client_secret"]:
        raise bad_request("The client_secret provided does not match the SetupIntent.", param="client_secret")
    return row.data


@endpoint("POST", "/v1/setup_intents/{id}", BOTH)
def update(scope: Scope, params: Params, id: str) -> JSON:
    intent = store.lock(scope, "setup_intent", id)
    if intent.status not in setups.CONFIRMABLE:
        raise _unexpected_state(intent, "updated")
    changes = _parties(scope, params, intent.data["customer"])
    if "metadata" in params:
        changes["metadata"] = merged_metadata(intent.data["metadata"], params["metadata"])
    store.change(scope, intent, changes)
    return intent.data


@endpoint(
    "POST",
    "/v1/setup_intents/{id}/confirm",
    {"payment_method": Text(), "return_url": Text(), "use_stripe_sdk": Flag()},
)
def confirm(scope: Scope, params: Params, id: str) -> JSON | StripeError:
    intent = store.lock(scope, "setup_intent", id)
    if intent.status not in setups.CONFIRMABLE:
        raise _unexpected_state(intent, "confirmed")
    if "payment_method" in params:
        store.change(scope, intent, _parties(scope, params, intent.data["customer"]))
    return _confirm(scope, intent, params)


@endpoint("POST", "/v1/setup_intents/{id}/cancel", {"cancellation_reason": Text(choices=REASONS)})
def cancel(scope: Scope, params: Params, id: str) -> JSON:
    intent = store.lock(scope, "setup_intent", id)
    if intent.hidden.get("checkout"):
        message = "You cannot cancel a SetupIntent that belongs to a Checkout Session. Expire the session instead."
        raise bad_request(message, code="setup_intent_unexpected_state")
    if intent.status not in setups.CONFIRMABLE:
        raise _unexpected_state(intent, "canceled")
    setups.cancel(scope, intent, params.get("cancellation_reason"))
    return intent.data


@endpoint("GET", "/v1/setup_intents", {"customer": Text(), "payment_method": Text()}, pages=True)
def list_(scope: Scope, params: Params) -> JSON:
    rows = store.query(scope, "setup_intent")
    if "customer" in params:
        rows = rows.filter(customer=params["customer"])
    if "payment_method" in params:
        rows = rows.filter(data__payment_method=params["payment_method"])
    return page(rows, params, "/v1/setup_intents")


def _parties(scope: Scope, params: Params, owner: str | None) -> JSON:
    """The customer, the method and the description, each checked."""
    fields: JSON = {}
    if "customer" in params:
        row = store.get(scope, "customer", params["customer"], param="customer")
        fields["customer"] = owner = usable(row).stripe_id
    if "description" in params:
        fields["description"] = params["description"]
    if method := params.get("payment_method"):
        fields |= {"payment_method": _method(scope, method, owner).stripe_id, "status": "requires_confirmation"}
    return fields


def _method(scope: Scope, id_: str, owner: str | None) -> StoredObject:
    if fresh := new_from_test_id(scope, id_):
        return fresh
    row = store.get(scope, "payment_method", id_, param="payment_method")
    if row.customer and row.customer != owner:
        message = (
            f"The provided PaymentMethod ({id_}) belongs to another customer, or no customer was given. "
            "Pass the customer it is attached to."
        )
        raise bad_request(message, param="payment_method")
    if row.hidden.get("detached"):
        raise bad_request("The provided PaymentMethod was detached and can't be used again.", param="payment_method")
    return row


def _confirm(scope: Scope, intent: StoredObject, params: Params) -> JSON | StripeError:
    if not intent.data["payment_method"]:
        message = (
            "You cannot confirm this SetupIntent because it's missing a payment method. Update the SetupIntent "
            "with a payment method and then confirm it again."
        )
        raise bad_request(message, code="setup_intent_unexpected_state")
    method = store.lock(scope, "payment_method", intent.data["payment_method"])
    error = setups.confirm(scope, intent, method, return_url=params.get("return_url"))
    return error or intent.data


def _unexpected_state(intent: StoredObject, verb: str) -> StripeError:
    return StripeError(
        400,
        f"This SetupIntent's status is {intent.status}; it could not be {verb}.",
        code="setup_intent_unexpected_state",
        setup_intent=intent.data,
    )
