"""What is printed under the settings as they are typed: the next number and the memo; and what saving would move."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from billing_portal.portal.access import OperatorRequest
from billing_portal.portal.example_cycle import Step, example_steps, month_of
from billing_portal.portal.timeline_picture import Picture, picture_of
from customers.customer import Customer
from customers.settings.number_pattern import problem_with
from customers.settings.policy import BillingPolicy
from invoicing.invoices.documents.memo import render_memo, unknown_variables
from invoicing.invoices.generation import memo_variables
from invoicing.invoices.models import Invoice
from invoicing.invoices.numbering import next_number
from invoicing.invoices.reschedule import Moves, would_move

NOBODY = Customer(name="acme", display_name="Acme Inc.")
INVOICE_ID = uuid.UUID("0b54a3c2-6d0e-4f0c-9a3e-2f6b1c8d7e90")


@dataclass(frozen=True)
class Meaning:
    """``unknown`` are names in braces that stay as typed; ``moves`` is None where nothing is about to be saved."""

    steps: list[Step]
    picture: Picture
    number: str
    memo: str
    unknown: list[str]
    moves: Moves | None = None


def meaning_of(
    request: OperatorRequest, policy: BillingPolicy, customer: Customer | None = None, *, is_typed: bool = False
) -> Meaning:
    moves = would_move(request.vendor, customer, policy, real_now=request.real_now) if is_typed else None
    steps = example_steps(policy, request.vendor.zone, request.now)
    return Meaning(
        steps=steps,
        picture=picture_of(steps),
        number="" if problem_with(policy.invoice_number_pattern) else _number(request, policy),
        memo=render_memo(policy.invoice_memo, memo_variables(_invoice(request, customer or NOBODY))),
        unknown=unknown_variables(policy.invoice_memo),
        moves=moves,
    )


def _number(request: OperatorRequest, policy: BillingPolicy) -> str:
    return next_number(request.vendor, policy, real_now=request.real_now).text


def _invoice(request: OperatorRequest, customer: Customer) -> Invoice:
    """Of the month that is running."""
    start, end = month_of(request.now.astimezone(request.vendor.zone))
    period = {"period_start": start, "period_end": end, "min_item_start_time": start, "max_item_end_time": end}
    return Invoice(uuid=INVOICE_ID, vendor=request.vendor, customer=customer, **period)
