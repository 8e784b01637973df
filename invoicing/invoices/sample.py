"""What a running billing cycle's invoice would look like on paper. Nothing is written."""

from __future__ import annotations

from datetime import datetime

from customers.customer import Customer
from customers.errors import Missing
from customers.settings.policy import policy_for
from invoicing.invoices.compose import compose
from invoicing.invoices.documents.memo import render_memo
from invoicing.invoices.documents.pdf import render_pdf
from invoicing.invoices.generation import memo_variables
from invoicing.invoices.lines import unsaved
from invoicing.invoices.models import Invoice
from invoicing.invoices.preview import PreviewedInvoice, preview_of
from invoicing.invoices.snapshot import snapshot_of
from invoicing.invoices.taxing import flat_tax
from invoicing.subscriptions.models import BillingCycle


def sample_pdf(customer: Customer, *, at: datetime) -> bytes:
    """A draft of the cycle that runs ``at``, with what was used by then. Raises ``Missing``."""
    cycles = BillingCycle.objects.of(customer.vendor).filter(customer=customer, start__lte=at, end__gt=at)
    cycle = cycles.select_related("vendor", "customer__vendor", "subscription__price_plan").order_by("pk").last()
    if cycle is None:
        raise Missing(f"No billing cycle of {customer.name!r} runs at {at.isoformat()}.")
    invoice = _unsaved(cycle, preview_of(cycle, now=at))
    return render_pdf(compose(invoice, policy_for(cycle.customer)))


def _unsaved(cycle: BillingCycle, seen: PreviewedInvoice) -> Invoice:
    """An invoice that is in no table: its lines are where prefetched ones would be."""
    policy = policy_for(cycle.customer)
    tax = flat_tax(policy, cycle.customer.tax_exempt)
    invoice = Invoice(
        pk=0,
        vendor=cycle.vendor,
        customer=cycle.customer,
        subscription=cycle.subscription,
        currency=seen.currency,
        sub_total=seen.sub_total,
        tax_rate=tax.rate,
        tax_inclusive=tax.inclusive,
        tax_amount=seen.tax_amount,
        amount_due=seen.amount_due,
        period_start=seen.period_start,
        period_end=seen.period_end,
        min_item_start_time=min((line.start for line in seen.lines), default=seen.period_start),
        max_item_end_time=max((line.end for line in seen.lines), default=seen.period_end),
        generated_at=seen.generated_at,
        issue_date=seen.issued_at or seen.generated_at,
        customer_snapshot=snapshot_of(cycle.customer),
        policy_snapshot=policy.snapshot(),
    )
    invoice.memo = render_memo(policy.invoice_memo, memo_variables(invoice))
    lines = [unsaved(line) for line in seen.lines]
    invoice._prefetched_objects_cache = {"line_items": lines}  # type: ignore[attr-defined]  # Django's own place for them
    return invoice
