"""Identifiers and random strings as Stripe makes them."""

import secrets
import string

BASE62 = string.ascii_letters + string.digits

PREFIXES = {
    "customer": "cus_",
    "payment_method": "pm_",
    "invoice": "in_",
    "line_item": "il_",
    "invoice_payment": "inpay_",
    "payment_intent": "pi_",
    "charge": "ch_",
    "setup_intent": "seti_",
    "checkout.session": "cs_test_",
    "billing_portal.session": "bps_",
    "tax_id": "txi_",
    "bank_account": "ba_",
    "customer_balance_transaction": "cbtxn_",
    "refund": "re_",
    "credit_note": "cn_",
    "credit_note_line_item": "cnli_",
    "dispute": "du_",
    "balance_transaction": "txn_",
    "event": "evt_",
    "webhook_endpoint": "we_",
    "tax_rate": "txr_",
    "test_helpers.test_clock": "clock_",
}


def random_text(length: int) -> str:
    return "".join(secrets.choice(BASE62) for _ in range(length))


def new_id(kind: str) -> str:
    """``new_id("invoice")`` -> ``in_...``"""
    return PREFIXES[kind] + random_text(24)


def request_id() -> str:
    return "req_" + random_text(14)
