"""For every setting: two of its values and what each of them does, seen where it takes effect.

``see`` makes the thing happen anew for one customer and tells what came of it. ``given`` are the vendor's other
settings without which this one has no effect.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from customers.directory import update_customer
from customers.models import Customer
from invoicing.invoices.lifecycle import mark_paid
from invoicing.invoices.numbering import assign_numbers
from invoicing.models import Invoice, LineItem
from payments.models import StripeEvent
from payments.stripe import customer_sync
from payments.stripe.customer_news import look_at_method
from tests.scenarios.every_setting.stage import BY, NOW, Stage
from tests.world import utc

See = Callable[[Stage, Customer], Any]


@dataclass(frozen=True)
class Case:
    """``first`` and ``second`` are a value and its outcome."""

    name: str
    see: See
    first: tuple[Any, Any]
    second: tuple[Any, Any]
    given: Mapping[str, Any] = field(default_factory=dict)


DELIVERY = {"should_send_invoice_to_customers": True}
BY_STRIPE = {**DELIVERY, "invoice_via_octane": False, "charges_enabled": True}
BANK = {"include_ach_instructions": True, "ach_account_number": "DE02"}


# Where it goes


def _recipients(stage: Stage, customer: Customer) -> list[str]:
    return [kind for kind in ("invoice",) if stage.written(stage.issued(customer), kind)]


def _channel(stage: Stage, customer: Customer) -> str:
    stage.counterpart(customer)
    invoice = stage.issued(customer)
    return "Stripe" if invoice.external_invoice_id else ", ".join(email.kind for email in invoice.emails.all())


def _of_stripe_invoice(name: str) -> See:
    return lambda stage, customer: stage.in_stripe(customer)[name]


def _taxed_by_stripe(stage: Stage, customer: Customer) -> bool:
    return bool(stage.in_stripe(customer)["automatic_tax"]["enabled"])


# What it says


def _number(stage: Stage, customer: Customer) -> str:
    """Its number, but for the counter."""
    invoice = stage.waiting(customer, number="")
    assign_numbers(stage.vendor, [invoice.pk], real_now=NOW)
    return stage.again(invoice).number.rstrip("0123456789")


def _printed(*words: str, otherwise: str = "") -> See:
    """Which of these words stands on the document."""

    def see(stage: Stage, customer: Customer) -> str:
        text = stage.printed(stage.generated(customer))
        return next((word for word in words if word in text), otherwise)

    return see


def _pictures(stage: Stage, customer: Customer) -> int:
    """How many stand on the document, where the file was fetched before."""
    stage.keep_logo("https://northwind.example/logo.png")
    return stage.pictures(stage.generated(customer))


def _bank(name: str, first: str, second: str) -> Case:
    return Case(name, _printed(first, second), (first, first), (second, second), BANK)


def _line_items(stage: Stage, customer: Customer) -> list[tuple[str, int]]:
    return [(line.kind, line.amount) for line in stage.generated(customer).line_items.all()]


def _in_advance(stage: Stage, customer: Customer) -> list[tuple[str, int]]:
    """What is billed when a cycle begins."""
    lines = LineItem.objects.filter(invoice__opens=stage.begun(customer))
    return [(line.kind, line.amount) for line in lines]


def _after_the_cycle(stage: Stage, customer: Customer) -> list[tuple[str, int]]:
    return [(line.kind, line.amount) for line in stage.closed(customer).line_items.all()]


def _tax(stage: Stage, customer: Customer) -> tuple[int, int]:
    invoice = stage.generated(customer)
    return invoice.tax_amount, invoice.amount_due


# When it happens


def _next(stage: Stage, customer: Customer) -> tuple[str, bool]:
    invoice = stage.generated(customer)
    return invoice.next_action, invoice.next_action_at is not None


def _between(start: datetime, end: datetime | None) -> timedelta | None:
    return end - start if end else None


def _without_invoices(customer: Customer) -> None:
    Invoice.objects.filter(customer=customer).delete()


def _held(stage: Stage, customer: Customer) -> str:
    _without_invoices(customer)
    return stage.generated(customer).approval_reason


def _held_for_change(stage: Stage, customer: Customer) -> str:
    _without_invoices(customer)
    stage.open(customer, sub_total=10_000)
    return stage.generated(customer).approval_reason


def _held_if_flagged(stage: Stage, customer: Customer) -> str:
    update_customer(customer, {"review_reason": "They pay late"}, **BY)
    return stage.generated(customer).approval_reason


def _invoice_grace(stage: Stage, customer: Customer) -> timedelta | None:
    cycle = stage.ended_cycle(customer)
    return _between(cycle.end, cycle.next_action_at)


def _payment_grace(stage: Stage, customer: Customer) -> timedelta | None:
    invoice = stage.generated(customer)
    return _between(invoice.generated_at, invoice.next_action_at)


def _time_to_pay(stage: Stage, customer: Customer) -> timedelta | None:
    invoice = stage.issued(customer)
    return _between(NOW, invoice.due_date)


def _first_cycle(stage: Stage, customer: Customer) -> Any:
    return stage.subscribed(customer).cycles.get(index=0).end


def _next_try(stage: Stage, customer: Customer) -> timedelta | None:
    """Of issuing an invoice that has nowhere to go."""
    Customer.objects.filter(pk=customer.pk).update(email="")
    invoice = stage.issued(customer)
    assert invoice.status == "INVOICING_FAILED"
    return _between(NOW, invoice.next_action_at)


# What the customer is told


def _receipts(stage: Stage, customer: Customer) -> int:
    invoice = stage.issued(customer)
    mark_paid(invoice, **BY)
    return len(stage.written(invoice, "receipt"))


def _news_of_failure(stage: Stage, customer: Customer) -> int:
    return len(stage.written(stage.declined(customer), "payment_failed"))


def _reminders(kind: str, due_in_days: int) -> See:
    return lambda stage, customer: stage.written(stage.looked_at(customer, due_in_days=due_in_days), kind)


# What Stripe is told of the customer


def _name_in_stripe(stage: Stage, customer: Customer) -> str:
    """After an edit here: ``old`` or ``new``."""
    stage.counterpart(customer)
    before = stage.customer_in_stripe(customer)["name"]
    update_customer(customer, {"display_name": f"Acme {uuid4().hex}"}, **BY)
    customer_sync.send_waiting(real_now=NOW)
    return "old" if stage.customer_in_stripe(customer)["name"] == before else "new"


def _default_method(stage: Stage, customer: Customer) -> str:
    """After another card was attached in Stripe: which of them is the default, ``old`` or ``new``."""
    row = stage.counterpart(customer)
    card = stage.attach(row)
    news = StripeEvent(
        event_id=f"evt_{uuid4().hex}",
        type="payment_method.attached",
        object_id=card,
        body={"data": {"object": {"id": card, "customer": row.external_id}}},
    )
    look_at_method(row.connection, [news], NOW)
    default = stage.customer_in_stripe(customer)["invoice_settings"]["default_payment_method"]
    return "new" if default == card else "old"


DAY, HOUR = timedelta(days=1), timedelta(hours=1)
FIXED = {"invoice_fixed_components_at_start": True}
LEVELS = {**FIXED, "invoice_metered_components_at_start": True}
BASE, SEATS = ("BASE_PRICE", 10_000), ("METERED_COMPONENT", 700)
MINIMUM_ADDED = [("BASE_PRICE", 10_000), ("MINIMUM_CHARGE", 2_000)]

CASES = [
    Case("should_send_invoice_to_customers", _recipients, (False, []), (True, ["invoice"])),
    Case("invoice_via_octane", _channel, (True, "invoice"), (False, "Stripe"), DELIVERY),
    Case("stripe_auto_advance", _of_stripe_invoice("auto_advance"), (True, True), (False, False), BY_STRIPE),
    Case("stripe_immediate_finalization", _of_stripe_invoice("status"), (False, "draft"), (True, "paid"), BY_STRIPE),
    Case("invoice_memo", _printed("Thank you", "To customer"), ("Thank you", "Thank you"),
         ("To {customer_name}", "To customer")),
    Case("invoice_number_pattern", _number, ("A-{number}", "A-"), ("B/{year}/{number:03}", "B/2026/"), DELIVERY),
    Case("customer_invoice_detail_level", _printed("Unit price"), ("DETAILED", "Unit price"), ("SUMMARY", "")),
    Case("invoice_logo_url", _pictures, ("", 0), ("https://northwind.example/logo.png", 1)),
    Case("send_receipts", _receipts, (False, 0), (True, 1), DELIVERY),
    Case("auto_approve_invoices", _next, (True, ("issue", True)), (False, ("approve", False))),
    Case("hold_amount_above", _held, (0, ""), (11_999, "Held: $120.00 is above $119.99.")),
    Case("hold_change_above", _held_for_change, (20, ""),
         (19, "Held: it is 20 % more than the $100.00 of the last bill.")),
    Case("hold_first_invoice", _held, (False, ""), (True, "Held: first bill of this customer.")),
    Case("hold_flagged_customers", _held_if_flagged, (False, ""),
         (True, "Held: the customer is flagged: They pay late.")),
    Case("invoice_grace_period_length", _invoice_grace, (0, 0 * DAY), (3, 3 * DAY)),
    Case("invoice_grace_period_unit", _invoice_grace, ("day", 2 * DAY), ("hour", 2 * HOUR),
         {"invoice_grace_period_length": 2}),
    Case("payment_grace_period_length", _payment_grace, (0, 0 * DAY), (5, 5 * DAY)),
    Case("payment_grace_period_unit", _payment_grace, ("day", 2 * DAY), ("minute", timedelta(minutes=2)),
         {"payment_grace_period_length": 2}),
    Case("days_until_due", _time_to_pay, (30, 30 * DAY), (14, 14 * DAY), DELIVERY),
    Case("align_billing_cycles_to_calendar", _first_cycle, (False, utc(2026, 3, 10)), (True, utc(2026, 3, 1))),
    Case("charges_enabled", _of_stripe_invoice("collection_method"), (True, "charge_automatically"),
         (False, "send_invoice"), BY_STRIPE),
    Case("retry_attempts", _next_try, (0, None), (2, DAY), DELIVERY),
    Case("retry_frequency_length", _next_try, (1, DAY), (3, 3 * DAY), DELIVERY),
    Case("retry_frequency_unit", _next_try, ("day", DAY), ("hour", HOUR), DELIVERY),
    Case("sync_customer_data_to_payment_gateway", _name_in_stripe, (False, "old"), (True, "new")),
    Case("auto_update_stripe_default_payment_method", _default_method, (False, "old"), (True, "new")),
    Case("tax_rate", _tax, (0, (0, 12_000)), (5, (600, 12_600))),
    Case("tax_inclusive", _tax, (False, (2_400, 14_400)), (True, (2_000, 12_000)), {"tax_rate": 20}),
    Case("tax_via_payment_provider", _taxed_by_stripe, (False, False), (True, True), BY_STRIPE),
    Case("invoice_fixed_components_at_start", _in_advance, (False, []), (True, [BASE])),
    Case("invoice_metered_components_at_start", _in_advance, (False, [BASE]), (True, [BASE, SEATS]), FIXED),
    Case("invoice_overages", _after_the_cycle, (False, []), (True, [("METERED_COMPONENT", 200)]), LEVELS),
    Case("should_minimum_charge_override_line_items", _line_items, (False, MINIMUM_ADDED),
         (True, [("MINIMUM_CHARGE", 12_000)])),
    Case("communicate_payment_failures", _news_of_failure, (False, 0), (True, 1), DELIVERY),
    Case("upcoming_reminder_days_array", _reminders("upcoming", 3), ([], []), ([7], ["7"]), DELIVERY),
    Case("past_due_reminder_days_array", _reminders("past_due", -5), ([], []), ([1, 4], ["4"]), DELIVERY),
    Case("include_ach_instructions", _printed("DE02"), (False, ""), (True, "DE02"), BANK),
    _bank("ach_account_name", "Northwind Ltd", "Southwind Ltd"),
    _bank("ach_account_number", "DE021205", "DE891204"),
    _bank("ach_routing_number", "021000021", "011401533"),
    _bank("ach_swift_code", "BYLADEM1", "COBADEFF"),
    _bank("ach_bank_name", "First Bank", "Second Bank"),
    _bank("ach_bank_address_1", "1 High Street", "2 Low Street"),
    _bank("ach_bank_address_2", "10001 New York", "60601 Chicago"),
]  # fmt: skip
