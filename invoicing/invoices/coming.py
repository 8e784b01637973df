"""The whole coming run: what every customer's next invoice comes to so far, against the last one.

Rating every running cycle is too much for a page, so the figures are kept, each with the time it was worked out, and
worked out anew in chunks: hourly, and when somebody asks. The outliers, by size of the change, come first.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import models, transaction
from django.db.models import Count, Q, QuerySet, Sum

from customers.customer import Customer
from customers.scoping import VendorOwned
from customers.settings.policy import BillingPolicy
from customers.vendor import Vendor
from invoicing.invoices.models import Invoice
from invoicing.invoices.rated import drafted
from invoicing.invoices.states import InvoiceStatus
from invoicing.invoices.taxing import flat_tax
from invoicing.subscriptions.advance import policies_of
from invoicing.subscriptions.models import BillingCycle, CycleAction

CHUNK = 500


class ComingBill(VendorOwned):
    """Of a billing cycle that has no invoice yet. Amounts are minor units of ``currency``; ``last_amount`` is empty
    where the customer has had no invoice. ``deviation`` is the size of the change."""

    cycle = models.OneToOneField(BillingCycle, on_delete=models.CASCADE, related_name="coming_bill")
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="coming_bills")
    currency = models.CharField(max_length=3)
    amount_due = models.BigIntegerField()
    last_amount = models.BigIntegerField(null=True, blank=True)
    deviation = models.BigIntegerField()
    generate_at = models.DateTimeField()
    worked_out_at = models.DateTimeField(help_text="The vendor's time.")

    class Meta:
        indexes = [models.Index(fields=["vendor", "-deviation", "-id"], name="coming_bill_outliers")]

    def __str__(self) -> str:
        return f"Next invoice of {self.customer}"

    @property
    def change(self) -> int | None:
        return None if self.last_amount is None else self.amount_due - self.last_amount

    @property
    def change_percent(self) -> float | None:
        """None where there is nothing to compare with."""
        return round(100 * (self.change or 0) / self.last_amount, 1) if self.last_amount else None


def coming_bills(vendor: Vendor) -> QuerySet[ComingBill]:
    """Those whose invoice is still to come."""
    return ComingBill.objects.of(vendor).exclude(cycle__next_action=CycleAction.NONE)


@dataclass(frozen=True, slots=True)
class Run:
    """All bills of one currency together. ``compared`` are those of customers who had an invoice before, and ``last``
    is what those came to."""

    currency: str
    bills: int
    amount: int
    compared: int
    last: int


def run_totals(vendor: Vendor) -> list[Run]:
    rows = coming_bills(vendor).order_by("currency").values("currency")
    had_one = Q(last_amount__isnull=False)
    return [
        Run(row["currency"], row["bills"], row["amount"], row["compared"] or 0, row["last"] or 0)
        for row in rows.annotate(
            bills=Count("pk"),
            amount=Sum("amount_due"),
            compared=Sum("amount_due", filter=had_one),
            last=Sum("last_amount"),
        )
    ]


def work_out(vendor: Vendor, *, after: int = 0, limit: int = CHUNK, real_now: datetime) -> int | None:
    """The next ``limit`` bills by their cycles' ids. Answers the last id; None when all are done, and then those whose
    invoice has come are forgotten. As many queries for a chunk as for one bill."""
    running = BillingCycle.objects.of(vendor).filter(pk__gt=after).exclude(next_action=CycleAction.NONE)
    # A trial has no invoice.
    billed = running.exclude(index=0, subscription__trial_ends_at__isnull=False)
    rows = billed.select_related("vendor", "customer", "subscription__price_plan").order_by("pk")
    cycles = list(rows.filter(start__lte=vendor.now(real_now))[:limit])
    if not cycles:
        ComingBill.objects.of(vendor).filter(cycle__next_action=CycleAction.NONE).delete()
        return None
    with transaction.atomic():
        _keep(vendor, cycles, vendor.now(real_now))
    return cycles[-1].pk


def _keep(vendor: Vendor, cycles: Sequence[BillingCycle], now: datetime) -> None:
    policies = policies_of(cycles)
    drafts = drafted(cycles, policies, until=now)
    last = _last_amounts(vendor, {cycle.customer_id for cycle in cycles})
    bills = []
    for cycle in cycles:
        policy = policies[cycle.customer_id]
        amounts = (line.amount for line in drafts[cycle.pk].lines)
        amount = flat_tax(policy, cycle.customer.tax_exempt).totals(amounts).amount_due
        bills.append(_bill(cycle, amount, policy, last.get(cycle.customer_id), now))
    columns = ["currency", "amount_due", "last_amount", "deviation", "generate_at", "worked_out_at"]
    ComingBill.objects.bulk_create(bills, update_conflicts=True, unique_fields=["cycle"], update_fields=columns)


def _last_amounts(vendor: Vendor, customers: Collection[int]) -> dict[int, int]:
    """By customer: what the newest invoice of a billing cycle came to, unless it was voided."""
    rows = Invoice.objects.of(vendor).filter(customer__in=customers, cycle__isnull=False)
    newest = rows.exclude(status=InvoiceStatus.VOIDED).order_by("customer_id", "-generated_at", "-pk")
    return dict(newest.distinct("customer_id").values_list("customer_id", "amount_due"))


def _bill(
    cycle: BillingCycle, amount: int, policy: BillingPolicy, last_amount: int | None, now: datetime
) -> ComingBill:
    return ComingBill(
        vendor_id=cycle.vendor_id,
        cycle=cycle,
        customer_id=cycle.customer_id,
        currency=cycle.subscription.price_plan.currency,
        amount_due=amount,
        last_amount=last_amount,
        deviation=abs(amount - (last_amount or 0)),
        generate_at=_generated_at(cycle, policy),
        worked_out_at=now,
    )


def _generated_at(cycle: BillingCycle, policy: BillingPolicy) -> datetime:
    if cycle.next_action == CycleAction.END or cycle.next_action_at is None:
        return cycle.end + policy.invoice_grace_period
    return cycle.next_action_at
