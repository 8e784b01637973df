"""The books, after everything: each check answers what is wrong, a line for each thing.

Run in the installation's own environment (``manage.py torture_audit``), because it reads its database: ours, and the
sandbox's, whose tables are Stripe's word here. Set-based: one statement a check, however many invoices.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from customers.events.models import DeliveryState, WebhookDelivery

Row = Sequence[Any]


@dataclass(frozen=True)
class Check:
    """``sql`` finds what breaks the rule; ``words`` says it of one row, by its columns."""

    name: str
    sql: str
    words: str


CHECKS: Sequence[Check] = (
    Check(
        "every ended cycle has exactly one invoice",
        """
        SELECT cycle.id, customer.name, cycle.index FROM invoicing_billingcycle AS cycle
        JOIN customers_customer AS customer ON customer.id = cycle.customer_id
        LEFT JOIN invoicing_invoice AS invoice ON invoice.cycle_id = cycle.id
        WHERE cycle.ended_at IS NOT NULL AND cycle.next_action = '' AND invoice.id IS NULL
        """,
        "cycle {2} of {1} has no invoice",
    ),
    Check(
        "no cycle is skipped or doubled",
        """
        SELECT subscription_id, count(*), max(index) FROM invoicing_billingcycle
        GROUP BY subscription_id HAVING count(*) <> max(index) + 1
        """,
        "subscription {0}: {1} cycles, the last has number {2}",
    ),
    Check(
        "the total is the sum of the lines",
        """
        SELECT invoice.number, invoice.amount_due, coalesce(sum(line.amount), 0) FROM invoicing_invoice AS invoice
        LEFT JOIN invoicing_lineitem AS line ON line.invoice_id = invoice.id
        GROUP BY invoice.id HAVING invoice.amount_due <> coalesce(sum(line.amount), 0)
        """,
        "{0}: due {1}, lines {2}",
    ),
    Check(
        "what was measured in a cycle is what was billed",
        """
        SELECT customer.name, cycle.index, used.value, coalesce(sum(line.quantity), 0)
        FROM invoicing_invoice AS invoice
        JOIN invoicing_billingcycle AS cycle ON cycle.id = invoice.cycle_id
        JOIN customers_customer AS customer ON customer.id = invoice.customer_id
        LEFT JOIN invoicing_lineitem AS line ON line.invoice_id = invoice.id AND line.kind = 'METERED_COMPONENT'
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(value), 0) AS value FROM invoicing_measurement AS measurement
            WHERE measurement.customer_id = customer.id AND time >= cycle.start AND time < cycle."end"
        ) AS used
        GROUP BY customer.name, cycle.index, used.value
        HAVING used.value <> coalesce(sum(line.quantity), 0)
        """,
        "{0}, cycle {1}: measured {2:f}, billed {3:f}",
    ),
    Check(
        "every running subscription has a running cycle",
        """
        SELECT customer.name FROM invoicing_subscription AS subscription
        JOIN customers_customer AS customer ON customer.id = subscription.customer_id
        JOIN customers_vendor AS vendor ON vendor.id = subscription.vendor_id
        WHERE subscription.expired_at IS NULL AND NOT EXISTS (
            SELECT FROM invoicing_billingcycle AS cycle WHERE cycle.subscription_id = subscription.id
                AND cycle."end" > coalesce(vendor.clock_frozen_at, now() + vendor.clock_offset) - interval '1 hour'
        )
        """,
        "{0} has none",
    ),
    Check(
        "invoice numbers have no gaps",
        """
        SELECT series, count(*), max(n) - min(n) + 1 FROM (
            SELECT vendor_id, substring(number FROM '^(.*?)[0-9]+$') AS series,
                substring(number FROM '([0-9]+)$')::bigint AS n
            FROM invoicing_invoice WHERE number <> ''
        ) AS numbered GROUP BY vendor_id, series HAVING count(*) <> max(n) - min(n) + 1 OR min(n) <> 1
        """,
        "{0}: {1} numbers for {2} places",
    ),
    Check(
        "one customer in Stripe each",
        """
        SELECT data -> 'metadata' ->> 'portal_customer', count(*) FROM sandbox_storedobject
        WHERE object = 'customer' AND NOT deleted AND data -> 'metadata' ? 'portal_customer'
        GROUP BY 1 HAVING count(*) > 1
        """,
        "{0} is there {1} times",
    ),
    Check(
        "one invoice in Stripe each",
        """
        SELECT data -> 'metadata' ->> 'portal_number', count(*) FROM sandbox_storedobject
        WHERE object = 'invoice' AND NOT deleted AND data -> 'metadata' ? 'portal_invoice'
        GROUP BY 1, data -> 'metadata' ->> 'portal_invoice' HAVING count(*) > 1
        """,
        "{0} is there {1} times",
    ),
    Check(
        "no invoice in Stripe that nobody here knows",
        """
        SELECT there.stripe_id, there.status FROM sandbox_storedobject AS there
        WHERE there.object = 'invoice' AND NOT there.deleted AND NOT EXISTS (
            SELECT FROM invoicing_invoice AS mine WHERE mine.external_invoice_id = there.stripe_id
        )
        """,
        "{0} ({1})",
    ),
    Check(
        "every charge in Stripe is a payment here, of the same amount",
        """
        SELECT there.stripe_id, there.data ->> 'amount', mine.state, mine.amount FROM sandbox_storedobject AS there
        LEFT JOIN invoicing_payment AS mine ON mine.external_id = there.stripe_id
        WHERE there.object = 'charge' AND there.status = 'succeeded' AND (
            mine.id IS NULL OR mine.state <> 'succeeded' OR mine.amount <> (there.data ->> 'amount')::bigint
        )
        """,
        "{0} of {1}: here {2} {3}",
    ),
    Check(
        "every payment here is a charge in Stripe",
        """
        SELECT mine.external_id, mine.amount FROM invoicing_payment AS mine
        LEFT JOIN sandbox_storedobject AS there ON there.stripe_id = mine.external_id AND there.object = 'charge'
        WHERE mine.state = 'succeeded' AND NOT mine.is_by_hand AND there.status IS DISTINCT FROM 'succeeded'
        """,
        "{0} of {1} is not there",
    ),
    Check(
        "nobody is charged twice",
        """
        SELECT invoice.number, count(*), sum(payment.amount), invoice.amount_due FROM invoicing_invoice AS invoice
        JOIN invoicing_payment AS payment ON payment.invoice_id = invoice.id
        WHERE payment.state = 'succeeded' AND NOT payment.is_by_hand
        GROUP BY invoice.id HAVING count(*) > 1 OR sum(payment.amount) > invoice.amount_due
        """,
        "{0} was charged {1} times, {2} in all of {3}",
    ),
    Check(
        "every refund in Stripe was asked for here, of the same amount",
        """
        SELECT there.stripe_id, there.data ->> 'amount', mine.amount, mine.state FROM sandbox_storedobject AS there
        LEFT JOIN invoicing_refund AS mine ON mine.external_id = there.stripe_id
        WHERE there.object = 'refund' AND (mine.id IS NULL OR mine.amount <> (there.data ->> 'amount')::bigint)
        """,
        "{0} of {1}: here {2} {3}",
    ),
    Check(
        "every refund asked for was made once",
        """
        SELECT mine.uuid, mine.state, mine.amount FROM invoicing_refund AS mine
        LEFT JOIN sandbox_storedobject AS there ON there.stripe_id = mine.external_id AND there.object = 'refund'
        WHERE mine.state <> 'failed' AND there.status IS DISTINCT FROM 'succeeded'
        """,
        "{0} is {1} ({2}), but not done in Stripe",
    ),
    Check(
        "what Stripe holds as paid, void or open is so here",
        """
        SELECT mine.number, mine.status, there.status FROM invoicing_invoice AS mine
        JOIN sandbox_storedobject AS there ON there.stripe_id = mine.external_invoice_id AND there.object = 'invoice'
        WHERE mine.external_invoice_id <> '' AND there.status <> CASE mine.status
            WHEN 'INVOICE_PAID' THEN 'paid' WHEN 'INVOICE_VOIDED' THEN 'void'
            WHEN 'INVOICE_UNCOLLECTIBLE' THEN 'uncollectible' ELSE 'open' END
        """,
        "{0} is {1} here and {2} in Stripe",
    ),
    Check(
        "nothing is stuck without a visible reason",
        """
        SELECT invoice.uuid, invoice.status, invoice.next_action, invoice.next_action_at
        FROM invoicing_invoice AS invoice JOIN customers_vendor AS vendor ON vendor.id = invoice.vendor_id
        WHERE invoice.next_action_at
                < coalesce(vendor.clock_frozen_at, now() + vendor.clock_offset) - interval '10 minutes'
            AND invoice.last_error = '' AND invoice.paused_at IS NULL
        """,
        "{0} ({1}) waits for {2} since {3}",
    ),
    Check(
        "no attempt is left half done",
        """
        SELECT invoice.number, 'issue', attempt.state FROM invoicing_issueattempt AS attempt
        JOIN invoicing_invoice AS invoice ON invoice.id = attempt.invoice_id WHERE attempt.state = 'sending'
        UNION ALL
        SELECT invoice.number, 'charge', attempt.state FROM invoicing_chargeattempt AS attempt
        JOIN invoicing_invoice AS invoice ON invoice.id = attempt.invoice_id WHERE attempt.state = 'sending'
        UNION ALL
        SELECT invoice.number, 'refund', refund.state FROM invoicing_refund AS refund
        JOIN invoicing_invoice AS invoice ON invoice.id = refund.invoice_id WHERE refund.state = 'sending'
        """,
        "{0}: {1} is {2}",
    ),
    Check(
        "one event for each fact",
        """
        SELECT subject_id, kind, count(*) FROM customers_event
        WHERE kind IN ('invoice.generated', 'invoice.issued', 'invoice.voided', 'customer.new', 'subscription.new')
        GROUP BY subject_kind, subject_id, kind HAVING count(*) > 1
        UNION ALL
        SELECT subject_id, 'invoice.paid', count(*) FROM customers_event
        WHERE kind IN ('invoice.paid', 'invoice.reopened') GROUP BY subject_id
        HAVING count(*) FILTER (WHERE kind = 'invoice.paid') > 1 + count(*) FILTER (WHERE kind = 'invoice.reopened')
        """,
        "invoice or customer {0}: {1} {2} times",
    ),
    Check(
        "every state an invoice is in was told",
        """
        SELECT invoice.number, invoice.status FROM invoicing_invoice AS invoice
        WHERE invoice.status IN ('INVOICE_PAID', 'INVOICE_VOIDED') AND NOT EXISTS (
            SELECT FROM customers_event AS event WHERE event.subject_kind = 'invoice' AND event.subject_id = invoice.id
                AND event.kind = CASE invoice.status WHEN 'INVOICE_PAID' THEN 'invoice.paid' ELSE 'invoice.voided' END
        )
        """,
        "{0} is {1}, and no event says so",
    ),
    Check(
        "events are counted without gaps",
        """
        SELECT subject_kind, subject_id, count(*), max(sequence) FROM customers_event WHERE sequence IS NOT NULL
        GROUP BY subject_kind, subject_id HAVING count(*) <> max(sequence)
        """,
        "{0} {1}: {2} events, the last has number {3}",
    ),
    Check(
        "every webhook of ours was delivered",
        """
        SELECT event.kind, delivery.state, delivery.attempts, delivery.last_error
        FROM customers_webhookdelivery AS delivery JOIN customers_event AS event ON event.id = delivery.event_id
        WHERE delivery.state <> 'delivered'
        UNION ALL
        SELECT event.kind, 'not dispatched', 0, '' FROM customers_event AS event WHERE event.dispatched_at IS NULL
        """,
        "{0} is {1} after {2} attempts: {3}",
    ),
    Check(
        "every webhook of Stripe's was dealt with",
        """
        SELECT type, event_id, state, reason FROM payments_stripeevent WHERE state IN ('pending', 'failed')
        """,
        "{0} {1} is {2}: {3}",
    ),
    Check(
        "nobody is told the same twice",
        """
        SELECT invoice.number, email.kind, count(*) FROM invoicing_outgoingemail AS email
        JOIN invoicing_invoice AS invoice ON invoice.id = email.invoice_id
        WHERE email.state = 'succeeded' AND email.kind = 'invoice' AND email.occasion NOT LIKE 'again-%%'
        GROUP BY invoice.id, email.kind HAVING count(*) > 1
        """,
        "{0}: {2} e-mails {1}",
    ),
)


def audit(sent: Mapping[str, int], heard: Collection[str]) -> dict[str, list[str]]:
    """By name of the check: what breaks it, in words. ``sent``: usage by customer; ``heard``: the idempotency keys of
    the events that the vendor's endpoint has accepted."""
    found = {check.name: _broken(check) for check in CHECKS}
    found["every measurement that was accepted is kept, once"] = _lost_usage(sent)
    found["every event was heard by the vendor's endpoint"] = _unheard(set(heard))
    return found


def _lost_usage(sent: Mapping[str, int]) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(_KEPT)
        kept = {name: int(value) for name, value in cursor.fetchall()}
    return [
        f"{name}: sent {value}, kept {kept.get(name, 0)}" for name, value in sent.items() if kept.get(name) != value
    ]


_KEPT = """
    SELECT customer.name, sum(measurement.value) FROM invoicing_measurement AS measurement
    JOIN customers_customer AS customer ON customer.id = measurement.customer_id GROUP BY customer.name
"""


def _unheard(heard: Collection[str]) -> list[str]:
    rows = WebhookDelivery.objects.filter(state=DeliveryState.DELIVERED).values_list("event__uuid", "event__kind")
    return [f"{kind} {uuid}" for uuid, kind in rows.iterator() if uuid.hex not in heard]


def _broken(check: Check) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(check.sql, [])
        return [check.words.format(*row) for row in cursor.fetchall()]


def left_to_people() -> Mapping[str, int]:
    """What no machine can know after a crash, and what therefore is shown to a person instead of guessed at."""
    with connection.cursor() as cursor:
        cursor.execute(_UNKNOWN)
        return {"e-mails whose fate is unknown": int(cursor.fetchone()[0])}


_UNKNOWN = "SELECT count(*) FROM invoicing_outgoingemail WHERE state = 'unknown'"


def counts() -> Mapping[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS)
        return dict(zip(_COUNTED, map(int, cursor.fetchone()), strict=True))


_COUNTED = (
    "invoices",
    "of them through Stripe",
    "paid",
    "charges in Stripe",
    "refunds",
    "e-mails",
    "webhooks of Stripe's",
    "webhooks of ours",
)


_COUNTS = """
    SELECT (SELECT count(*) FROM invoicing_invoice),
        (SELECT count(*) FROM invoicing_invoice WHERE external_invoice_id <> ''),
        (SELECT count(*) FROM invoicing_invoice WHERE status = 'INVOICE_PAID'),
        (SELECT count(*) FROM sandbox_storedobject WHERE object = 'charge' AND status = 'succeeded'),
        (SELECT count(*) FROM invoicing_refund WHERE state = 'succeeded'),
        (SELECT count(*) FROM invoicing_outgoingemail WHERE state = 'succeeded'),
        (SELECT count(*) FROM payments_stripeevent),
        (SELECT count(*) FROM customers_webhookdelivery WHERE state = 'delivered')
"""
