"""When does what happen to an invoice? Pure functions of the policy, and the moment they are asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from customers.money import format_money
from customers.settings.policy import BillingPolicy, Source
from customers.vendor import Vendor
from invoicing.gateways import Retry
from invoicing.invoices.ledger import DisputeState
from invoicing.invoices.models import Channel, Invoice
from invoicing.invoices.states import InvoiceAction, InvoiceStatus


def issue_time(generated_at: datetime, policy: BillingPolicy) -> datetime:
    return generated_at + policy.payment_grace_period


def first_action(
    policy: BillingPolicy, issue_at: datetime, *, is_held: bool = False
) -> tuple[InvoiceAction, datetime | None]:
    """What follows generation. An invoice that needs a person's approval has no time."""
    if policy.auto_approve_invoices and not is_held:
        return InvoiceAction.ISSUE, issue_at
    return InvoiceAction.APPROVE, None


def channel_for(policy: BillingPolicy) -> Channel:
    if not policy.should_send_invoice_to_customers:
        return Channel.NONE
    return Channel.EMAIL if policy.invoice_via_octane else Channel.GATEWAY


def due_date(issued_at: datetime, policy: BillingPolicy, chosen: datetime | None = None) -> datetime | None:
    """Null where the gateway charges by itself: there is no day by which somebody has to pay."""
    if channel_for(policy) == Channel.GATEWAY and policy.charges_enabled:
        return None
    return chosen or issued_at + timedelta(days=policy.days_until_due)


def chosen_day(invoice: Invoice, issued_at: datetime) -> date | None:
    """The due date that a person chose; the day of issue, if it is issued later than that."""
    if invoice.chosen_due_date is None:
        return None
    return max(invoice.chosen_due_date, issued_at.astimezone(invoice.vendor.zone).date())


def chosen_due_date(invoice: Invoice, issued_at: datetime) -> datetime | None:
    day = chosen_day(invoice, issued_at)
    return end_of_day(day, invoice.vendor.zone) if day else None


def end_of_day(day: date, zone: ZoneInfo) -> datetime:
    """Its last second: who has to pay by a day has all of it."""
    return datetime.combine(day, time(23, 59, 59), zone).astimezone(UTC)


def retry_at(failures: int, failed_at: datetime, policy: BillingPolicy) -> datetime | None:
    """When to try again after the ``failures``-th failure; None when a person has to look."""
    return failed_at + policy.retry_frequency if failures <= policy.retry_attempts else None


@dataclass(frozen=True, slots=True)
class NextStep:
    """For people: what happens next, when (None: when somebody acts), and why."""

    sentence: str
    at: datetime | None
    because: str


SOURCES = {
    Source.DEFAULT: "the default setting",
    Source.VENDOR: "Settings → Invoicing & Payments",
    Source.CUSTOMER: "this customer's override",
}


def next_step(invoice: Invoice, policy: BillingPolicy) -> NextStep:
    """What happens next to this invoice, in words."""
    step = _next_step(invoice, policy)
    vendor = invoice.vendor
    if vendor.billing_paused_at and is_by_itself(invoice):
        return replace(step, because=f"{_paused(vendor)} {step.because}")
    return step


def is_by_itself(invoice: Invoice) -> bool:
    """Whether its next step comes from the schedule, and so waits while billing is paused."""
    action = InvoiceAction(invoice.next_action)
    return action == InvoiceAction.ISSUE or (action == InvoiceAction.COLLECT and not invoice.action_request)


def _paused(vendor: Vendor) -> str:
    return f"Waits, because {vendor.billing_paused_by} has paused billing: {vendor.billing_pause_reason}."


def _next_step(invoice: Invoice, policy: BillingPolicy) -> NextStep:
    action = InvoiceAction(invoice.next_action)
    if invoice.paused_at:
        return NextStep(f"Held back by {invoice.paused_by} until somebody resumes it.", None, invoice.pause_reason)
    if action == InvoiceAction.ISSUE:
        return NextStep(_issue_sentence(invoice, policy), invoice.next_action_at, _issue_reason(invoice, policy))
    if action == InvoiceAction.APPROVE:
        return NextStep("Waits for approval.", None, _approval_reason(invoice, policy))
    if action == InvoiceAction.COLLECT and not invoice.action_request and invoice.next_action_at:
        tries = f"{invoice.payment_retry_attempt} of {policy.retry_attempts} retries"
        because = f"The last try failed: {invoice.payment_error} This is {tries} ({_source(policy, 'retry')})."
        return NextStep("The payment is tried again.", invoice.next_action_at, because)
    if action in _DECIDED_HERE:
        return NextStep(f"{action.label}.", invoice.next_action_at, "A person decided so here.")
    return _resting(invoice, policy)


_DECIDED_HERE = frozenset(
    {
        InvoiceAction.COLLECT,
        InvoiceAction.VOID_AT_GATEWAY,
        InvoiceAction.MARK_PAID_AT_GATEWAY,
        InvoiceAction.UNCOLLECTIBLE_AT_GATEWAY,
        InvoiceAction.SEND_AT_GATEWAY,
        InvoiceAction.REFUND,
    }
)

_SETTING_OF = {
    "approve": "auto_approve_invoices",
    "grace": "payment_grace_period_length",
    "delivery": "should_send_invoice_to_customers",
    "channel": "invoice_via_octane",
    "retry": "retry_attempts",
}


def _approval_reason(invoice: Invoice, policy: BillingPolicy) -> str:
    if invoice.hold_reason:
        return f"Held: {invoice.hold_reason}."
    return f"Automatic approval is off ({_source(policy, 'approve')})."


def _source(policy: BillingPolicy, key: str) -> str:
    return SOURCES[policy.sources.get(_SETTING_OF[key], Source.DEFAULT)]


def _issue_sentence(invoice: Invoice, policy: BillingPolicy) -> str:
    again = " again" if invoice.state == InvoiceStatus.INVOICING_FAILED else ""
    match channel_for(policy):
        case Channel.NONE:
            return "Stays here: invoice delivery is off, nothing is sent."
        case Channel.EMAIL:
            if policy.charges_emailed_invoices:
                return f"Is charged to the stored payment method and e-mailed{again} with its PDF."
            return f"Is e-mailed{again} to the customer with its PDF."
    if not policy.stripe_auto_advance:
        return f"Becomes a draft in Stripe{again} (Draft Mode)."
    how = "charged automatically" if policy.charges_enabled else "sent for payment"
    return f"Becomes a Stripe invoice{again}, {how}."


def _issue_reason(invoice: Invoice, policy: BillingPolicy) -> str:
    if invoice.state == InvoiceStatus.INVOICING_FAILED:
        tries = f"{invoice.invoice_retry_attempt} of {policy.retry_attempts} retries used"
        return f"The last try failed; {tries} ({_source(policy, 'retry')})."
    length, unit = policy.payment_grace_period_length, policy.payment_grace_period_unit
    grace = f"Payment grace period of {length} {unit}{'' if length == 1 else 's'}"
    return f"{grace} ({_source(policy, 'grace')}); channel from {_source(policy, 'channel')}."


def _resting(invoice: Invoice, policy: BillingPolicy) -> NextStep:
    match invoice.state:
        case InvoiceStatus.GENERATED:
            because = f"Invoice delivery was off when its time came ({_source(policy, 'delivery')})."
            return NextStep("Nothing by itself. Issue it by hand when it should go out.", None, because)
        case InvoiceStatus.INVOICING_FAILED:
            return NextStep("Waits for a person.", None, invoice.invoicing_error)
        case InvoiceStatus.ISSUED | InvoiceStatus.PAYMENT_FAILED:
            return _unpaid(invoice, policy)
        case InvoiceStatus.PAID if invoice.dispute_state:
            return _disputed(invoice)
    return NextStep("Nothing: it is finished.", None, invoice.state.label)


def _unpaid(invoice: Invoice, policy: BillingPolicy) -> NextStep:
    """Who moves next, now that it is out: Stripe's schedule, the customer, or a person."""
    if invoice.status_error:
        return NextStep("Stripe could not finalize it. Waits for a person.", None, invoice.status_error)
    if invoice.gateway_next_attempt_at is not None:
        again = " again" if invoice.state == InvoiceStatus.PAYMENT_FAILED else ""
        because = invoice.payment_error or invoice.delivery or "It has been issued."
        return NextStep(
            f"Stripe tries the payment{again}, on its own schedule.", invoice.gateway_next_attempt_at, because
        )
    if invoice.state == InvoiceStatus.PAYMENT_FAILED:
        return _failed(invoice, policy)
    if invoice.payment_error and invoice.retry_advice:
        return NextStep("Waits for a person, or for the customer's payment.", None, invoice.payment_error)
    because = _part_paid(invoice) or invoice.delivery or "It has been issued."
    if invoice.gateway_status == "draft":
        return NextStep("Waits as a draft in Stripe.", None, because)
    is_charged = invoice.gateway_collection == "charge_automatically"
    words = "Stripe collects it and tells us." if is_charged else "Waits for the customer's payment."
    return NextStep(words, invoice.due_date, because)


def _failed(invoice: Invoice, policy: BillingPolicy) -> NextStep:
    match invoice.retry_advice:
        case Retry.CUSTOMER if invoice.is_charged_by_us:
            return NextStep("Waits for the customer to pay by other means.", None, invoice.payment_error)
        case Retry.CUSTOMER:
            told = policy.should_send_invoice_to_customers and policy.communicate_payment_failures
            how = (
                "They were e-mailed the link to do so."
                if told
                else "They were not told: payment failure e-mails are off."
            )
            return NextStep(
                "Waits for the customer to authenticate the payment.", None, f"{invoice.payment_error} {how}"
            )
        case Retry.NEVER:
            words = "Waits for a person: this payment method is never tried again."
            return NextStep(words, None, invoice.payment_error)
    if invoice.gateway_advances:
        words = "Stripe has stopped trying. Waits for a person, or for the customer's payment."
    elif invoice.gateway_collection == "charge_automatically":
        words = "All retries are used. Waits for a person, or for the customer's payment."
    else:
        words = "Waits for the customer's payment."
    return NextStep(words, invoice.due_date, invoice.payment_error)


def _part_paid(invoice: Invoice) -> str:
    if not invoice.amount_paid:
        return ""
    rest, all_ = (format_money(amount, invoice.currency) for amount in (invoice.amount_remaining, invoice.amount_due))
    return f"Part of it is paid: {rest} of {all_} remain."


def _disputed(invoice: Invoice) -> NextStep:
    match invoice.dispute_state:
        case DisputeState.NEEDS_RESPONSE:
            return NextStep(
                "Waits for a person to answer the dispute in Stripe.", None, "A bank questions the payment."
            )
        case DisputeState.UNDER_REVIEW:
            return NextStep("Waits for the bank to decide the dispute.", None, "A bank questions the payment.")
        case DisputeState.LOST:
            return NextStep("Nothing: it is finished.", None, "The dispute was lost: the bank took the money back.")
    return NextStep("Nothing: it is finished.", None, "The dispute is over; the money stays.")
