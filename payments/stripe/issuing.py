"""How is a Stripe invoice made? Three calls for 1 to 250 lines, a fourth where it is sent or paid at once.

1. create, as a draft that cannot advance by itself, with the customer expanded;
2. add_lines, after which total and currency are compared with ours;
3. let it go: turn auto_advance on, or finalize, or (draft mode) nothing;
4. when finalized at once: pay it, or send it.

Every step has an idempotency key of its own or is guarded by the invoice's state, so the whole may be
run again after a crash at any point. What fails before step 3 leaves no draft behind.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Protocol

from django.utils import timezone

from customers.money import format_money
from invoicing.gateways import (
    Advance,
    Collection,
    GatewayInvoice,
    GatewayPayment,
    GatewayRejected,
    InvoiceOrder,
    OrderLine,
)
from payments.stripe import mapping
from payments.stripe.client import AccountClient

MOST_LINES = 250
MEMO_LENGTH = 1500
LINE_LENGTH = 5000

NO_EMAIL = "The Stripe customer has no e-mail address. Add one in Stripe or on the customer, then retry."
NO_CUSTOMER = "The Stripe customer {customer} no longer exists in Stripe. Generate or link another one under {where}."
WHERE = "Integrations -> Payments"
NO_METHOD_NOTE = "The customer has no usable payment method in Stripe, so the invoice is sent instead of charged."

EXPAND = ["customer", "customer.invoice_settings.default_payment_method"]

JSON = dict[str, Any]


class KnownMethod(Protocol):
    """A payment method that is attached to the customer, as last seen."""

    external_id: str

    def is_expired(self, today: date) -> bool: ...


@dataclass(frozen=True)
class Issue:
    """One invoice to be made: for whom, under which key, and what is known beforehand."""

    client: AccountClient
    order: InvoiceOrder
    customer: str
    key: str
    today: date
    known_methods: Sequence[KnownMethod]

    @property
    def charges(self) -> bool:
        return self.order.collection == Collection.CHARGE_AUTOMATICALLY

    @property
    def at_once(self) -> bool:
        return self.order.advance == Advance.AT_ONCE

    def step(self, name: str) -> str:
        return f"{self.key}-{name}"


@dataclass(frozen=True)
class Plan:
    """How step 3 lets the invoice go. ``method`` is paid with although it is not the customer's default."""

    collection: str
    method: str = ""
    note: str = ""


def make(issue: Issue, earlier: JSON | None, remember: Callable[[str], None]) -> GatewayInvoice:
    """``earlier`` is the invoice that a former, interrupted run of the same order left at Stripe."""
    draft = earlier or _create(issue)
    remember(draft["id"])
    if draft["status"] != "draft":
        return fetch(issue.client, draft["id"])
    try:
        customer = _billable_customer(draft)
        draft = _with_lines(issue, draft)
    except GatewayRejected:
        discard(issue.client, draft["id"])
        raise
    return _let_go(issue, draft, customer)


# 1. The draft


def _create(issue: Issue) -> JSON:
    try:
        return issue.client.create_invoice(create_params(issue.order, issue.customer), key=issue.step("create"))
    except GatewayRejected as error:
        raise _plainer(error, issue.customer) from error


def create_params(order: InvoiceOrder, customer: str) -> JSON:
    params: JSON = {
        "customer": customer,
        "currency": order.currency.lower(),
        "auto_advance": False,
        "pending_invoice_items_behavior": "exclude",
        "collection_method": mapping.collection_method(order.collection),
        "metadata": {"portal_invoice": order.invoice_uuid, "portal_number": order.number},
        "expand": EXPAND,
    }
    if order.collection == Collection.SEND_INVOICE:
        params["days_until_due"] = order.days_until_due
    if order.memo:
        params["description"] = order.memo[:MEMO_LENGTH]
    return params


def _plainer(error: GatewayRejected, customer: str) -> GatewayRejected:
    """Stripe's own refusals of a customer, in the words used when we notice first."""
    if error.code == "resource_missing":
        return GatewayRejected(NO_CUSTOMER.format(customer=customer, where=WHERE), code=error.code)
    if "email" in error.message.lower():
        return GatewayRejected(NO_EMAIL, code="no_email")
    return error


def _billable_customer(draft: JSON) -> JSON:
    customer: JSON = draft["customer"]
    if customer.get("deleted"):
        raise GatewayRejected(NO_CUSTOMER.format(customer=customer["id"], where=WHERE), code="customer_deleted")
    if not customer.get("email"):
        raise GatewayRejected(NO_EMAIL, code="no_email")
    return customer


def discard(client: AccountClient, invoice: str) -> None:
    """Delete a draft. That it is gone already is success; that Stripe is out of reach is not."""
    try:
        client.delete_draft(invoice)
    except GatewayRejected as error:
        if error.code != "resource_missing":
            raise


# 2. The lines


def _with_lines(issue: Issue, draft: JSON) -> JSON:
    if not draft["lines"]["data"]:
        params = {"lines": [_line(line) for line in fitting(issue.order.lines)]}
        draft = issue.client.add_lines(draft["id"], params, key=issue.step("lines"))
    _check_total(issue.order, draft)
    return draft


def fitting(lines: Sequence[OrderLine]) -> list[OrderLine]:
    """At most as many lines as Stripe takes; the rest in one line, with the detail in our own document."""
    if len(lines) <= MOST_LINES:
        return list(lines)
    rest = lines[MOST_LINES - 1 :]
    together = OrderLine(
        reference=rest[0].reference,
        description=f"{len(rest)} further items, itemized on the invoice document",
        amount=sum(line.amount for line in rest),
        period_start=min(line.period_start for line in rest),
        period_end=max(line.period_end for line in rest),
    )
    return [*lines[: MOST_LINES - 1], together]


def _line(line: OrderLine) -> JSON:
    return {
        "amount": line.amount,
        "description": line.description[:LINE_LENGTH],
        "period": {"start": _epoch(line.period_start), "end": _epoch(line.period_end)},
        "metadata": {"portal_line": line.reference},
    }


def _epoch(iso: str) -> int:
    return int(datetime.fromisoformat(iso).timestamp())


def _check_total(order: InvoiceOrder, invoice: JSON) -> None:
    """``total``, not ``amount_due``: a balance that the customer has in Stripe lowers only the latter."""
    if (invoice["total"], invoice["currency"]) == (order.total, order.currency.lower()):
        return
    ours = format_money(order.total, order.currency)
    theirs = format_money(invoice["total"], invoice["currency"])
    raise GatewayRejected(f"Stripe's total is {theirs} but ours is {ours}. Nothing was issued.", code="total_mismatch")


# 3. Letting it go


def _let_go(issue: Issue, draft: JSON, customer: JSON) -> GatewayInvoice:
    if issue.order.advance == Advance.DRAFT:
        return mapping.gateway_invoice(draft)
    plan = _plan(issue, customer)
    if not issue.at_once:
        changes = {"auto_advance": True, **_changes(issue, plan)}
        return mapping.gateway_invoice(_update(issue, draft, changes), note=plan.note)
    if plan.collection != issue.order.collection:
        # Finalizing with auto_advance mails it, so that this detour also takes four calls.
        draft = _update(issue, draft, _changes(issue, plan))
        return mapping.gateway_invoice(_finalize(issue, draft), note=plan.note)
    opened = _finalize(issue, draft)
    if opened["status"] != "open":
        return mapping.gateway_invoice(opened)
    return _pay(issue, opened, plan, customer) if issue.charges else _send(issue, opened)


def _plan(issue: Issue, customer: JSON) -> Plan:
    if not issue.charges:
        return Plan(Collection.SEND_INVOICE)
    if has_usable_default(customer, issue.today):
        return Plan(Collection.CHARGE_AUTOMATICALLY)
    spare = next((m for m in issue.known_methods if not m.is_expired(issue.today)), None)
    if spare is not None:
        return Plan(Collection.CHARGE_AUTOMATICALLY, method=spare.external_id)
    return Plan(Collection.SEND_INVOICE, note=NO_METHOD_NOTE)


def has_usable_default(customer: JSON, today: date) -> bool:
    """What Stripe would charge by itself, in Stripe's order of precedence."""
    method = (customer.get("invoice_settings") or {}).get("default_payment_method")
    if isinstance(method, Mapping) and not mapping.method_is_expired(method, today):
        return True
    return bool(customer.get("default_source"))


def _changes(issue: Issue, plan: Plan) -> JSON:
    if plan.collection != issue.order.collection:
        return {"collection_method": "send_invoice", "days_until_due": issue.order.days_until_due}
    return {"default_payment_method": plan.method} if plan.method else {}


def _update(issue: Issue, draft: JSON, changes: JSON) -> JSON:
    key = issue.step(f"update-{_digest(changes)}")
    return _unless_final(issue, draft, lambda: issue.client.update_invoice(draft["id"], changes, key=key))


def _finalize(issue: Issue, draft: JSON) -> JSON:
    params = {"auto_advance": True}
    key = issue.step("finalize")
    return _unless_final(issue, draft, lambda: issue.client.finalize_invoice(draft["id"], params, key=key))


def _unless_final(issue: Issue, draft: JSON, call: Callable[[], JSON]) -> JSON:
    """A refusal because the invoice has moved on already is success; any other takes the draft with it."""
    try:
        return call()
    except GatewayRejected:
        present = issue.client.retrieve_invoice(draft["id"], expand=[mapping.PAYMENTS])
        if present["status"] != "draft":
            return present
        discard(issue.client, draft["id"])
        raise


def _digest(changes: JSON) -> str:
    """Other changes need another key: the choice depends on the methods known at the time."""
    return hashlib.sha256(json.dumps(changes, sort_keys=True).encode()).hexdigest()[:12]


# 4. At once. The invoice exists and is open: from here on nothing is a failure to issue.


def _pay(issue: Issue, opened: JSON, plan: Plan, customer: JSON) -> GatewayInvoice:
    params: JSON = {"off_session": True, "expand": [mapping.PAYMENTS]}
    if plan.method:
        params["payment_method"] = plan.method
    try:
        paid = issue.client.pay_invoice(opened["id"], params, key=issue.step("pay"))
    except GatewayRejected as error:
        state = fetch(issue.client, opened["id"])
        return state if state.error or state.status != "open" else replace(state, error=error.message)
    return mapping.gateway_invoice(paid, payments=mapping.payments_at_once(paid, _paid_with(customer, plan)))


def _paid_with(customer: JSON, plan: Plan) -> JSON | None:
    if plan.method:
        return None
    method = (customer.get("invoice_settings") or {}).get("default_payment_method")
    return dict(method) if isinstance(method, Mapping) else None


def _send(issue: Issue, opened: JSON) -> GatewayInvoice:
    try:
        return mapping.gateway_invoice(issue.client.send_invoice(opened["id"], {}, key=issue.step("send")))
    except GatewayRejected as error:
        return mapping.gateway_invoice(opened, note=f"Stripe did not e-mail it: {error.message}")


# Reading


def fetch(client: AccountClient, external_id: str) -> GatewayInvoice:
    """The present state, with every attempt to pay it."""
    seen_at = timezone.now()
    return read(client, client.retrieve_invoice(external_id, expand=[mapping.PAYMENTS]), seen_at)


def read(client: AccountClient, invoice: JSON, seen_at: datetime) -> GatewayInvoice:
    """An invoice that was retrieved with its payments, and every attempt to pay it."""
    return mapping.gateway_invoice(invoice, payments=payments_of(client, invoice), seen_at=seen_at)


def payments_of(client: AccountClient, invoice: JSON) -> list[GatewayPayment]:
    """Oldest first. A payment intent without a charge was never attempted and costs no call."""
    intents = mapping.payment_intents(invoice)
    tried = [intent for intent in intents if intent.get("latest_charge")]
    made = [mapping.payment_of_charge(charge) for intent in tried for charge in client.list_charges(intent["id"])]
    # A person who pays at this moment is asked by their bank too: only after an attempt without them does it wait.
    held = [intent for intent in intents if intent["status"] == "requires_action" and invoice["attempted"]]
    in_order = sorted(made, key=lambda payment: (payment.occurred_at, payment.external_id))
    return [*in_order, *(mapping.awaiting_customer(intent) for intent in held)]


def find(client: AccountClient, order: InvoiceOrder, customer: str, since: datetime) -> JSON | None:
    """The invoice made for this order by a run whose idempotency key Stripe may have forgotten."""
    made = client.list_invoices(
        {"customer": customer, "created": {"gte": int(since.timestamp())}, "expand": [f"data.{e}" for e in EXPAND]}
    )
    ours = (i for i in made if (i.get("metadata") or {}).get("portal_invoice") == order.invoice_uuid)
    return next((i for i in ours if i["status"] != "void"), None)
