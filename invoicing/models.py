"""Gathers the models of the rooms below, where Django looks for them."""

from invoicing.catalog.models import AddOn, Meter, MeteredComponent, PricePlan, PriceScheme, PriceTier
from invoicing.invoices.charge_attempts import ChargeAttempt
from invoicing.invoices.coming import ComingBill
from invoicing.invoices.ledger import Dispute, DisputeMovement, Payment, Refund
from invoicing.invoices.logo_files import LogoFile
from invoicing.invoices.models import (
    Invoice,
    InvoiceDocument,
    IssueAttempt,
    LineItem,
    NumberSeries,
    OutgoingEmail,
)
from invoicing.subscriptions.models import (
    AddOnChange,
    AdhocCharge,
    BillingCycle,
    Coupon,
    CouponUse,
    Discount,
    ProrationCredit,
    Subscription,
    UsageAlert,
)
from invoicing.usage.models import (
    DroppedMonth,
    GivenId,
    Measurement,
    StaleUsage,
    UnattributedMeasurement,
    UsageDay,
    UsageLimitCheck,
)

__all__ = [
    "AddOn",
    "AddOnChange",
    "AdhocCharge",
    "BillingCycle",
    "ChargeAttempt",
    "ComingBill",
    "Coupon",
    "CouponUse",
    "Discount",
    "Dispute",
    "DisputeMovement",
    "DroppedMonth",
    "GivenId",
    "Invoice",
    "InvoiceDocument",
    "IssueAttempt",
    "LineItem",
    "LogoFile",
    "Measurement",
    "Meter",
    "MeteredComponent",
    "NumberSeries",
    "OutgoingEmail",
    "Payment",
    "PricePlan",
    "PriceScheme",
    "PriceTier",
    "ProrationCredit",
    "Refund",
    "StaleUsage",
    "Subscription",
    "UnattributedMeasurement",
    "UsageAlert",
    "UsageDay",
    "UsageLimitCheck",
]
