"""Settings that are stored but have no effect, each with the reason. Nothing is refused for it: separate
calls must be possible in any order."""

from __future__ import annotations

from collections.abc import Callable

from customers.settings.policy import BillingPolicy

DELIVERY_OFF = "Has no effect while should_send_invoice_to_customers is off: nothing leaves the building."
BY_EMAIL = "Has no effect while invoice_via_octane is on: it concerns Stripe invoices."
NOT_CHARGED_BY_EMAIL = (
    "Invoices that we e-mail to this customer are not charged: the override says invoice_via_octane, and auto-charge "
    "is only the vendor's. Set charges_enabled in the override too to charge the stored payment method."
)
NOT_CHARGED_IN_DRAFT = "Draft Mode (stripe_auto_advance is off): nothing is charged until somebody acts in Stripe."
NOT_FINALIZED_IN_DRAFT = "Draft Mode (stripe_auto_advance is off) keeps the Stripe invoice a draft."
NO_DUE_DATE = (
    "Only reminds of Stripe invoices that Stripe could not charge by itself: the others have no due date to remind of."
)
TAXED_BY_US = "Has no effect on invoices that we e-mail: they are taxed at tax_rate."
TAXED_BY_STRIPE = "Has no effect on Stripe invoices while tax_via_payment_provider is on: Stripe computes their tax."
NOT_APPROVED = "Has no effect while auto_approve_invoices is off: every invoice waits for a person."
NO_TAX_RATE = "Has no effect while tax_rate is 0: there is no tax that prices could contain."
NOT_IN_ADVANCE = "Has no effect while invoice_fixed_components_at_start is off: nothing is billed in advance."
NO_LEVELS_IN_ADVANCE = (
    "Has no effect while invoice_metered_components_at_start is off: usage is billed when its cycle has ended, and "
    "fixed items are always compared with what they came to."
)
NO_BANK_DETAILS = "There is nothing to print: no account number is given."


def warnings_for(policy: BillingPolicy) -> dict[str, str]:
    """By field, why its present value does nothing."""
    return {name: text for name, why in _CHECKS.items() if (text := why(policy))}


def _about_stripe(policy: BillingPolicy) -> str:
    """Why nothing becomes a Stripe invoice; empty where invoices do."""
    if not policy.should_send_invoice_to_customers:
        return DELIVERY_OFF
    return BY_EMAIL if policy.invoice_via_octane else ""


def _via_provider(policy: BillingPolicy) -> str:
    return DELIVERY_OFF if not policy.invoice_via_octane and not policy.should_send_invoice_to_customers else ""


def _draft_mode(policy: BillingPolicy) -> str:
    return "" if policy.stripe_auto_advance else _about_stripe(policy)


def _immediate_finalization(policy: BillingPolicy) -> str:
    if not policy.stripe_immediate_finalization:
        return ""
    return _about_stripe(policy) or ("" if policy.stripe_auto_advance else NOT_FINALIZED_IN_DRAFT)


def _auto_charge(policy: BillingPolicy) -> str:
    if not policy.charges_enabled:
        return ""
    if not policy.should_send_invoice_to_customers:
        return DELIVERY_OFF
    if policy.invoice_via_octane:
        return "" if policy.charges_emailed_invoices else NOT_CHARGED_BY_EMAIL
    return "" if policy.stripe_auto_advance else NOT_CHARGED_IN_DRAFT


def _tax_by_provider(policy: BillingPolicy) -> str:
    if not policy.tax_via_payment_provider:
        return ""
    if not policy.should_send_invoice_to_customers:
        return DELIVERY_OFF
    return TAXED_BY_US if policy.invoice_via_octane else ""


def _tax_rate(policy: BillingPolicy) -> str:
    by_stripe = policy.tax_via_payment_provider and not _tax_by_provider(policy)
    return TAXED_BY_STRIPE if policy.tax_rate and by_stripe else ""


def _tax_inclusive(policy: BillingPolicy) -> str:
    if not policy.tax_inclusive:
        return ""
    return _tax_rate(policy) if policy.tax_rate else NO_TAX_RATE


def _bank_details(policy: BillingPolicy) -> str:
    return NO_BANK_DETAILS if policy.include_ach_instructions and not policy.ach_account_number else ""


def _hold(name: str) -> Callable[[BillingPolicy], str]:
    """The one rule that is on by default needs no explanation."""

    def check(policy: BillingPolicy) -> str:
        is_wanted = getattr(policy, name) and name in policy.sources
        return NOT_APPROVED if is_wanted and not policy.auto_approve_invoices else ""

    return check


def _levels_in_advance(policy: BillingPolicy) -> str:
    if not policy.invoice_metered_components_at_start or policy.invoice_fixed_components_at_start:
        return ""
    return NOT_IN_ADVANCE


def _overages(policy: BillingPolicy) -> str:
    if not policy.invoice_overages:
        return ""
    if not policy.invoice_fixed_components_at_start:
        return NOT_IN_ADVANCE
    return "" if policy.invoice_metered_components_at_start else NO_LEVELS_IN_ADVANCE


def _email_to_customer(name: str) -> Callable[[BillingPolicy], str]:
    """E-mails about an invoice go out by our own mail, whoever collects it, but only while delivery is on."""

    def check(policy: BillingPolicy) -> str:
        return DELIVERY_OFF if getattr(policy, name) and not policy.should_send_invoice_to_customers else ""

    return check


def _reminders(name: str) -> Callable[[BillingPolicy], str]:
    off = _email_to_customer(name)

    def check(policy: BillingPolicy) -> str:
        if not getattr(policy, name):
            return ""
        by_stripe = not policy.invoice_via_octane and policy.charges_enabled
        return off(policy) or (NO_DUE_DATE if by_stripe else "")

    return check


_CHECKS: dict[str, Callable[[BillingPolicy], str]] = {
    "invoice_via_octane": _via_provider,
    "stripe_auto_advance": _draft_mode,
    "stripe_immediate_finalization": _immediate_finalization,
    "charges_enabled": _auto_charge,
    "tax_via_payment_provider": _tax_by_provider,
    "tax_rate": _tax_rate,
    "tax_inclusive": _tax_inclusive,
    "hold_amount_above": _hold("hold_amount_above"),
    "hold_change_above": _hold("hold_change_above"),
    "hold_first_invoice": _hold("hold_first_invoice"),
    "hold_flagged_customers": _hold("hold_flagged_customers"),
    "include_ach_instructions": _bank_details,
    "invoice_metered_components_at_start": _levels_in_advance,
    "invoice_overages": _overages,
    "send_receipts": _email_to_customer("send_receipts"),
    "communicate_payment_failures": _email_to_customer("communicate_payment_failures"),
    "upcoming_reminder_days_array": _reminders("upcoming_reminder_days_array"),
    "past_due_reminder_days_array": _reminders("past_due_reminder_days_array"),
}
