"""Are our customers still there in Stripe, with the payment methods we know?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from invoicing.gateways import GatewayRejected
from payments.reconcile.findings import Findings, Found, Kind
from payments.reconcile.look import customer_news
from payments.stripe import mapping, methods
from payments.stripe.client import AccountClient
from payments.stripe.models import StripeCustomer

JSON = dict[str, Any]


def compare_customers(client: AccountClient, rows: Sequence[StripeCustomer]) -> Findings:
    """``rows`` come with their payment methods. Each costs two calls."""
    result = Findings(objects=len(rows), looked=[row.external_id for row in rows])
    for row in rows:
        found = _one(client, row)
        result.found += [found] if found else []
    return result


def _one(client: AccountClient, row: StripeCustomer) -> Found | None:
    try:
        customer = client.retrieve_customer(row.external_id)
    except GatewayRejected as error:
        if error.code != "resource_missing":
            raise
        advice = "Link the customer of this account under Integrations -> Payments."
        return _found(Kind.CUSTOMER_DELETED, row, "Linked", "Not in this account", advice=advice)
    if customer.get("deleted"):
        return _found(Kind.CUSTOMER_DELETED, row, "Linked", "Deleted")
    attached = client.list_payment_methods(row.external_id)
    return _methods(row, attached, methods.default_of(customer))


def _methods(row: StripeCustomer, attached: Sequence[JSON], default: str) -> Found | None:
    ours = {m.external_id: (str(m), m.is_default) for m in row.payment_methods.all()}
    theirs = {m["id"]: (mapping.method_words(m), m["id"] == default) for m in attached}
    if {pk: chosen for pk, (_, chosen) in ours.items()} == {pk: chosen for pk, (_, chosen) in theirs.items()}:
        return None
    return _found(Kind.METHODS, row, _words(ours), _words(theirs))


def _words(kept: Mapping[str, tuple[str, bool]]) -> str:
    named = sorted(f"{words} (default)" if chosen else words for words, chosen in kept.values())
    return ", ".join(named) or "No payment method"


def _found(kind: Kind, row: StripeCustomer, ours: str, theirs: str, *, advice: str = "") -> Found:
    look = {} if advice else customer_news(row.external_id)
    return Found(kind, row.external_id, ours, theirs, look=look, advice=advice, customer_id=row.customer_id)
