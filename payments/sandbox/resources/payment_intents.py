"""Payment intents: money collected without an invoice, and the intents that invoices bring along."""

from payments.sandbox import charging, collect, store
from payments.sandbox.errors import StripeError, bad_request
from payments.sandbox.invoice_life import minimum
from payments.sandbox.models import StoredObject
from payments.sandbox.pages import page
from payments.sandbox.params import Either, Flag, Hash, Many, Metadata, Params, Text, Whole, merged_metadata
from payments.sandbox.resources.payment_methods import new_from_test_id
from payments.sandbox.routing import endpoint
from payments.sandbox.scope import JSON, Scope

MOST = 99_999_999
CAPTURE = ("automatic", "automatic_async", "manual")
CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
REASONS = ("abandoned", "duplicate", "fraudulent", "requested_by_customer")
OFF_SESSION = Either(kinds=(Flag(), Text(choices=("one_off", "recurring"))))


@endpoint(
    "POST",
    "/v1/payment_intents",
    {
        "amount": Whole(required=True, least=1, most=MOST),
        "currency": Text(required=True),
        "allowed_payment_method_types": Many(of=Text()),
        "automatic_payment_methods": Hash(
            fields={"enabled": Flag(required=True), "allow_redirects": Text(choices=("always", "never"))}
        ),
        "capture_method": Text(choices=CAPTURE),
        "confirm": Flag(),
        "customer": Text(),
        "description": Text(longest=1000),
        "error_on_requires_action": Flag(),
        "metadata": Metadata(),
        "off_session": OFF_SESSION,
        "payment_method": Text(),
        "receipt_email": Text(),
        "return_url": Text(),
        "setup_future_usage": Text(choices=("off_session", "on_session")),
        "statement_descriptor": Text(longest=22),
        "statement_descriptor_suffix": Text(longest=22),
    },
)
def create(scope: Scope, params: Params) -> JSON | StripeError:
    _check_confirmation(params)
    _check_amount(params["amount"], params["currency"].lower())
    method = _method(scope, params.get("payment_method"), params.get("customer"))
    intent = charging.new_intent(scope, params["amount"], params["currency"].lower(), _fields(scope, params, method))
    if not params.get("confirm"):
        return intent.data
    return _confirm(scope, intent, method, params)


@endpoint("GET", "/v1/payment_intents/{id}", {"client_secret": Text()})
def retrieve(scope: Scope, params: Params, id: str) -> JSON:
    return store.get(scope, "payment_intent", id).data


@endpoint("POST", "/v1/payment_intents/{id}", {"metadata": Metadata(), "description": Text(unset=True)})
def update(scope: Scope, params: Params, id: str) -> JSON:
    row = store.lock(scope, "payment_intent", id)
    changes = {name: params[name] for name in ("description",) if name in params}
    if "metadata" in params:
        changes["metadata"] = merged_metadata(row.data["metadata"], params["metadata"])
    store.change(scope, row, changes)
    return row.data


@endpoint(
    "POST",
    "/v1/payment_intents/{id}/confirm",
    {"payment_method": Text(), "off_session": OFF_SESSION, "error_on_requires_action": Flag(), "return_url": Text()},
)
def confirm(scope: Scope, params: Params, id: str) -> JSON | StripeError:
    found = store.get(scope, "payment_intent", id)
    # The invoice is locked before its intent, as everywhere.
    invoice = found.hidden.get("invoice")
    invoice_row = store.lock(scope, "invoice", invoice) if invoice else None
    intent = store.lock(scope, "payment_intent", id)
    if intent.status not in CONFIRMABLE:
        raise _unexpected_state(intent, "confirmed")
    method = _method(scope, params.get("payment_method") or intent.data["payment_method"], intent.customer)
    if invoice_row is None:
        return _confirm(scope, intent, method, params)
    error = collect.attempt(scope, invoice_row, method)
    return error or store.get(scope, "payment_intent", id).data


@endpoint(
    "POST",
    "/v1/payment_intents/{id}/capture",
    {"amount_to_capture": Whole(least=1), "metadata": Metadata(), "statement_descriptor": Text(longest=22)},
)
def capture(scope: Scope, params: Params, id: str) -> JSON:
    """Take what was held, or part of it; the rest is let go."""
    intent = store.lock(scope, "payment_intent", id)
    if intent.status != "requires_capture":
        raise _unexpected_state(intent, "captured")
    amount: int = params.get("amount_to_capture") or intent.data["amount_capturable"]
    if amount > intent.data["amount_capturable"]:
        raise bad_request(
            f"The payment could not be captured because the requested capture amount is greater than the amount you "
            f"can capture for this charge ({intent.data['amount_capturable']}).",
            code="amount_too_large",
            param="amount_to_capture",
        )
    changes = {"metadata": merged_metadata(intent.data["metadata"], params["metadata"])} if "metadata" in params else {}
    charging.capture(scope, intent, amount, changes)
    return intent.data


@endpoint("POST", "/v1/payment_intents/{id}/cancel", {"cancellation_reason": Text(choices=REASONS)})
def cancel(scope: Scope, params: Params, id: str) -> JSON:
    intent = store.lock(scope, "payment_intent", id)
    if intent.hidden.get("invoice"):
        raise bad_request("You cannot cancel a PaymentIntent that was created by an invoice. Void the invoice instead.")
    if intent.status not in (*CONFIRMABLE, "requires_capture"):
        raise _unexpected_state(intent, "canceled")
    if intent.status == "requires_capture":
        charging.let_go(scope, intent)
    charging.cancel(scope, intent, params.get("cancellation_reason"))
    return intent.data


@endpoint("GET", "/v1/payment_intents", {"customer": Text()}, pages=True)
def list_(scope: Scope, params: Params) -> JSON:
    rows = store.query(scope, "payment_intent")
    if "customer" in params:
        rows = rows.filter(customer=params["customer"])
    return page(rows, params, "/v1/payment_intents")


def _check_amount(amount: int, currency: str) -> None:
    if amount < minimum(currency):
        raise bad_request(
            f"Amount must be at least {minimum(currency)} in the smallest unit of {currency}.",
            code="amount_too_small",
            param="amount",
        )


def _check_confirmation(params: Params) -> None:
    for name in ("off_session", "error_on_requires_action"):
        if params.get(name) and not params.get("confirm"):
            raise bad_request(f"`{name}` can only be set when `confirm` is true.", param=name)
    if params.get("confirm") and "payment_method" not in params:
        raise bad_request(
            "You cannot confirm this PaymentIntent because it's missing a payment method. Provide one with "
            "`payment_method`.",
            code="payment_intent_unexpected_state",
        )


def _fields(scope: Scope, params: Params, method: StoredObject | None) -> JSON:
    given = (
        "capture_method",
        "description",
        "receipt_email",
        "setup_future_usage",
        "statement_descriptor",
        "statement_descriptor_suffix",
        "allowed_payment_method_types",
    )
    fields = {name: params[name] for name in given if name in params}
    if "customer" in params:
        fields["customer"] = store.get(scope, "customer", params["customer"], param="customer").stripe_id
    if method:
        fields |= {"payment_method": method.stripe_id, "status": "requires_confirmation"}
    return {**fields, "metadata": merged_metadata({}, params.get("metadata"))}


def _method(scope: Scope, id_: str | None, customer: str | None) -> StoredObject | None:
    if not id_:
        return None
    if fresh := new_from_test_id(scope, id_):
        return fresh
    row = store.get(scope, "payment_method", id_, param="payment_method")
    if row.customer and row.customer != customer:
        raise bad_request(
            f"The provided PaymentMethod ({id_}) belongs to another customer, or no customer was given. "
            "Pass the customer it is attached to.",
            param="payment_method",
        )
    if row.hidden.get("detached"):
        raise bad_request("The provided PaymentMethod was detached and can't be used again.", param="payment_method")
    return row


def _confirm(scope: Scope, intent: StoredObject, method: StoredObject | None, params: Params) -> JSON | StripeError:
    if method is None:
        raise _unexpected_state(intent, "confirmed")
    off_session = bool(params.get("off_session") or params.get("error_on_requires_action"))
    error = charging.charge(scope, intent, method, off_session=off_session)
    return error or intent.data


def _unexpected_state(intent: StoredObject, verb: str) -> StripeError:
    return StripeError(
        400,
        f"This PaymentIntent's status is {intent.status}; it could not be {verb}.",
        code="payment_intent_unexpected_state",
        payment_intent=intent.data,
    )
