"""Refunds. Some test cards make them pending or fail later, an hour on the account's clock."""

from datetime import timedelta

from payments.sandbox import store
from payments.sandbox.cards import CARDS
from payments.sandbox.errors import bad_request
from payments.sandbox.models import StoredObject
from payments.sandbox.pages import page
from payments.sandbox.params import Metadata, Params, Text, Whole, merged_metadata
from payments.sandbox.routing import endpoint
from payments.sandbox.schedule import HANDLERS
from payments.sandbox.scope import JSON, Scope
from payments.sandbox.shapes import money

REASONS = ("duplicate", "fraudulent", "requested_by_customer")
DELAY = timedelta(hours=1)


@endpoint(
    "POST",
    "/v1/refunds",
    {
        "amount": Whole(least=1),
        "charge": Text(),
        "metadata": Metadata(),
        "payment_intent": Text(),
        "reason": Text(choices=REASONS),
    },
)
def create(scope: Scope, params: Params) -> JSON:
    return give_back(scope, _charge(scope, params), params)


def give_back(scope: Scope, charge: StoredObject, params: Params) -> JSON:
    """Of a locked charge."""
    amount = _amount(charge.data, params.get("amount"))
    fate = _fate(scope, charge)
    data = {
        **money.refund(scope.timestamp, charge.data, amount),
        "metadata": merged_metadata({}, params.get("metadata")),
        "reason": params.get("reason"),
        "status": "pending" if fate == "pending" else "succeeded",
    }
    due = None if fate == "succeeded" else scope.now + DELAY
    row = store.insert(scope, data, event="refund.created", hidden={"fate": fate}, due_at=due)
    _take_from(scope, charge, amount)
    return row.data


@endpoint("GET", "/v1/refunds/{id}")
def retrieve(scope: Scope, params: Params, id: str) -> JSON:
    return store.get(scope, "refund", id).data


@endpoint("GET", "/v1/refunds", {"charge": Text(), "payment_intent": Text()}, pages=True)
def list_(scope: Scope, params: Params) -> JSON:
    rows = store.query(scope, "refund")
    for name in ("charge", "payment_intent"):
        if name in params:
            rows = rows.filter(**{name: params[name]})
    return page(rows, params, "/v1/refunds")


def _charge(scope: Scope, params: Params) -> StoredObject:
    if ("charge" in params) == ("payment_intent" in params):
        raise bad_request("You must provide exactly one of charge or payment_intent.")
    if "charge" in params:
        return store.lock(scope, "charge", params["charge"], param="charge")
    intent = store.lock(scope, "payment_intent", params["payment_intent"], param="payment_intent")
    if intent.status != "succeeded":
        message = f"This PaymentIntent ({intent.stripe_id}) does not have a successful charge to refund."
        raise bad_request(message, param="payment_intent")
    return store.lock(scope, "charge", intent.data["latest_charge"])


def _amount(charge: JSON, given: int | None) -> int:
    if charge["status"] != "succeeded":
        raise bad_request(f"Charge {charge['id']} did not succeed and can't be refunded.", param="charge")
    left: int = charge["amount"] - charge["amount_refunded"]
    if left == 0:
        raise bad_request(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    if given is not None and given > left:
        message = f"Refund amount ({given}) is greater than unrefunded amount on charge ({left})"
        raise bad_request(message, param="amount")
    return left if given is None else given


def _fate(scope: Scope, charge: StoredObject) -> str:
    method = store.find(scope, "payment_method", charge.data["payment_method"])
    return CARDS[method.hidden["test_id"]].refund if method else "succeeded"


def _take_from(scope: Scope, charge: StoredObject, amount: int) -> None:
    refunded = charge.data["amount_refunded"] + amount
    fields = {"amount_refunded": refunded, "refunded": refunded == charge.data["amount"]}
    previous = store.change(scope, charge, fields)
    if amount > 0:
        scope.emit("charge.refunded", charge.data, previous)


def settle(scope: Scope, row: StoredObject) -> None:
    """A pending refund arrives; one that had to fail gives the money back."""
    if row.hidden["fate"] == "pending":
        previous = store.change(scope, row, {"status": "succeeded"}, due_at=None)
        scope.emit("refund.updated", row.data, previous)
        return
    changes = {"status": "failed", "failure_reason": "unknown"}
    store.change(scope, row, changes, due_at=None)
    scope.emit("refund.failed", row.data)
    _take_from(scope, store.lock(scope, "charge", row.data["charge"]), -row.data["amount"])


HANDLERS["refund"] = settle
