"""The states of an invoice, which may follow which, and how each is shown. Imports no model."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import models


class InvoiceStatus(models.TextChoices):
    GENERATED = "INVOICE_GENERATED", "Generated"
    ISSUED = "INVOICE_ISSUED", "Issued"
    INVOICING_FAILED = "INVOICING_FAILED", "Issuing failed"
    PAYMENT_FAILED = "PAYMENT_FAILED", "Payment failed"
    PAID = "INVOICE_PAID", "Paid"
    VOIDED = "INVOICE_VOIDED", "Voided"
    UNCOLLECTIBLE = "INVOICE_UNCOLLECTIBLE", "Uncollectible"


S = InvoiceStatus

TRANSITIONS: Mapping[InvoiceStatus, frozenset[InvoiceStatus]] = {
    S.GENERATED: frozenset({S.ISSUED, S.INVOICING_FAILED, S.PAID, S.VOIDED}),
    S.INVOICING_FAILED: frozenset({S.ISSUED, S.PAID, S.VOIDED}),
    S.ISSUED: frozenset({S.PAID, S.PAYMENT_FAILED, S.VOIDED, S.UNCOLLECTIBLE}),
    S.PAYMENT_FAILED: frozenset({S.PAID, S.VOIDED, S.UNCOLLECTIBLE}),
    S.UNCOLLECTIBLE: frozenset({S.PAID, S.VOIDED}),
    S.PAID: frozenset(),
    S.VOIDED: frozenset(),
}

# What else the gateway's word can bring about, which nobody here may decide: a payment that was taken off the invoice
# again, and an invoice that was paid at the moment somebody here gave it up.
MIRRORED: Mapping[InvoiceStatus, frozenset[InvoiceStatus]] = {
    **TRANSITIONS,
    S.PAID: frozenset({S.ISSUED}),
    S.VOIDED: frozenset({S.PAID, S.UNCOLLECTIBLE}),
}

BEFORE_ISSUE = frozenset({S.GENERATED, S.INVOICING_FAILED})
OPEN = frozenset({S.ISSUED, S.PAYMENT_FAILED})
TERMINAL = frozenset({S.PAID, S.VOIDED})

# One of unfold's label colours for each state, always shown beside the word.
COLOURS: Mapping[InvoiceStatus, str] = {
    S.GENERATED: "info",
    S.ISSUED: "primary",
    S.INVOICING_FAILED: "danger",
    S.PAYMENT_FAILED: "danger",
    S.PAID: "success",
    S.VOIDED: "default",
    S.UNCOLLECTIBLE: "warning",
}


class InvoiceAction(models.TextChoices):
    """What happens next to an invoice. ``APPROVE`` waits for a person and has no time."""

    APPROVE = "approve", "Approve"
    ISSUE = "issue", "Issue"
    COLLECT = "collect", "Try the payment again"
    VOID_AT_GATEWAY = "void_at_gateway", "Void in Stripe"
    MARK_PAID_AT_GATEWAY = "mark_paid_at_gateway", "Mark as paid in Stripe"
    UNCOLLECTIBLE_AT_GATEWAY = "uncollectible_at_gateway", "Mark as uncollectible in Stripe"
    SEND_AT_GATEWAY = "send_at_gateway", "Send again from Stripe"
    REFUND = "refund", "Refund in Stripe"
    NONE = "", "Nothing"


class Attention(models.IntegerChoices):
    """What an invoice waits for a person for, the least urgent first."""

    NONE = 0, "Nothing"
    APPROVAL = 1, "Needs approval"
    DISPUTE = 2, "A dispute needs a response"
    FAILED = 3, "Failed"
