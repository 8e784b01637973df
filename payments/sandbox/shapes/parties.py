"""Customers and payment methods."""

from payments.sandbox.scope import JSON


def customer(created: int, livemode: bool, invoice_prefix: str) -> JSON:
    return {
        "object": "customer",
        "address": None,
        "balance": 0,
        "business_name": None,
        "created": created,
        "currency": None,
        "customer_account": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "individual_name": None,
        "invoice_prefix": invoice_prefix,
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": livemode,
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }


def address() -> JSON:
    return dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))


def billing_details() -> JSON:
    return {"address": address(), "email": None, "name": None, "phone": None, "tax_id": None}


def payment_method(created: int, livemode: bool, card: JSON) -> JSON:
    return {
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": billing_details(),
        "card": card,
        "created": created,
        "customer": None,
        "customer_account": None,
        "livemode": livemode,
        "metadata": {},
        "type": "card",
    }


def card(brand: str, last4: str, exp_month: int, exp_year: int, fingerprint: str) -> JSON:
    return {
        "brand": brand,
        "checks": {
            "address_line1_check": None,
            "address_postal_code_check": None,
            "cvc_check": "pass",
        },
        "country": "US",
        "display_brand": brand,
        "exp_month": exp_month,
        "exp_year": exp_year,
        "fingerprint": fingerprint,
        "funding": "credit",
        "generated_from": None,
        "last4": last4,
        "networks": {"available": [brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }


def bank_account(customer: str, *, is_verified: bool) -> JSON:
    """Stripe's own test account, as a source."""
    return {
        "object": "bank_account",
        "account": None,
        "account_holder_name": "Jane Austen",
        "account_holder_type": "individual",
        "account_type": None,
        "available_payout_methods": None,
        "bank_name": "STRIPE TEST BANK",
        "country": "US",
        "currency": "usd",
        "customer": customer,
        "default_for_currency": None,
        "fingerprint": "1JWtPxqbdX5Gamtz",
        "future_requirements": None,
        "last4": "6789",
        "metadata": {},
        "requirements": None,
        "routing_number": "110000000",
        "status": "verified" if is_verified else "new",
    }
