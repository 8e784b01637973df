"""Which settings apply to a customer, and from where? ``policy_for`` is the only reader of settings.

The class below is also the one declaration of every billing setting, with its default.
"""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from customers.settings.declaration import DetailLevel, Section, Setting, Unit, declared_settings, setting
from customers.settings.number_pattern import problem_with

if TYPE_CHECKING:
    from customers.customer import Customer
    from customers.vendor import Vendor


class Source(StrEnum):
    """Where a setting's value comes from."""

    DEFAULT = "default"
    VENDOR = "vendor"
    CUSTOMER = "customer"


DELIVERY, TIMING, APPROVAL, PAYMENTS = Section.DELIVERY, Section.TIMING, Section.APPROVAL, Section.PAYMENTS
TAX, ADVANCE, REMINDERS, BANK = Section.TAX, Section.ADVANCE, Section.REMINDERS, Section.BANK


@dataclass(frozen=True)
class BillingPolicy:
    """The settings that apply to one customer, each with the source of its value."""

    should_send_invoice_to_customers: bool = setting(
        False, "Enable Invoice Delivery", DELIVERY,
        "Send invoices to customers. Off: invoices are generated here and nothing leaves the building.",
    )  # fmt: skip
    invoice_via_octane: bool = setting(
        True, "Invoice by our e-mail", DELIVERY,
        "On: we e-mail the invoice with its PDF. Off: invoicing via the payment provider, as a Stripe invoice.",
    )  # fmt: skip
    stripe_auto_advance: bool = setting(
        True, "Auto-advance Stripe invoices", DELIVERY,
        "Off is Draft Mode: the Stripe invoice stays a draft until somebody acts on it in Stripe.",
    )  # fmt: skip
    stripe_immediate_finalization: bool = setting(
        False, "Finalize in Stripe at once", DELIVERY,
        "Finalize the Stripe invoice when it is created instead of leaving it in Stripe's draft hour.",
    )  # fmt: skip
    customer_invoice_detail_level: str = setting(
        DetailLevel.DETAILED, "Detail on invoices", DELIVERY,
        "On the PDF, in e-mails and on the invoice's page: quantities and unit prices, or one line a component.",
        choices=DetailLevel, max_length=16,
    )  # fmt: skip
    invoice_memo: str = setting(
        "", "Memo", DELIVERY,
        "Printed on the invoice. Variables: {invoice_id}, {billing_cycle_start}, {billing_cycle_end}, "
        "{min_item_start_time}, {max_item_end_time}, {customer_display_name}, {customer_name}.",
        is_text=True, max_length=1500,
    )  # fmt: skip
    invoice_number_pattern: str = setting(
        "INV-{number:05}", "Invoice numbers", DELIVERY,
        "{number} counts without gaps, {number:06} with six digits; {year} and {month} start it anew each year or "
        "month, in your time zone. Invoices that have their number keep it.",
        max_length=60, check=problem_with,
    )  # fmt: skip
    invoice_logo_url: str = setting(
        "", "Logo", DELIVERY,
        "Web address of the logo printed on invoices: PNG, JPEG, GIF or WebP, at most 512 KB. It is fetched when this "
        "is saved and once a day; where it cannot be, invoices go out without it and say so here.",
        max_length=500,
    )  # fmt: skip
    send_receipts: bool = setting(
        False, "Send receipts", DELIVERY, "E-mail a receipt when an invoice is paid, and when money is given back.",
    )  # fmt: skip

    invoice_grace_period_length: int = setting(
        0, "Invoice grace period", TIMING,
        "From the end of a billing cycle to the generation of its invoice, so that late usage still counts.",
        maximum=525_600,
    )  # fmt: skip
    invoice_grace_period_unit: str = setting(
        Unit.DAY, "Invoice grace period unit", TIMING, "Unit of the invoice grace period.",
        choices=Unit, max_length=8,
    )  # fmt: skip
    payment_grace_period_length: int = setting(
        0, "Payment grace period", TIMING,
        "From the generation of an invoice to its issue and charge, so that a person can look at it.",
        maximum=525_600,
    )  # fmt: skip
    payment_grace_period_unit: str = setting(
        Unit.DAY, "Payment grace period unit", TIMING, "Unit of the payment grace period.",
        choices=Unit, max_length=8,
    )  # fmt: skip
    days_until_due: int = setting(
        30, "Days until due", TIMING,
        "Days from issue to the due date, for invoices that are not charged automatically.", maximum=3650,
    )  # fmt: skip
    align_billing_cycles_to_calendar: bool = setting(
        False, "Align billing cycles to the calendar", TIMING,
        "New subscriptions are billed from the first of the month, quarter or year unless they say otherwise.",
    )  # fmt: skip

    auto_approve_invoices: bool = setting(
        True, "Approve automatically", APPROVAL,
        "Off: every generated invoice waits for a person after its payment grace period.",
    )  # fmt: skip
    hold_amount_above: int = setting(
        0, "Hold above an amount", APPROVAL,
        "An invoice of more waits for a person. In the smallest unit of its currency: 100000 is $1,000.00. 0: never.",
    )  # fmt: skip
    hold_change_above: int = setting(
        0, "Hold when the amount changed", APPROVAL,
        "An invoice that differs from the customer's last one by more than so many percent, up or down, before tax, "
        "waits for a person. 0: never.", maximum=100_000,
    )  # fmt: skip
    hold_first_invoice: bool = setting(
        False, "Hold a customer's first invoice", APPROVAL, "It waits for a person.",
    )  # fmt: skip
    hold_flagged_customers: bool = setting(
        True, "Hold invoices of flagged customers", APPROVAL,
        "A customer is flagged by giving a reason for review on its page. Off: the flag has no effect.",
    )  # fmt: skip

    charges_enabled: bool = setting(
        False, "Auto-Charge", PAYMENTS, "Charge the customer's payment method for the invoice.",
    )  # fmt: skip
    retry_attempts: int = setting(
        3, "Retries", PAYMENTS, "How often a failed issue or charge is tried again by itself.", maximum=50,
    )  # fmt: skip
    retry_frequency_length: int = setting(
        1, "Time between retries", PAYMENTS, "How long to wait before the next try.", minimum=1, maximum=525_600,
    )  # fmt: skip
    retry_frequency_unit: str = setting(
        Unit.DAY, "Unit of the time between retries", PAYMENTS, "Unit of the time between retries.",
        choices=Unit, max_length=8,
    )  # fmt: skip
    sync_customer_data_to_payment_gateway: bool = setting(
        False, "Sync customer data to Stripe", PAYMENTS,
        "A customer's name, e-mail, phone, address, tax status and VAT id replace Stripe's each time they are edited "
        "here. Turning this on sends nothing by itself: for what differs already, use Send to Stripe on the "
        "customer's page.",
    )  # fmt: skip
    auto_update_stripe_default_payment_method: bool = setting(
        False, "Newest payment method becomes the default", PAYMENTS,
        "A payment method newly attached in Stripe becomes the customer's default there.",
    )  # fmt: skip

    tax_rate: Decimal = setting(
        Decimal(0), "Tax rate", TAX, "Flat tax in percent: 5 turns $100 into $105.", minimum=0, maximum=100,
    )  # fmt: skip
    tax_inclusive: bool = setting(
        False, "Prices contain the tax", TAX,
        "On: the total stays what the prices say and the invoice shows how much of it is tax. Off: tax is added.",
    )  # fmt: skip
    tax_via_payment_provider: bool = setting(
        False, "Tax by the payment provider", TAX, "Stripe Tax computes the tax; we copy its amount.",
    )  # fmt: skip

    invoice_fixed_components_at_start: bool = setting(
        False, "Bill fixed items in advance", ADVANCE,
        "Base price, add-ons and other fixed items are billed at the start of the cycle.",
    )  # fmt: skip
    invoice_metered_components_at_start: bool = setting(
        False, "Bill gauges in advance", ADVANCE,
        "Gauge meters are billed in advance too, at their value at the start of the cycle.",
    )  # fmt: skip
    invoice_overages: bool = setting(
        False, "Bill the true-up on the following invoice", ADVANCE,
        "What a cycle used beyond what was billed in advance goes on the next invoice.",
    )  # fmt: skip
    should_minimum_charge_override_line_items: bool = setting(
        False, "Minimum charge replaces its lines", ADVANCE,
        "When a minimum applies, its line stands alone instead of adding a top-up line.",
    )  # fmt: skip

    communicate_payment_failures: bool = setting(
        False, "Tell the customer about failed payments", REMINDERS, "E-mail the customer when a payment fails.",
    )  # fmt: skip
    upcoming_reminder_days_array: tuple[int, ...] = setting(
        (), "Remind before the due date", REMINDERS, "Days before the due date, for example 7, 1.", maximum=365,
    )  # fmt: skip
    past_due_reminder_days_array: tuple[int, ...] = setting(
        (), "Remind after the due date", REMINDERS, "Days after the due date, for example 1, 7, 14.", maximum=365,
    )  # fmt: skip

    include_ach_instructions: bool = setting(
        False, "Print bank details", BANK, "Print the ACH and wire block on invoices.",
    )  # fmt: skip
    ach_account_name: str = setting("", "Account name", BANK, "Holder of the account.")
    ach_account_number: str = setting("", "Account number", BANK, "Account number or IBAN.", max_length=64)
    ach_routing_number: str = setting("", "Routing number (ABA)", BANK, "Nine digits.", max_length=32)
    ach_swift_code: str = setting("", "SWIFT code", BANK, "For wires from abroad.", max_length=32)
    ach_bank_name: str = setting("", "Bank", BANK, "Name of the bank.")
    ach_bank_address_1: str = setting("", "Bank address", BANK, "First line of the bank's address.")
    ach_bank_address_2: str = setting("", "Bank address, second line", BANK, "Second line of the address.")

    sources: Mapping[str, Source] = field(default_factory=dict, compare=False, repr=False)

    @property
    def invoice_grace_period(self) -> timedelta:
        return duration(self.invoice_grace_period_length, self.invoice_grace_period_unit)

    @property
    def payment_grace_period(self) -> timedelta:
        return duration(self.payment_grace_period_length, self.payment_grace_period_unit)

    @property
    def retry_frequency(self) -> timedelta:
        return duration(self.retry_frequency_length, self.retry_frequency_unit)

    @property
    def charges_emailed_invoices(self) -> bool:
        """Whether the stored payment method is charged for invoices that we e-mail. Only where that was chosen
        knowingly: an override to e-mail alone does not turn the vendor's auto-charge of Stripe invoices into it."""
        by_override = self.sources.get("invoice_via_octane") == Source.CUSTOMER
        knowingly = not by_override or self.sources.get("charges_enabled") == Source.CUSTOMER
        delivers = self.should_send_invoice_to_customers and self.invoice_via_octane
        return delivers and self.charges_enabled and knowingly

    def snapshot(self) -> dict[str, Any]:
        """Values and sources, as kept with an invoice step (JSON types only)."""
        return {
            s.name: {
                "value": jsonable(getattr(self, s.name)),
                "source": str(self.sources.get(s.name, Source.DEFAULT)),
            }
            for s in SETTINGS
        }


def duration(length: int, unit: str) -> timedelta:
    return timedelta(**{f"{unit}s": length})


def jsonable(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return list(value) if isinstance(value, tuple) else value


def _setting_types() -> dict[str, type]:
    hints = typing.get_type_hints(BillingPolicy)
    return {f.name: typing.get_origin(hints[f.name]) or hints[f.name] for f in fields(BillingPolicy)}


SETTINGS: tuple[Setting, ...] = tuple(declared_settings(BillingPolicy, _setting_types()))
SETTING_NAMES: tuple[str, ...] = tuple(s.name for s in SETTINGS)


def resolve(vendor_values: Mapping[str, Any], override: Mapping[str, Any]) -> BillingPolicy:
    """Field by field: the override's value, else the vendor's, else the default. None means "not set here"."""
    values: dict[str, Any] = {}
    sources: dict[str, Source] = {}
    for source, row in ((Source.CUSTOMER, override), (Source.VENDOR, vendor_values)):
        for name in SETTING_NAMES:
            if name not in values and row.get(name) is not None:
                values[name] = tuple(row[name]) if isinstance(row[name], list) else row[name]
                sources[name] = source
    return BillingPolicy(**values, sources=MappingProxyType(sources))


def vendor_policy(vendor: Vendor) -> BillingPolicy:
    """The vendor's settings, before any override."""
    from customers.settings.models import BillingSettings

    return resolve(BillingSettings.values_of(vendor), {})


def policy_for(customer: Customer) -> BillingPolicy:
    """The settings that apply to one customer."""
    return policies_for(customer.vendor, [customer.pk])[customer.pk]


def policies_for(vendor: Vendor, customer_ids: Iterable[int]) -> dict[int, BillingPolicy]:
    """The same for many customers of one vendor, with two queries."""
    from customers.settings.models import BillingSettings, BillingSettingsOverride

    ids = list(customer_ids)
    vendor_values = BillingSettings.values_of(vendor)
    overrides = {
        row["customer_id"]: row
        for row in BillingSettingsOverride.objects.of(vendor)
        .filter(customer_id__in=ids)
        .values("customer_id", *SETTING_NAMES)
    }
    plain = resolve(vendor_values, {})
    return {pk: resolve(vendor_values, overrides[pk]) if pk in overrides else plain for pk in ids}
