"""Letting a complete Stripe invoice go: the third call, and the fourth where it is sent or paid at once.

Two schedules never chase one debt: who makes the first charge also tries it again. An invoice that Stripe
charges after its draft hour keeps ``auto_advance``, and Stripe's own schedule retries it. One that we finalize
and pay at once is finalized without it, and is retried by us, as the settings say. One that is sent is charged
by nobody; ``auto_advance`` only lets Stripe mail it and remind.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from invoicing.gateways import Advance, GatewayInvoice, GatewayRejected
from payments.stripe import mapping
from payments.stripe.plan import Issue, Plan, plan_for
from payments.stripe.reading import despite, discard_after, payments_of

JSON = dict[str, Any]


def let_go(issue: Issue, draft: JSON, customer: JSON) -> GatewayInvoice:
    if issue.order.advance == Advance.DRAFT:
        return mapping.gateway_invoice(draft)
    plan = plan_for(issue, customer)
    if not issue.at_once:
        changes = {"auto_advance": True, **_changes(issue, plan)}
        return mapping.gateway_invoice(_update(issue, draft, changes), note=plan.note)
    if plan.collection != issue.order.collection:
        # Finalizing with auto_advance mails it, so that this detour also takes four calls.
        draft = _update(issue, draft, _changes(issue, plan))
        return mapping.gateway_invoice(_finalize(issue, draft, auto_advance=True), note=plan.note)
    opened = _finalize(issue, draft, auto_advance=not issue.charges)
    if opened["status"] != "open":
        return mapping.gateway_invoice(opened)
    return _pay(issue, opened, plan, customer) if issue.charges else _send(issue, opened)


def _changes(issue: Issue, plan: Plan) -> JSON:
    if plan.collection != issue.order.collection:
        return {"collection_method": "send_invoice", **issue.due}
    return {"default_payment_method": plan.method} if plan.method else {}


def _update(issue: Issue, draft: JSON, changes: JSON) -> JSON:
    key = issue.step(f"update-{_digest(changes)}")
    return _unless_final(issue, draft, lambda: issue.client.update_invoice(draft["id"], changes, key=key))


def _finalize(issue: Issue, draft: JSON, *, auto_advance: bool) -> JSON:
    params = {"auto_advance": auto_advance}
    key = issue.step("finalize")
    return _unless_final(issue, draft, lambda: issue.client.finalize_invoice(draft["id"], params, key=key))


def _unless_final(issue: Issue, draft: JSON, call: Callable[[], JSON]) -> JSON:
    """A refusal because the invoice has moved on already is success; any other takes the draft with it."""
    try:
        return call()
    except GatewayRejected as refusal:
        present = despite(issue.client, draft["id"], refusal)
        if present["status"] != "draft":
            return present
        discard_after(issue.client, draft["id"], refusal)
        raise


def _digest(changes: JSON) -> str:
    """Other changes need another key: the choice depends on the methods known at the time."""
    return hashlib.sha256(json.dumps(changes, sort_keys=True).encode()).hexdigest()[:12]


# At once. The invoice exists and is open: from here on nothing is a failure to issue.


def _pay(issue: Issue, opened: JSON, plan: Plan, customer: JSON) -> GatewayInvoice:
    params: JSON = {"off_session": True, "expand": [mapping.PAYMENTS]}
    if plan.method:
        params["payment_method"] = plan.method
    try:
        paid = issue.client.pay_invoice(opened["id"], params, key=issue.step("pay"))
    except GatewayRejected as refusal:
        present = despite(issue.client, opened["id"], refusal)
        state = mapping.gateway_invoice(present, payments=payments_of(issue.client, present))
        return state if state.error or state.status != "open" else replace(state, error=refusal.message)
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
