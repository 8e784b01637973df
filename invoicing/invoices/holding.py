"""Which invoices stop for a person? Decided once, when they are generated, by the rules of the settings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from django.db.models import OuterRef, Subquery
from django.db.models.functions import JSONObject

from customers.customer import Customer
from customers.money import format_money
from customers.settings.policy import BillingPolicy
from customers.vendor import Vendor
from invoicing.invoices.models import Invoice
from invoicing.invoices.states import InvoiceStatus


@dataclass(frozen=True, slots=True)
class Bill:
    """What is compared of a bill: what was billed, before tax and credits."""

    amount: int
    currency: str


def last_bills(vendor: Vendor, customer_ids: Iterable[int]) -> dict[int, Bill]:
    """The newest invoice of each customer that was not voided, with one query; those of additions are beside them."""
    # Of the customers alone, who are the vendor's: no plan can then go through the vendor's invoices for each of them.
    of_customer = Invoice.objects.filter(customer=OuterRef("pk"), adds_to=None).exclude(status=InvoiceStatus.VOIDED)
    newest = of_customer.order_by("-generated_at", "-pk").values(
        bill=JSONObject(amount="sub_total", currency="currency")
    )
    rows = Customer.objects.of(vendor).filter(pk__in=set(customer_ids)).annotate(bill=Subquery(newest[:1]))
    return {pk: Bill(**bill) for pk, bill in rows.values_list("pk", "bill") if bill}


def reason_to_hold(invoice: Invoice, policy: BillingPolicy, last: Bill | None) -> str:
    """Why a person has to look at it first, in words; empty where nobody has to. ``last`` is the customer's bill
    before this one."""
    found = [
        _flagged(invoice.customer, policy),
        _first(policy, last),
        _too_much(invoice, policy),
        _changed(invoice, policy, last),
    ]
    return "; ".join(reason for reason in found if reason)


def _flagged(customer: Customer, policy: BillingPolicy) -> str:
    return f"the customer is flagged: {customer.review_reason.rstrip('.')}" if _is_flagged(customer, policy) else ""


def _is_flagged(customer: Customer, policy: BillingPolicy) -> bool:
    return policy.hold_flagged_customers and bool(customer.review_reason)


def _first(policy: BillingPolicy, last: Bill | None) -> str:
    return "first bill of this customer" if policy.hold_first_invoice and last is None else ""


def _too_much(invoice: Invoice, policy: BillingPolicy) -> str:
    limit = policy.hold_amount_above
    if not limit or invoice.amount_due <= limit:
        return ""
    amounts = (format_money(amount, invoice.currency) for amount in (invoice.amount_due, limit))
    return "{} is above {}".format(*amounts)


def _changed(invoice: Invoice, policy: BillingPolicy, last: Bill | None) -> str:
    """Up or down. Amounts of two currencies are not compared."""
    percent = policy.hold_change_above
    if not percent or last is None or last.currency != invoice.currency:
        return ""
    change = invoice.sub_total - last.amount
    if abs(change) * 100 <= abs(last.amount) * percent:
        return ""
    way = "more" if change > 0 else "less"
    by = f"{_percent(change, last.amount)} {way} than" if last.amount else "not"
    return f"it is {by} the {format_money(last.amount, last.currency)} of the last bill"


def _percent(change: int, base: int) -> str:
    return f"{int(abs(Fraction(change, base)) * 100)} %"
