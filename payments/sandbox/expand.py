"""``expand[]``: replaces ids by the objects they name, a whole page at a time."""

from collections.abc import Callable, Iterable
from typing import Any

from payments.sandbox.errors import bad_request
from payments.sandbox.pages import as_list
from payments.sandbox.scope import JSON, Scope
from payments.sandbox.store import query

DEEPEST = 4

# Property of an object -> the kind of object whose id it holds.
REFERENCES: dict[str, dict[str, str]] = {
    "customer": {
        "invoice_settings.default_payment_method": "payment_method",
        "test_clock": "test_helpers.test_clock",
    },
    "payment_method": {"customer": "customer"},
    "invoice": {
        "customer": "customer",
        "test_clock": "test_helpers.test_clock",
        "default_payment_method": "payment_method",
    },
    "invoice_payment": {
        "invoice": "invoice",
        "payment.payment_intent": "payment_intent",
        "payment.charge": "charge",
    },
    "payment_intent": {
        "customer": "customer",
        "payment_method": "payment_method",
        "latest_charge": "charge",
    },
    "setup_intent": {"customer": "customer", "payment_method": "payment_method"},
    "checkout.session": {"customer": "customer", "setup_intent": "setup_intent"},
    "charge": {"customer": "customer", "payment_intent": "payment_intent"},
    "dispute": {"charge": "charge", "payment_intent": "payment_intent"},
    "credit_note": {
        "customer": "customer",
        "customer_balance_transaction": "customer_balance_transaction",
        "invoice": "invoice",
    },
    "refund": {
        "charge": "charge",
        "payment_intent": "payment_intent",
        "customer": "customer",
        "payment_method": "payment_method",
    },
}
# References the sandbox never fills: expanding them leaves null.
EMPTY: dict[str, set[str]] = {
    "customer": {"default_source"},
    "invoice": {"application", "default_source", "on_behalf_of", "latest_revision"},
    "payment_intent": {"application", "on_behalf_of", "review", "source"},
    "setup_intent": {"application", "latest_attempt", "mandate", "on_behalf_of", "single_use_mandate"},
    "checkout.session": {"invoice", "payment_intent", "payment_link", "subscription"},
    "billing_portal.session": {"configuration"},
    "charge": {"application", "application_fee", "balance_transaction", "on_behalf_of", "review", "transfer"},
    "refund": {"balance_transaction", "transfer_reversal", "failure_balance_transaction"},
}


def expand(scope: Scope, body: JSON, paths: Iterable[str]) -> JSON:
    """``body`` with each path's ids replaced; the stored objects stay as they are."""
    body = _copy(body)
    for path in paths:
        segments = path.split(".")
        if len(segments) > DEEPEST:
            raise bad_request(f"You cannot expand more than {DEEPEST} levels of a property: {path}", param="expand")
        _expand_in(scope, [body], segments, path)
    return body


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_copy(child) for child in value]
    return value


def _expand_in(scope: Scope, parents: list[JSON], segments: list[str], path: str) -> None:
    if not parents or not segments:
        return
    kind = parents[0].get("object", "")
    if kind == "list":
        if segments[0] != "data":
            raise _refusal(path)
        rows = [row for parent in parents for row in parent["data"]]
        _expand_in(scope, rows, segments[1:], path)
        return
    name, rest = _property(kind, segments, path)
    _expand_in(scope, _filled(scope, kind, name, parents), rest, path)


def _property(kind: str, segments: list[str], path: str) -> tuple[str, list[str]]:
    """The longest leading part of the path that names something expandable."""
    known = {*REFERENCES.get(kind, ()), *EMPTY.get(kind, ()), *(name for k, name in COMPUTED if k == kind)}
    for length in (2, 1):
        name = ".".join(segments[:length])
        if name in known:
            return name, segments[length:]
    raise _refusal(path)


def _refusal(path: str) -> Exception:
    return bad_request(f"This property cannot be expanded ({path}).", param="expand")


def _filled(scope: Scope, kind: str, name: str, parents: list[JSON]) -> list[JSON]:
    """Put the objects in place; returns those that were found, for the rest of the path."""
    if name in EMPTY.get(kind, ()):
        return []
    if (kind, name) in COMPUTED:
        return COMPUTED[kind, name](scope, parents)
    holders = [(_holder(parent, name), name.rsplit(".", 1)[-1]) for parent in parents]
    wanted = {holder[key] for holder, key in holders if holder and isinstance(holder.get(key), str)}
    found = _load(scope, REFERENCES[kind][name], wanted)
    for holder, key in holders:
        if holder and isinstance(holder.get(key), str) and holder[key] in found:
            holder[key] = _copy(found[holder[key]])
    return [holder[key] for holder, key in holders if holder and isinstance(holder.get(key), dict)]


def _holder(parent: JSON, name: str) -> JSON | None:
    for segment in name.split(".")[:-1]:
        child = parent.get(segment)
        if not isinstance(child, dict):
            return None
        parent = child
    return parent


def _load(scope: Scope, kind: str, ids: set[str]) -> dict[str, JSON]:
    return {row.stripe_id: row.data for row in query(scope, kind).filter(stripe_id__in=ids)} if ids else {}


def _invoice_payments(scope: Scope, parents: list[JSON]) -> list[JSON]:
    rows: dict[str, list[JSON]] = {}
    ids = [parent["id"] for parent in parents]
    for row in query(scope, "invoice_payment").filter(invoice__in=ids).order_by("-pk"):
        rows.setdefault(row.invoice, []).append(_copy(row.data))
    for parent in parents:
        url = f"/v1/invoice_payments?invoice={parent['id']}"
        parent["payments"] = as_list(rows.get(parent["id"], []), url)
    return [parent["payments"] for parent in parents]


def _confirmation_secret(scope: Scope, parents: list[JSON]) -> list[JSON]:
    ids = [parent["id"] for parent in parents]
    payments = query(scope, "invoice_payment").filter(invoice__in=ids, data__is_default=True)
    intents = {row.invoice: row.payment_intent for row in payments}
    secrets = _load(scope, "payment_intent", set(intents.values()))
    for parent in parents:
        intent = secrets.get(intents.get(parent["id"], ""))
        parent["confirmation_secret"] = intent and {
            "client_secret": intent["client_secret"],
            "type": "payment_intent",
        }
    return []


def _refunds(scope: Scope, parents: list[JSON]) -> list[JSON]:
    rows: dict[str, list[JSON]] = {}
    for row in query(scope, "refund").filter(charge__in=[parent["id"] for parent in parents]).order_by("-pk"):
        rows.setdefault(row.charge, []).append(_copy(row.data))
    for parent in parents:
        parent["refunds"] = as_list(rows.get(parent["id"], []), f"/v1/charges/{parent['id']}/refunds")
    return [parent["refunds"] for parent in parents]


def _sources(scope: Scope, parents: list[JSON]) -> list[JSON]:
    rows: dict[str, list[JSON]] = {}
    for row in query(scope, "bank_account").filter(customer__in=[parent["id"] for parent in parents]).order_by("-pk"):
        rows.setdefault(row.customer, []).append(_copy(row.data))
    for parent in parents:
        parent["sources"] = as_list(rows.get(parent["id"], []), f"/v1/customers/{parent['id']}/sources")
    return [parent["sources"] for parent in parents]


def _empty_list(name: str) -> Callable[[Scope, list[JSON]], list[JSON]]:
    def fill(scope: Scope, parents: list[JSON]) -> list[JSON]:
        for parent in parents:
            parent[name] = as_list([], f"/v1/customers/{parent['id']}/{name}")
        return []

    return fill


# Properties that exist only when asked for.
COMPUTED: dict[tuple[str, str], Callable[[Scope, list[JSON]], list[JSON]]] = {
    ("invoice", "payments"): _invoice_payments,
    ("invoice", "confirmation_secret"): _confirmation_secret,
    ("charge", "refunds"): _refunds,
    ("customer", "sources"): _sources,
    **{("customer", name): _empty_list(name) for name in ("subscriptions", "tax_ids")},
}
