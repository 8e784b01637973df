"""Who computes the tax of an invoice: we, at the flat rate of the settings, or the gateway that issues it."""

from __future__ import annotations

from decimal import Decimal

from customers.settings.policy import BillingPolicy
from invoicing.gateways import GatewayTax
from invoicing.invoices.models import Channel, Invoice
from invoicing.invoices.schedule import channel_for
from invoicing.rating.totals import totals

PROVIDER = "tax_via_payment_provider"


def is_by_gateway(policy: BillingPolicy) -> bool:
    """Only an invoice that the gateway issues can be taxed by it."""
    return policy.tax_via_payment_provider and channel_for(policy) == Channel.GATEWAY


def flat_rate(policy: BillingPolicy) -> Decimal:
    return Decimal(0) if is_by_gateway(policy) else policy.tax_rate


def tax_for_issue(invoice: Invoice, policy: BillingPolicy) -> None:
    """Before it is issued: who computes the tax is asked once more, and what was computed otherwise is dropped."""
    was_by_gateway = bool(invoice.policy_snapshot.get(PROVIDER, {}).get("value")) and not invoice.tax_rate
    if not is_by_gateway(policy) and not was_by_gateway:
        return
    sums = totals([invoice.sub_total], flat_rate(policy))
    invoice.tax_rate, invoice.tax_amount = flat_rate(policy), sums.tax_amount
    invoice.amount_due = sums.amount_due - invoice.discount_credit
    invoice.save(update_fields=["tax_rate", "tax_amount", "amount_due"])


def copy_tax(invoice: Invoice, tax: GatewayTax | None) -> bool:
    """What the gateway computed becomes our figure. True when that changed something."""
    if tax is None or (invoice.tax_amount, invoice.amount_due) == (tax.amount, tax.total):
        return False
    invoice.tax_amount, invoice.amount_due = tax.amount, tax.total
    Invoice.objects.filter(pk=invoice.pk).update(tax_amount=tax.amount, amount_due=tax.total)
    return True
