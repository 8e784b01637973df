"""Who computes the tax of an invoice: we, at the flat rate of the settings, or the gateway that issues it. And who
pays none: the customer's tax status as it was when the invoice was made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from customers.customer import TaxExempt
from customers.settings.policy import BillingPolicy
from invoicing.gateways import GatewayTax
from invoicing.invoices.models import Channel, Invoice
from invoicing.invoices.schedule import channel_for
from invoicing.rating.totals import Totals, totals

PROVIDER = "tax_via_payment_provider"


def is_by_gateway(policy: BillingPolicy) -> bool:
    """Only an invoice that the gateway issues can be taxed by it."""
    return policy.tax_via_payment_provider and channel_for(policy) == Channel.GATEWAY


@dataclass(frozen=True, slots=True)
class FlatTax:
    """What we compute ourselves: ``rate`` in percent, on top of the prices or contained in them."""

    rate: Decimal = Decimal(0)
    inclusive: bool = False

    def totals(self, amounts: Iterable[int]) -> Totals:
        return totals(amounts, self.rate, inclusive=self.inclusive)


def flat_tax(policy: BillingPolicy, tax_exempt: str) -> FlatTax:
    """``tax_exempt`` is the customer's. Who is exempt pays the prices as they are, also those that contain tax."""
    if is_by_gateway(policy) or tax_exempt != TaxExempt.NONE or not policy.tax_rate:
        return FlatTax()
    return FlatTax(policy.tax_rate, policy.tax_inclusive)


REVERSE_CHARGE = "Reverse charge: VAT to be accounted for by the recipient (Art. 196 Directive 2006/112/EC)."


def tax_note(invoice: Invoice) -> str:
    """What the law wants said about tax that is not there."""
    is_reversed = invoice.customer_snapshot.get("tax_exempt") == TaxExempt.REVERSE
    return REVERSE_CHARGE if is_reversed and not invoice.tax_amount else ""


def tax_for_issue(invoice: Invoice, policy: BillingPolicy) -> None:
    """Before it is issued: who computes the tax is asked once more, and what was computed otherwise is dropped."""
    was_by_gateway = bool(invoice.policy_snapshot.get(PROVIDER, {}).get("value")) and not invoice.tax_rate
    if not is_by_gateway(policy) and not was_by_gateway:
        return
    tax = flat_tax(policy, invoice.customer_snapshot.get("tax_exempt", TaxExempt.NONE))
    sums = tax.totals([invoice.sub_total])
    invoice.tax_rate, invoice.tax_inclusive, invoice.tax_amount = tax.rate, tax.inclusive, sums.tax_amount
    invoice.amount_due = sums.amount_due - invoice.discount_credit
    invoice.save(update_fields=["tax_rate", "tax_inclusive", "tax_amount", "amount_due"])


def copy_tax(invoice: Invoice, tax: GatewayTax | None) -> bool:
    """What the gateway computed becomes our figure. True when that changed something."""
    if tax is None or (invoice.tax_amount, invoice.amount_due) == (tax.amount, tax.total):
        return False
    invoice.tax_amount, invoice.amount_due = tax.amount, tax.total
    Invoice.objects.filter(pk=invoice.pk).update(tax_amount=tax.amount, amount_due=tax.total)
    return True
