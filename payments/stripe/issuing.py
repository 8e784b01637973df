"""How is a Stripe invoice made? Three calls for any number of lines, a fourth where it is sent or paid at once.

1. create, as a draft that cannot advance by itself, with the customer expanded;
2. add_lines, after which amount and currency are compared with ours;
3. let it go (``releasing``): turn auto_advance on, or finalize, or (draft mode) nothing;
4. when finalized at once: pay it, or send it.

Every step has an idempotency key of its own or is guarded by the invoice's state, so the whole may be
run again after a crash at any point. What fails before step 3 leaves no draft behind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from customers.money import format_money
from invoicing.gateways import Collection, GatewayInvoice, GatewayRejected, InvoiceOrder, OrderLine
from payments.stripe import amounts, lines, mapping, taxes, texts
from payments.stripe.plan import Issue
from payments.stripe.reading import CUSTOMER, despite, discard_after, payments_of
from payments.stripe.releasing import let_go

NO_EMAIL = "The Stripe customer has no e-mail address. Add one in Stripe or on the customer, then retry."
NO_CUSTOMER = "The Stripe customer {customer} no longer exists in Stripe. Generate or link another one under {where}."
WHERE = "Integrations -> Payments"
NO_LOCATION = (
    "Stripe Tax does not know where the customer is. Add the country and address to the Stripe customer, then retry."
)
EXEMPT_THERE = (
    "The Stripe customer is marked as exempt from tax and ours is not: correct one of them. Send to Stripe on the "
    "customer's page gives Stripe our state."
)
TAX_FAILED = "Stripe Tax could not compute the tax. Retry, or look at the Stripe Tax settings of the account."

JSON = dict[str, Any]


@dataclass(frozen=True)
class Contents:
    """What goes onto the invoice: its lines, and its tax by exactly one of three ways."""

    lines: list[OrderLine]
    rate_id: str = ""
    tax_amounts: list[JSON] = field(default_factory=list)
    is_automatic: bool = False


def make(issue: Issue, earlier: JSON | None, remember: Callable[[str], None]) -> GatewayInvoice:
    """``earlier`` is the invoice that a former, interrupted run of the same order left at Stripe."""
    contents = contents_of(issue)
    draft = earlier or _create(issue, contents)
    remember(draft["id"])
    if draft["status"] != "draft":
        return _as_it_is(issue, draft)
    try:
        customer = _billable_customer(draft)
        draft = _with_lines(issue, draft, contents)
    except GatewayRejected as refusal:
        discard_after(issue.client, draft["id"], refusal)
        raise
    return let_go(issue, draft, customer)


def _as_it_is(issue: Issue, invoice: JSON) -> GatewayInvoice:
    refusal = GatewayRejected("The invoice is not a draft any more.")
    present = despite(issue.client, invoice["id"], refusal)
    return mapping.gateway_invoice(present, payments=payments_of(issue.client, present))


# 0. What it will contain


def contents_of(issue: Issue) -> Contents:
    order = issue.order
    amounts.check(order.total, (line.amount for line in order.lines), order.currency)
    fitting = lines.fitting(order.lines)
    if order.tax_by_gateway and sum(line.amount for line in fitting) > 0:
        return Contents(lines.without_credits(fitting), is_automatic=True)
    if order.tax is None:
        return Contents(fitting)
    if taxes.is_unambiguous(order.tax, fitting):
        return Contents(fitting, rate_id=taxes.rate_id(issue.client, order.tax, real_now=issue.real_now))
    return Contents(fitting, tax_amounts=taxes.exact_amounts(order.tax, fitting))


# 1. The draft


def _create(issue: Issue, contents: Contents) -> JSON:
    params = _create_params(issue, contents)
    try:
        return issue.client.create_invoice(params, key=issue.step("create"))
    except GatewayRejected as error:
        if contents.rate_id:
            taxes.forget_refused(issue.client, contents.rate_id, error)
        raise _plainer(error, issue.customer) from error


def _create_params(issue: Issue, contents: Contents) -> JSON:
    order = issue.order
    params: JSON = {
        "customer": issue.customer,
        "currency": order.currency.lower(),
        "auto_advance": False,
        "pending_invoice_items_behavior": "exclude",
        "collection_method": mapping.collection_method(order.collection),
        "metadata": {"portal_invoice": order.invoice_uuid, "portal_number": order.number},
        "expand": CUSTOMER,
    }
    if order.collection == Collection.SEND_INVOICE:
        params |= issue.due
    if order.memo:
        params["description"] = texts.cut(order.memo, texts.MEMO)
    if order.footer:
        params["footer"] = texts.cut(order.footer, texts.FOOTER)
    if contents.rate_id:
        params["default_tax_rates"] = [contents.rate_id]
    if contents.is_automatic:
        params["automatic_tax"] = {"enabled": True}
    return params


def _plainer(error: GatewayRejected, customer: str) -> GatewayRejected:
    """Stripe's own refusals of a customer, in the words used when we notice first."""
    if error.code == "resource_missing" and customer in error.message:
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


# 2. The lines


def _with_lines(issue: Issue, draft: JSON, contents: Contents) -> JSON:
    if contents.lines and not draft["lines"]["data"]:
        params = lines.params(contents.lines, contents.tax_amounts)
        draft = issue.client.add_lines(draft["id"], params, key=issue.step("lines"))
    if contents.is_automatic:
        _check_automatic_tax(draft)
    _check_amount(issue.order, draft, contents)
    return draft


def _check_automatic_tax(invoice: JSON) -> None:
    """Found out now rather than when Stripe finalizes it."""
    match invoice["automatic_tax"]["status"]:
        case "requires_location_inputs":
            raise GatewayRejected(NO_LOCATION, code="customer_tax_location_invalid")
        case "failed":
            raise GatewayRejected(TAX_FAILED, code="taxes_calculation_failed")


def _check_amount(order: InvoiceOrder, invoice: JSON, contents: Contents) -> None:
    """``total``, not ``amount_due``: a balance that the customer has in Stripe lowers only the latter. Where
    Stripe computes the tax, what it is computed of must be ours."""
    amount = invoice["subtotal"] if contents.is_automatic else invoice["total"]
    if (amount, invoice["currency"]) != (order.total, order.currency.lower()):
        raise _differs("total", (amount, invoice["currency"]), order.total, invoice, order)
    tax = sum(tax["amount"] for tax in invoice.get("total_taxes") or [])
    if order.tax is not None and tax != order.tax.amount:
        raise _differs("tax", (tax, invoice["currency"]), order.tax.amount, invoice, order)


def _differs(what: str, theirs: tuple[int, str], ours: int, invoice: JSON, order: InvoiceOrder) -> GatewayRejected:
    said = f"Stripe's {what} is {format_money(*theirs)} but ours is {format_money(ours, order.currency)}."
    exempt = order.tax is not None and invoice.get("customer_tax_exempt", "none") != "none"
    return GatewayRejected(f"{said} Nothing was issued.{f' {EXEMPT_THERE}' if exempt else ''}", code="total_mismatch")
