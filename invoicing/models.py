"""Gathers the models of the rooms below, where Django looks for them."""

from invoicing.catalog.models import Meter, MeteredComponent, PricePlan, PriceScheme, PriceTier
from invoicing.invoices.charge_attempts import ChargeAttempt
from invoicing.invoices.ledger import Dispute, DisputeMovement, Payment, Refund
from invoicing.invoices.models import (
    Invoice,
    InvoiceDocument,
    IssueAttempt,
    LineItem,
    NumberSeries,
    OutgoingEmail,
)
from invoicing.subscriptions.models import AdhocCharge, BillingCycle, Coupon, CouponUse, Discount, Subscription
from invoicing.usage.models import DroppedMonth, Measurement, StaleUsage, UnattributedMeasurement, UsageDay

__all__ = [
    "AdhocCharge",
    "BillingCycle",
    "ChargeAttempt",
    "Coupon",
    "CouponUse",
    "Discount",
    "Dispute",
    "DisputeMovement",
    "DroppedMonth",
    "Invoice",
    "InvoiceDocument",
    "IssueAttempt",
    "LineItem",
    "Measurement",
    "Meter",
    "MeteredComponent",
    "NumberSeries",
    "OutgoingEmail",
    "Payment",
    "PricePlan",
    "PriceScheme",
    "PriceTier",
    "Refund",
    "StaleUsage",
    "Subscription",
    "UnattributedMeasurement",
    "UsageDay",
]
