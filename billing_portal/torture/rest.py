"""When is a tortured installation at rest? When nothing waits that time alone would bring about."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import psycopg

from billing_portal.torture.stage import Stage

# A poll for missed events comes every five minutes.
LONGEST = 45 * 60.0
LOOK = 5.0

_WAITING = """
    SELECT (SELECT count(*) FROM customers_vendor WHERE clock_target IS NOT NULL),
        (SELECT count(*) FROM invoicing_invoice AS invoice
         JOIN customers_vendor AS vendor ON vendor.id = invoice.vendor_id
         WHERE invoice.next_action_at < now() + vendor.clock_offset - interval '1 minute' AND paused_at IS NULL),
        (SELECT count(*) FROM invoicing_billingcycle AS cycle
         JOIN customers_vendor AS vendor ON vendor.id = cycle.vendor_id
         WHERE cycle.next_action_at < now() + vendor.clock_offset - interval '1 minute'),
        (SELECT count(*) FROM invoicing_refund WHERE state = 'sending'),
        (SELECT count(*) FROM invoicing_outgoingemail AS email
         JOIN customers_vendor AS vendor ON vendor.id = email.vendor_id
         WHERE email.next_action_at < now() + vendor.clock_offset - interval '1 minute'),
        (SELECT count(*) FROM payments_stripeevent WHERE state = 'pending'),
        (SELECT count(*) FROM customers_event WHERE dispatched_at IS NULL),
        (SELECT count(*) FROM customers_webhookdelivery WHERE state = 'pending'),
        (SELECT count(*) FROM sandbox_delivery WHERE state = 'pending'),
        (SELECT count(*) FROM invoicing_invoice AS mine JOIN sandbox_storedobject AS there
             ON there.stripe_id = mine.external_invoice_id
         WHERE mine.status IN ('INVOICE_ISSUED', 'PAYMENT_FAILED') AND there.status <> 'open')
"""
# Stripe would try these again within half an hour. Nothing else happens until then, so they are asked for.
ON_THEIR_WAY = "webhooks on their way"
NAMES = (
    "moving clocks",
    "due invoices",
    "due cycles",
    "refunds",
    "e-mails",
    "webhooks of Stripe's",
    "events",
    "deliveries",
    ON_THEIR_WAY,
    "outcomes unheard of",
)


def waiting(stage: Stage) -> dict[str, int]:
    """What still waits, by what it is."""
    with psycopg.connect(stage.ready["database_url"], autocommit=True, connect_timeout=10) as connection:
        row: Any = connection.execute(_WAITING).fetchone()
    return {name: count for name, count in zip(NAMES, row, strict=True) if count}


def come_to_rest(stage: Stage, told: Callable[[dict[str, int]], None]) -> dict[str, int]:
    """Wait for it; answers what has not come to rest within ``LONGEST``. ``told`` hears what still waits."""
    deadline = time.monotonic() + LONGEST
    while left := waiting(stage):
        told(left)
        if set(left) == {ON_THEIR_WAY}:
            stage.control("webhooks/retry", {})
        if time.monotonic() > deadline:
            return left
        time.sleep(LOOK)
    return {}
