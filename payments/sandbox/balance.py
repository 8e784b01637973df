"""A customer's balance: what it has to its credit (negative) or owes beside its invoices, and how that came about."""

from payments.sandbox import store
from payments.sandbox.models import StoredObject
from payments.sandbox.scope import JSON, Scope


def move(
    scope: Scope,
    customer: StoredObject,
    amount: int,
    kind: str,
    *,
    currency: str,
    invoice: str | None = None,
    description: str | None = None,
    metadata: JSON | None = None,
) -> StoredObject | None:
    """Change the balance of a locked customer and write down why. Nothing moves, nothing is written."""
    if not amount:
        return None
    balance = customer.data["balance"] + amount
    store.change(scope, customer, {"balance": balance}, event="customer.updated")
    data = {
        "object": "customer_balance_transaction",
        "amount": amount,
        "checkout_session": None,
        "created": scope.timestamp,
        "credit_note": None,
        "currency": currency,
        "customer": customer.stripe_id,
        "customer_account": None,
        "description": description,
        "ending_balance": balance,
        "invoice": invoice,
        "livemode": scope.livemode,
        "metadata": metadata or {},
        "type": kind,
    }
    return store.insert(scope, data)
